"""Windows of time and rows, VMs by name: rows and metadata by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from trace_rows import FULL, rows

import tracereplay as tr
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, VMInfo, open_trace
from tracereplay.trace.schema import METADATA_KEY

SAID = Metadata(
    time_unit="ns",
    vms=(VMInfo("web", "linux", 1), VMInfo("db", "windows", 3)),
    reduction={"method": "sad", "exact_above": 2},
    source={"tool": "recorder"},
)
TRACE = FULL.replace_schema_metadata({METADATA_KEY: SAID.to_json()})

# rows of TRACE: (time, vm, page) = (3, 0, 5) (3, 1, 5) (7, 1, 2^40) (9, 0, 5) (12, 1, 6)
CASES = {
    "nothing said": ({}, [3, 3, 7, 9, 12], [0, 1, 1, 0, 1], [5, 5, 2**40, 5, 6]),
    "time": ({"time": "3ns:9ns"}, [0, 0, 4], [0, 1, 1], [5, 5, 2**40]),
    "time from": ({"time": "4:"}, [3, 5, 8], [1, 0, 1], [2**40, 5, 6]),
    "time to": ({"time": ":9"}, [3, 3, 7], [0, 1, 1], [5, 5, 2**40]),
    "time kept": ({"time": (4, 10), "rebase": False}, [7, 9], [1, 0], [2**40, 5]),
    "rows": ({"rows": "2:4"}, [0, 2], [1, 0], [2**40, 5]),
    "rows from the first": ({"rows": "0:3"}, [0, 0, 4], [0, 1, 1], [5, 5, 2**40]),
    "rows kept": ({"rows": (2, 4), "rebase": False}, [7, 9], [1, 0], [2**40, 5]),
    "rows to": ({"rows": (None, 2)}, [3, 3], [0, 1], [5, 5]),
    "rows and time": ({"rows": "1:", "time": ":12"}, [0, 4, 6], [1, 1, 0], [5, 2**40, 5]),
    "a vm": ({"vms": ["db"]}, [3, 7, 12], [0, 0, 0], [5, 2**40, 6]),
    "vms in another order": ({"vms": [1, "web"]}, [3, 3, 7, 9, 12], [1, 0, 0, 1, 0], [5, 5, 2**40, 5, 6]),
    # the window begins with row 2, which the VM left has no part in
    "all three": ({"vms": ["0"], "rows": "2:", "time": ":12"}, [2], [0], [5]),
    "past the end": ({"rows": "3:100k"}, [0, 3], [0, 1], [5, 6]),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_by_hand(case):
    """Half-open windows, VMs renumbered, times counted from the window's FROM."""
    options, time, vm, page = CASES[case]
    found = rows(open_trace(tr.slice_trace(TRACE, **options)))
    assert (found["time"], found["vm"], found["page"]) == (time, vm, page)


def test_operations_and_contents_come_along():
    """All columns of the rows that are left."""
    found = rows(open_trace(tr.slice_trace(TRACE, rows="1:3")))
    assert (found["op"], found["content"], found["known"]) == ([1, 2], [2**64 - 1, 0], [True, True])


def test_metadata_follow():
    """VMs with their families, what was cut; footprints only where no row of a VM was cut."""
    vms = open_trace(tr.slice_trace(TRACE, vms=["db"])).metadata
    assert vms.vms == (VMInfo("db", "windows", 3),)
    assert open_trace(tr.slice_trace(TRACE, vms="db")).metadata.vms == vms.vms
    assert open_trace(tr.slice_trace(TRACE, vms=1)).metadata.vms == vms.vms
    cut = open_trace(tr.slice_trace(TRACE, time="4:10", vms=[1, 0])).metadata
    assert cut.vms == (VMInfo("db", "windows"), VMInfo("web", "linux"))
    assert (cut.time_unit, cut.exact_above, cut.source) == ("ns", 2, {"tool": "recorder"})
    window = {"time": [4, 10], "rows": [None, None], "vms": ["db", "web"], "rebase": True, "of_rows": 5}
    assert cut.provenance == {"slices": [window]}
    twice = open_trace(tr.slice_trace(tr.slice_trace(TRACE, time="4:10", vms=[1, 0]), rows=":1")).metadata
    assert [s["of_rows"] for s in twice.provenance["slices"]] == [5, 2]


def test_without_times_the_row_numbers_become_times():
    """So VMs that are left keep their distances."""
    trace = {"vm": [0, 1, 1, 0], "page": [1, 2, 3, 4]}
    assert rows(open_trace(tr.slice_trace(trace, vms=[0])))["time"] == [0, 3]
    assert rows(open_trace(tr.slice_trace(trace, rows="1:3")))["time"] == [0, 1]


@pytest.mark.parametrize("window", [{"rows": "0:300k"}, {"time": ":300k"}])
def test_nothing_is_read_after_the_window(window):
    """A bad row in a later batch does not matter."""
    n = 1_000_000
    time = [*range(n - 1), 0]
    table = pa.table({"time": pa.array(time, pa.uint64()), "page": pa.array(time, pa.uint64())})
    assert tr.slice_trace(table, **window).read_all().num_rows == 300_000
    with pytest.raises(TraceError, match="row 999999: column time: found 0"):
        tr.slice_trace(table).read_all()


WRONG = {
    'slice: rows: found "5"; expected FROM:TO, one of which may be left out': {"rows": "5"},
    "slice: time: found 5; expected FROM:TO": {"time": 5},
    'slice: rows: found "5:5"; expected an end after the start': {"rows": "5:5"},
    'slice: time: found "1:2:3"; expected FROM:TO': {"time": "1:2:3"},
    'slice: time: found "10x"; expected a time such as "10s"': {"time": ":10x"},
    'vm: found "dbs"; expected an index below 2, or one of "web", "db"; did you mean "db"?': {"vms": ["dbs"]},
    "vm: found 2; expected an index below 2": {"vms": [2]},
}


@pytest.mark.parametrize("message", WRONG)
def test_words_that_do_not_fit(message):
    """Found, expected, and the nearest."""
    with pytest.raises(UsageError) as caught:
        tr.slice_trace(TRACE, **WRONG[message])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("window", [{"time": "13:"}, {"rows": "9:"}, {"vms": ["web"], "time": "4:9"}])
def test_no_rows_is_an_error(window):
    """It says what there would be."""
    with pytest.raises(TraceError) as caught:
        tr.slice_trace(TRACE, **window)
    assert str(caught.value) == "<table>: no rows inside the slice; it has 5 rows, of the times 3 to 12"
