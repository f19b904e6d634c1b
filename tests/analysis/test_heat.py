"""Rows counted by page and time: by hand, against a count of one row after the other, and refusals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.analysis.heat import Region
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, VMInfo, open_trace
from tracereplay.trace.schema import METADATA_KEY

TRACE = {
    "time": [0, 1, 1, 4, 5, 9],
    "vm": [0, 0, 1, 0, 0, 0],
    "page": [100, 7, 55, 8, 7, 2**40],
    "op": [0, 1, 1, 0, 1, 3],
}


def test_by_hand():
    """Three places of two pages, three columns of four units; the other VM is not counted."""
    heat = tr.heat(TRACE, time_bins=3, page_bins=2)
    # pages in order: 7 8 | 100 2^40; times 0–3 | 4–7 | 8–11
    assert heat.counts.tolist() == [[1, 2, 0], [1, 0, 1]]
    assert heat.pages.tolist() == [7, 8, 100, 2**40]
    assert (heat.pages_per_bin, heat.page_edges.tolist()) == (2, [0, 2, 4])
    assert (heat.first_time, heat.time_per_bin, heat.time_edges.tolist()) == (0, 4, [0, 4, 8, 12])
    assert (heat.vm, heat.op, heat.time_unit, heat.page_size) == ("vm0", None, "accesses", 4096)


def test_one_operation_of_one_vm():
    """Only its pages take room, on the clock of the whole trace."""
    heat = tr.heat(TRACE, op="write", time_bins=5, page_bins=9)
    assert heat.counts.tolist() == [[1, 0, 1, 0, 0]]
    assert heat.pages.tolist() == [7]
    named = pa.table(TRACE).replace_schema_metadata(
        {METADATA_KEY: Metadata(vms=(VMInfo("web"), VMInfo("db"))).to_json()}
    )
    for vm in (1, "1", "db"):
        other = tr.heat(named, vm=vm, time_bins=5)
        assert (other.vm, other.pages.tolist(), other.counts.tolist()) == ("db", [55], [[1, 0, 0, 0, 0]])


def test_fewer_bins_than_asked_for():
    """Bins are of whole pages and times."""
    heat = tr.heat({"page": [3, 4, 5, 6, 7]}, time_bins=4, page_bins=100)
    assert heat.counts.shape == (5, 3)
    assert (heat.time_per_bin, heat.pages_per_bin) == (2, 1)
    assert heat.page_edges.tolist() == [0, 1, 2, 3, 4, 5]


def test_regions():
    """Holes larger than all touched pages together part the address space."""
    pages = [0x400, 0x401, 0x403, 0x4000, 0x4001, 0x1FFE000]
    heat = tr.heat({"page": pages[::-1]})
    assert heat.regions == (Region(0x400, 0, 3), Region(0x4000, 3, 2), Region(0x1FFE000, 5, 1))
    assert tr.heat({"page": [9]}).regions == (Region(9, 0, 1),)


def test_large_times_and_pages():
    """Nothing overflows at the ends of 64 bits."""
    time = np.array([2**63, 2**64 - 1], np.uint64)
    heat = tr.heat({"time": time, "page": np.array([0, 2**64 - 1], np.uint64)}, time_bins=2)
    assert heat.counts.tolist() == [[1, 0], [0, 1]]
    whole = {"time": np.array([0, 2**64 - 1], np.uint64), "page": np.zeros(2, np.uint64)}
    for bins in (1, 3):
        heat = tr.heat(whole, time_bins=bins)
        assert int(heat.counts.sum()) == 2
        assert (np.diff(heat.time_edges.astype(object)) >= 0).all()
        assert heat.time_edges[-1] == 2**64 - 1


@pytest.mark.parametrize(("vm", "op"), [(0, None), (1, None), (1, "fetch")])
def test_a_real_trace(vm, op):
    """Every cell of two guests, counted row by row; more rows than a batch holds."""
    trace = open_trace(trace_path("two-guests"))
    heat = tr.heat(trace, vm=vm, op=op, time_bins=50, page_bins=30)
    expected = np.zeros(heat.counts.shape, np.int64)
    place = {page: i for i, page in enumerate(heat.pages.tolist())}
    for batch in trace.batches():
        mask = (batch.vm == vm) & ((batch.op == 3) | (op is None))
        for page, time in zip(batch.page[mask].tolist(), batch.time[mask].tolist(), strict=True):
            expected[place[page] // heat.pages_per_bin, time // heat.time_per_bin] += 1
    assert (heat.counts == expected).all()
    assert op or len(heat.pages) == trace.metadata.vms[vm].pages


def test_metadata_that_lie_do_not_matter():
    """The clock's ends are the rows'."""
    text = Metadata(time_range=(5, 6)).to_json()
    heat = tr.heat(pa.table(TRACE).replace_schema_metadata({METADATA_KEY: text}), time_bins=3)
    assert heat.counts.sum() == 5


WRONG = {
    'vm: found 5; expected an index below 2, or one of "vm0", "vm1"': {"vm": 5},
    'heatmap: op: found "writes"; expected one of "read", "write", "free", "fetch"; did you mean "write"?': {
        "op": "writes"
    },
    "heatmap: time_bins: found 0; expected 1 or more": {"time_bins": 0},
    "heatmap: page_bins: found -1; expected 1 or more": {"page_bins": -1},
}


@pytest.mark.parametrize("message", WRONG)
def test_words_that_do_not_fit(message):
    """Found, expected, the nearest."""
    with pytest.raises(UsageError) as caught:
        tr.heat(TRACE, **WRONG[message])
    assert str(caught.value) == message


def test_nothing_to_count():
    """No rows of the kind asked for."""
    with pytest.raises(TraceError) as caught:
        tr.heat(TRACE, op="free")
    assert str(caught.value) == '<table>: found no rows of operation free of VM "vm0"; nothing to count'
