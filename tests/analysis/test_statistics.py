"""What ``stat`` says of a trace as a whole: mixes by hand, real traces against other analyses, refusals."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, VMInfo
from tracereplay.trace.schema import METADATA_KEY

READ, WRITE, FREE, FETCH = range(4)
ROWS = {
    "time": [10, 10, 11, 15, 20, 22, 29],
    "vm": [0, 0, 2, 0, 0, 0, 2],
    "page": [7, 8, 7, 7, 7, 7, 9],
    "op": [WRITE, FETCH, READ, READ, FREE, READ, FREE],
}
"""VM 0 writes 7 and fetches 8, comes back to 7, frees it and comes back again; VM 1 is idle."""


def with_metadata(**said: object) -> pa.Table:
    """ROWS with metadata."""
    return pa.table(ROWS).replace_schema_metadata({METADATA_KEY: Metadata(**said).to_json()})


def test_mix_by_hand():
    """Frees are rows and no accesses; an idle VM has zeros; each VM has pages of its own."""
    found = tr.stat(ROWS)
    assert {name: asdict(vm.mix) for name, vm in found.vms.items()} == {
        "vm0": mix(5, 4, 2, 1, 1, 1, 0.25, 2, 1, 1, 1, 2),
        "vm1": mix(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        "vm2": mix(2, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1),
    }
    assert (found.window, found.time_unit, found.page_size, found.warnings) == (1, "accesses", 4096, ())


def mix(*numbers: float) -> dict[str, float]:
    names = (
        "rows accesses reads writes fetches frees write_share "
        "pages pages_written pages_only_read pages_touched_once touches_per_page"
    )
    return dict(zip(names.split(), numbers, strict=True))


def test_frees_end_distances_and_nothing_else():
    """Page 7 comes back after one other page, and after its FREE: reused in time, new to the memory."""
    vm = tr.stat(ROWS).vms["vm0"]
    assert vm.distances.first_touches == 3
    counts = vm.reuse.set_index("low")[["distance", "by_accesses", "by_time"]]
    assert counts[counts.any(axis=1)].to_dict("index") == {
        1: {"distance": 1, "by_accesses": 1, "by_time": 0},
        2: {"distance": 0, "by_accesses": 1, "by_time": 0},
        4: {"distance": 0, "by_accesses": 0, "by_time": 2},
    }
    assert vm.timeline["footprint"].iloc[-1] == 2


def test_one_vm_and_windows():
    """By name or index; windows as words; times are the trace's own."""
    named = with_metadata(time_unit="ns", vms=(VMInfo("web"), VMInfo("idle"), VMInfo("web")))
    assert list(tr.stat(named).vms) == ["web", "idle", "web-2"]
    found = tr.stat(named, vm=0, window="8ns")
    assert (list(found.vms), found.window) == (["web"], 8)
    assert found.vms["web"].timeline[["start", "end", "accesses", "pages"]].to_numpy().tolist() == [
        [10, 18, 3, 2],
        [18, 26, 1, 1],
        [26, 30, 0, 0],
    ]


@pytest.mark.parametrize("name", ["sort", "sqlite"])
def test_against_other_analyses(name):
    """Footprints, misses and heat of a real trace are what other ways of counting them say."""
    trace = tr.open_trace(trace_path(name))
    found = tr.stat(trace, jobs=2)
    (vm,) = found.vms.values()
    assert vm.mix.pages == trace.footprints()[0] == vm.timeline["footprint"].iloc[-1]
    curve = tr.mrc(trace).set_index("size_pages")["misses"] / vm.mix.accesses
    enough = [(share, size) for share, size in vm.distances.memory.items() if size is not None and size > 64]
    assert enough
    for share, size in enough:
        assert curve[size - 1] > 1 - share >= curve[size]
    heat = tr.heat(trace, time_bins=50, page_bins=10**6)
    assert heat.time_per_bin == found.window
    assert vm.timeline["pages"].tolist() == (heat.counts > 0).sum(axis=0).tolist()
    assert vm.timeline["accesses"].tolist() == heat.counts.sum(axis=0).tolist()
    assert np.sort(vm.popularity["touches"])[-1] == heat.counts.sum(axis=1).max()
    assert vm.reuse[["by_accesses", "by_time"]].sum().tolist() == [vm.mix.accesses - vm.mix.pages] * 2


