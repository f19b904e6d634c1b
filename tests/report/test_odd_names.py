"""VMs that are called what tables and figures call their own columns, rows and sums."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from made import run
from pages import Page
from rich.console import Console

from tracereplay.report import figures
from tracereplay.report.html import Told, page
from tracereplay.report.names import labels, vm_table
from tracereplay.report.table import vm_table as terminal_table
from tracereplay.result import Result
from tracereplay.studies.compare import compare

ODD = ("time", "kind", "all VMs", "other VMs", "free", "shared frames", "vm", "(free)", "counter", "run")
PLAIN = tuple("abcdefghij")


def replayed(names: tuple[str, ...]) -> Result:
    """Ten VMs, each with its own numbers: so many that a figure sums some of them."""
    said = {
        name: {
            "accesses": [i, 9 * i],
            "guest_minor_faults": [i, i],
            "host_major_faults": [i, 4 * i],
            "host_swap_reads": [i, 4 * i],
            "double_faults": [i, 3 * i],
            "frames_in_use": [3 * i, 5 * i],
            "shared": [2 * i, 2 * i],
            "shared_frames": [i, 2 * i],
            "ballooned": [i, 0],
            "balloon_target": [0, i],
        }
        for i, name in zip(range(len(names), 0, -1), names, strict=True)
    }
    result = run(
        [110, 125], said, host={"frames": 400, "policy": "lru"}, balloon={"controller": "none"}, seed=0
    )
    for name in ("memory_pages", "footprint_pages", "estimated_ns"):
        result.vms[name] = result.vms["accesses"]
    result.machine["vms"][:] = [
        {"name": name, "policy": "lru", "pages": 1, "balloon_cap": 9} for name in names
    ]
    result.provenance.update(command=["replay"], seed=0, started="now", wall_seconds=1, versions={})
    return result


def told(names: tuple[str, ...]) -> Told:
    """What traces would tell: a working set."""
    pages = {name: [i, 2 * i] for i, name in enumerate(names)}
    table = pd.DataFrame(pages, pd.Index([10, 26], name="time"))
    table.attrs = {"page_size": 4096, "exact_above": 0, "time_unit": "accesses", "bin": 10}
    return Told({"working_set": table}, (), ())


RESERVED = {
    "balloon": ["time"],
    "double-paging": ["kind"],
    "frames": ["time", "shared frames", "free"],
    "working-set": ["time"],
}
"""Names that the tables of figures with a column per VM have for themselves."""
FIGURES = [name for name in figures.names() if figures.needs(name) in ((), ("working_set",))]


@pytest.mark.parametrize("kind", FIGURES)
def test_tables_of_figures_are_those_of_other_names(kind):
    """No number lost or added to another; each name once."""
    found, expected = (figures.data(kind, replayed(names), told(names).extras) for names in (ODD, PLAIN))
    called = labels(ODD, ["other VMs", *RESERVED.get(kind, ())])
    renamed = dict(zip(PLAIN, called.values(), strict=True))
    pd.testing.assert_frame_equal(found, expected.rename(columns=renamed, index=renamed))
    rows = figures.records(found)
    assert len(rows[0]) == len(found.columns) + 1 == len(figures.records(expected)[0])


def test_labels():
    """A reserved name in parentheses, in as many as make it the only one."""
    assert labels(["a", "free", "(time)"], ["time", "free"]) == {
        "a": "a",
        "free": "(free)",
        "(time)": "(time)",
    }
    assert labels(["free", "(free)"], ["free"]) == {"free": "((free))", "(free)": "(free)"}


def test_the_table_of_vms():
    """The sum is a row of its own, in the page and in the terminal, however the rows are laid out."""
    table, _ = vm_table(replayed(ODD), "tracereplay")
    assert list(table.index) == ["(all VMs)" if name == "all VMs" else name for name in ODD] + ["all VMs"]
    assert table["memory_pages"].tolist() == [*range(90, 0, -9), 495]
    for names in (ODD, ("all VMs", "x")):
        out = io.StringIO()
        Console(file=out, width=80).print(terminal_table(replayed(names)))
        assert out.getvalue().count("(all VMs)") == 1
        assert out.getvalue().count("all VMs") == 2


def test_the_page():
    """Every figure and every VM is in it."""
    text = Page(page(replayed(ODD), told(ODD))).text_of("th")
    for name in ODD:
        assert name in text


def test_comparisons():
    """A VM called like the sum is compared as a VM; the sum stays what it was."""
    one, two = replayed(("all VMs", "x")), replayed(("all VMs", "x", "y"))
    table = compare({"one": one, "two": two}).query("quantity == 'accesses'")
    assert table[["vm", "base", "value"]].to_numpy().tolist() == [
        ["all VMs", 27, 54],
        ["(all VMs)", 18, 27],
        ["x", 9, 18],
    ]
