"""What the picture of a trace's statistics draws, and of which VMs."""

from __future__ import annotations

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import UsageError
from tracereplay.report.statistics import picture
from tracereplay.report.style import rendered


def test_lines_are_the_tables():
    """One VM: its working sets by window and by τ, distances as shares, popularity beside Zipf's law."""
    found = tr.stat(trace_path("sort"))
    (vm,) = found.vms.values()
    over_time, by_age, distances, popularity = picture(found).axes
    footprint, working_set = (steps.get_data() for steps in over_time.patches)
    assert footprint.values.tolist() == (vm.timeline["footprint"] * 4096).tolist()
    assert working_set.values.tolist() == (vm.timeline["pages"] * 4096).tolist()
    assert len(over_time.get_lines()) == (vm.phases["windows"] > 1).sum()
    (line,) = by_age.get_lines()
    assert np.array_equal(line.get_xydata(), np.c_[vm.working_set["tau"], vm.working_set["by_time"] * 4096])
    (steps,) = distances.patches
    reuses = vm.mix.accesses - vm.distances.first_touches
    assert steps.get_data().values.sum() * vm.mix.accesses == pytest.approx(reuses)
    counted, law = (line.get_ydata() for line in popularity.get_lines())
    assert counted.tolist() == vm.popularity["touches"].tolist()
    assert np.log(law).mean() == pytest.approx(np.log(counted).mean())


def test_the_first_of_many():
    """Six of the VMs that touch memory are drawn, and that there are more is said."""
    rows = {"vm": np.repeat(np.arange(9), 4), "page": [1, 2, 3, 1] * 9, "op": [0] * 4 + [2] * 4 + [0] * 28}
    figure = picture(tr.stat(rows))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        f"vm{i}" for i in (0, 2, 3, 4, 5, 6)
    ]
    assert figure.get_suptitle() == "the first 6 of 8 VMs"


@pytest.mark.parametrize("columns", [{"page": [5]}, {"page": [5, 5], "time": [3, 10**9 + 3]}])
def test_next_to_nothing(columns):
    """One access, and one page: still a picture."""
    assert rendered(picture(tr.stat(columns)), "png")


def test_nothing():
    """No access at all is refused."""
    with pytest.raises(UsageError) as caught:
        picture(tr.stat({"page": [1], "op": [2]}))
    assert str(caught.value) == "stat: found no accesses; expected some, for a picture"