def test_plain_data():
    """Everything goes into JSON and comes back the same; what is no number is null."""
    found = tr.stat(ROWS)
    data = json.loads(json.dumps(found.to_dict()))
    assert list(data) == ["vms", "window", "time_unit", "page_size", "warnings"]
    vm = data["vms"]["vm0"]
    assert vm["timeline"][0]["similarity"] is None
    assert vm["zipf"] == {"alpha": None, "r_squared": None}
    assert vm["memory_for_hits"] == {"0.5": None, "0.9": None, "0.99": None}
    pd.testing.assert_frame_equal(
        pd.DataFrame(vm["idle"]), found.vms["vm0"].idle, check_dtype=False, check_exact=True
    )


def test_warnings():
    """What a reduced, a sampled and a guest-physical trace cannot tell."""
    reduced = with_metadata(reduction={"exact_above": 64}, page_space="guest-physical")
    assert tr.stat(reduced).warnings == (
        "<table>: a reduced trace, without accesses that no memory of 64 pages or more could miss: all "
        "numbers are of the accesses kept; only LRU memories of so many pages miss as they would have",
        "<table>: recorded below the guest's own paging: its pages are frames of the guest, which may have "
        "served one use after another",
    )
    sampled = tr.sample_trace({"page": range(1000)}, "50%")
    assert tr.stat(sampled).warnings == (
        "<table>: a sample of 0.5 of the pages: all numbers are of the rows kept",
    )


WRONG = {
    "jobs: found 0; expected 1 or more": {"jobs": 0},
    'vm: found "x"; expected an index below 3, or one of "vm0", "vm1", "vm2"': {"vm": "x"},
    "window: found 0; expected 1 accesses or more, for at most 100,000 windows": {"window": 0},
    'window: found "5ms"; expected an integer number of accesses, such as 1000 or "100k": the trace\'s time '
    "is counted in accesses, it has no clock": {"window": "5ms"},
}


@pytest.mark.parametrize("message", WRONG)
def test_words_that_do_not_fit(message):
    """Found, expected."""
    with pytest.raises(UsageError) as caught:
        tr.stat(ROWS, **WRONG[message])
    assert str(caught.value) == message


def test_too_many_windows():
    """A window so short that the timeline would not fit is refused, and the shortest is told."""
    long = {"page": [1, 1], "time": [0, 10**9]}
    with pytest.raises(UsageError) as caught:
        tr.stat(long, window="9k")
    assert str(caught.value) == (
        'window: found "9k"; expected 10001 accesses or more, for at most 100,000 windows'
    )
    (vm,) = tr.stat(long, window=10_001).vms.values()
    assert len(vm.timeline) == 99_991


def test_times_that_are_too_large():
    """Up to 63 bits all is counted; beyond, the trace is refused."""
    (vm,) = tr.stat({"page": [1, 1], "time": [3, 2**63 - 2]}).vms.values()
    assert vm.timeline["accesses"].iloc[[0, -1]].tolist() == [1, 1]
    with pytest.raises(TraceError) as caught:
        tr.stat({"page": [1, 1], "time": np.array([3, 2**63], np.uint64)})
    assert str(caught.value) == (
        "<table>: column time: found 9223372036854775808; expected less than 9223372036854775807; "
        "count from 0"
    )


def test_the_table_by_hand():
    """Counts are integers, what has no number is missing; a notebook shows it as text, with warnings."""
    found = replace(tr.stat(ROWS), warnings=("<odd>",))
    expected = pd.DataFrame(
        {
            "accesses": [4, 0, 1],
            "write_share": [0.25, 0, 0],
            "pages": [2, 0, 1],
            "pages_written": [1, 0, 0],
            "touches_per_page": [2.0, 0, 1],
            "alpha": [np.nan] * 3,
            "median_distance": [1, None, None],
            "hit_90_percent": [None] * 3,
            "mean_working_set": [4 / 20, 0, 1 / 20],  # windows of one access, 20 from time 10 to 29
            "largest_working_set": [2, 0, 1],
            "phases": [3, 1, 1],
        },
        index=pd.Index(["vm0", "vm1", "vm2"], name="vm"),
    )
    counts = ["accesses", "pages", "pages_written", "median_distance", "hit_90_percent"]
    counts += ["largest_working_set", "phases"]
    pd.testing.assert_frame_equal(found.table(), expected.astype(dict.fromkeys(counts, "Int64")))
    html = found._repr_html_()
    cells = re.findall("<td>(.*?)</td>", html.partition("<th>vm0</th>")[2].partition("</tr>")[0])
    assert cells == ["4", "0.25", "2", "1", "2", "–", "1", "–", "0.2", "2", "3"]
    assert html.endswith("<p>&lt;odd&gt;</p>")
    assert repr(found) == "<Statistics: 3 VMs, 5 accesses>"
