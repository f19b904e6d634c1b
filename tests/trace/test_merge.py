"""Several traces on one clock: rows by hand, names, metadata, and what cannot be merged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from trace_rows import FULL, rows

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import VMInfo, open_trace, write_trace
from tracereplay.trace.schema import METADATA_KEY, Metadata


def said(table, **fields):
    """A table that brings metadata."""
    return pa.table(table).replace_schema_metadata({METADATA_KEY: Metadata(**fields).to_json()})


def test_rows_by_hand():
    """By time, ties to the earlier source; VMs numbered on; a start shifts; unknown contents stay unknown."""
    other = {"time": [0, 3, 5], "page": [8, 9, 9], "op": [1, 0, 2]}
    merged = open_trace(tr.merge([FULL, other], starts=[0, 4]))
    assert rows(merged) == {
        "time": [3, 3, 4, 7, 7, 9, 9, 12],
        "vm": [0, 1, 2, 1, 2, 0, 2, 1],
        "page": [5, 5, 8, 2**40, 9, 5, 9, 6],
        "op": [0, 1, 1, 2, 0, 3, 2, 1],
        "content": [0, 2**64 - 1, 0, 0, 0, 0, 0, 7],
        "known": [False, True, False, True, False, False, False, True],
    }
    assert [vm.name for vm in merged.metadata.vms] == ["vm0", "vm1", "vm0-2"]


def test_without_times_rows_are_counted():
    """Row k of each source at time k, whether the other has a clock of the same unit or not."""
    merged = open_trace(tr.merge([{"page": [1, 2]}, {"page": [3, 4]}, {"time": [0, 9], "page": [5, 6]}]))
    found = rows(merged)
    assert found["time"] == [0, 0, 0, 1, 1, 9]
    assert found["page"] == [1, 3, 5, 2, 4, 6]
    assert merged.metadata.time_unit == "accesses"


def test_metadata_of_all(tmp_path):
    """Names made distinct, families and footprints kept, the largest bound of exactness, every origin."""
    write_trace(
        tmp_path / "a.parquet",
        FULL,
        vms=[{"name": "web", "family": "linux"}, "db"],
        time_unit="ns",
        reduction={"method": "sad", "exact_above": 8},
        source={"tool": "recorder"},
    )
    write_trace(
        tmp_path / "b.parquet",
        {"time": [1], "page": [1]},
        vms=["web"],
        time_unit="ns",
        reduction={"exact_above": 64},
    )
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet", tmp_path / "b.parquet"]
    found = write_trace(tmp_path / "all.parquet", tr.merge(paths, starts=[0, "1us", 5]))
    assert found.vms == (
        VMInfo("a-web", "linux", 1),
        VMInfo("db", None, 3),
        VMInfo("b", None, 1),
        VMInfo("b-2", None, 1),
    )
    assert (found.time_unit, found.rows, found.time_range) == ("ns", 7, (3, 1001))
    assert found.reduction == {"exact_above": 64}
    assert found.source == {
        "tool": "tracereplay merge",
        "version": tr.__version__,
        "traces": [
            {"name": "a.parquet", "start": 0, "source": {"tool": "recorder"}, "provenance": None},
            {"name": "b.parquet", "start": 1000, "source": None, "provenance": None},
            {"name": "b.parquet", "start": 5, "source": None, "provenance": None},
        ],
    }


def test_a_replay_of_the_merged_is_the_replay_of_all(tmp_path):
    """Every counter of every VM, one of the programs twice and later."""
    names = ["gzip", "sort", "gzip"]
    starts = [0, 0, 100_000]
    settings = {"tick": 50_000, "host": {"memory": "60%"}, "sharing": {"mode": "esx", "rate": 50}}
    vms = [
        {"trace": str(trace_path(n)), "start": s, "memory": "80%"} for n, s in zip(names, starts, strict=True)
    ]
    apart = tr.replay({**settings, "vm": vms})
    write_trace(tmp_path / "t.parquet", tr.merge([trace_path(n) for n in names], starts=starts))
    together = tr.replay({**settings, "vm": [{"trace": str(tmp_path / "t.parquet"), "memory": "80%"}]})
    assert together.vms.equals(apart.vms)
    assert list(together.vms.index) == ["gzip", "sort", "gzip-2"]


def test_more_rows_than_are_held_at_once():
    """Sources of many batches and unequal density come out complete and in order."""
    rng = np.random.default_rng(1)
    tables = [
        {"time": np.sort(rng.integers(0, 10**6, n)), "page": np.arange(n)} for n in (400_000, 1_000, 300_000)
    ]
    merged = tr.merge(tables).read_all()
    time, vm = merged["time"].to_numpy(), merged["vm"].to_numpy()
    expected = np.concatenate([t["time"] for t in tables])
    source = np.repeat(np.arange(3), [len(t["time"]) for t in tables])
    order = np.lexsort((source, expected))
    assert (time == expected[order]).all()
    assert (vm == source[order]).all()


ONE = {"time": [1], "page": [1]}
SAMPLE = {"sample": {"by": "pages", "rate": 0.5, "salt": 3}}
UNLIKE = {
    "page_size": (said(ONE, page_size=4096), said(ONE, page_size=512), "page_size: found 512; expected 4096"),
    "time_unit": (
        said(ONE, time_unit="ns"),
        said(ONE),
        "<table>: time_unit: found 'accesses'; expected 'ns' as in <table>; record or import them with one "
        "clock, or drop every time column to merge by row number",
    ),
    "page_space": (
        said(ONE),
        said(ONE, page_space="guest-physical"),
        "page_space: found 'guest-physical'; expected 'guest-virtual'",
    ),
    "sample": (
        said(ONE),
        said(ONE, provenance=SAMPLE),
        "found a sample of 0.5 of the pages, salt 3; expected all rows as in <table>; sample what was merged",
    ),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_what_differs_is_refused(what):
    """What was found, what was expected, what to do."""
    first, second, message = UNLIKE[what]
    with pytest.raises(TraceError) as caught:
        tr.merge([first, second])
    assert message in str(caught.value)


def test_equal_samples_stay_a_sample():
    """Traces sampled alike merge into a trace sampled so."""
    merged = tr.merge([said(ONE, provenance=SAMPLE)] * 2)
    assert open_trace(merged).metadata.provenance == SAMPLE


@pytest.mark.parametrize(
    ("sources", "starts", "message"),
    [
        ([], [], "merge: found no trace; expected at least one"),
        ([ONE, ONE], [1], "merge: found 1 starts; expected one for each of 2 traces"),
        ([ONE], ["1s"], 'merge: starts: found "1s"; expected an integer number of accesses'),
    ],
)
def test_words_that_do_not_fit(sources, starts, message):
    """UsageError before anything is read."""
    with pytest.raises(UsageError) as caught:
        tr.merge(sources, starts=starts)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("bad", "starts", "message"),
    [
        ({"time": [1, 0], "page": [1, 1]}, [], "row 1: column time: found 0"),
        (
            {"time": np.array([2**64 - 1], np.uint64), "page": [1]},
            [0, 1],
            r"start 1 moves the time past 2\^64",
        ),
    ],
)
def test_a_bad_row_of_a_source(tmp_path, bad, starts, message):
    """The error comes through the stream as itself, and no file is left."""
    with pytest.raises(TraceError, match=message):
        write_trace(tmp_path / "t.parquet", tr.merge([ONE, bad], starts=starts))
    assert list(tmp_path.iterdir()) == []


def test_too_many_vms():
    """VM numbers have 16 bits."""
    many = said({"page": [1]}, vms=tuple(VMInfo(f"v{i}") for i in range(40_000)))
    with pytest.raises(TraceError, match="found 80000 VMs; expected at most 65536"):
        tr.merge([many, many])
