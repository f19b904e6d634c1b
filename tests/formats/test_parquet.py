"""Other tools' Parquet: columns of any name, and what is no such file."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats.importing import imported, refused

from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import write_trace
from tracereplay.trace.convert import import_trace


def parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


EXAMPLE = parquet(page=[7, 8, 7], op=["R", "W", "R"], other=[0.5, 1.5, 2.5])


def test_columns_are_renamed(tmp_path):
    """Integers of any width, texts, categories, nulls where a content may be unknown; others are not kept."""
    content = parquet(
        vpn=pa.array([7, 8, 7], pa.int16()),
        ts=pa.array([1.5, 2.0, 2.25]),
        tenant=pa.array(["b", "a", "b"]).dictionary_encode(),
        rw=[0, 1, 0],
        hash=pa.array([None, 5, 2**64 - 1], pa.uint64()),
    )
    format = "parquet:page=vpn,time=ts,vm=tenant,op=rw,content=hash,time_unit=s"
    metadata, rows = imported(tmp_path, format, content)
    assert rows == {
        "page": [7, 8, 7],
        "time": [0, 500_000_000, 750_000_000],
        "vm": [0, 1, 0],
        "op": [0, 1, 0],
        "content": [None, 5, 2**64 - 1],
    }
    assert [vm.name for vm in metadata.vms] == ["b", "a"]


CLOCKS = {
    "dates and times": pa.array([datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 1, 5)]),
    "of a zone": pa.array([datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, 5, UTC)]),
    "durations": pa.array([timedelta(0), timedelta(seconds=1, microseconds=5)]),
    "in ns": pa.array([7, 1_000_005_007], pa.timestamp("ns")),
}


@pytest.mark.parametrize("time_unit", ["accesses", "s"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_times_with_a_unit_of_their_own(tmp_path, clock, time_unit):
    """Are ns from the first on, as pandas and Arrow write dates, times and durations."""
    content = parquet(page=[1, 2], time=CLOCKS[clock])
    metadata, rows = imported(tmp_path, "parquet", content, time_unit=time_unit)
    assert (metadata.time_unit, rows["time"]) == ("ns", [0, 1_000_005_000])


def test_days(tmp_path):
    """A date alone is its midnight."""
    content = parquet(page=[1, 2], time=pa.array([0, 2], pa.date32()))
    assert imported(tmp_path, "parquet", content)[1]["time"] == [0, 2 * 86_400 * 10**9]


def test_dates_after_numbers(tmp_path):
    """Files of one trace have one clock."""
    files = parquet(page=[1], time=[1]), parquet(page=[1], time=CLOCKS["durations"][:1])
    message = "source1: found times that are dates or durations; expected numbers, as in the file before"
    assert refused(tmp_path, "parquet", *files) == message


def test_bytes_that_cross_pages(tmp_path):
    """An address and a size in bytes, of several files in order."""
    one, two = parquet(a=[4095, 8192], n=[2, 1]), parquet(a=[0], n=[4096])
    assert imported(tmp_path, "parquet:address=a,size=n", one, two)[1] == {"page": [0, 1, 2, 0]}


def test_numbers_are_indices_of_vms_by_their_type(tmp_path):
    """A column of integers called vm, in all batches and files; of another name they are names."""
    one, two = parquet(page=[1, 2], vm=pa.array([2, 0], pa.uint64())), parquet(page=[3], vm=["1"])
    assert imported(tmp_path, "parquet", one, two)[1]["vm"] == [2, 0, 1]
    metadata, _ = imported(tmp_path, "parquet:vm=pid", parquet(page=[1], pid=[-1]))
    assert [vm.name for vm in metadata.vms] == ["-1"]


NUMBER = "expected a whole number from 0 to 2^64 - 1, decimal or 0x…"
BAD = {
    "negative": (parquet(page=[1, -1]), f"source0: row 1: found -1 in column page; {NUMBER}"),
    "null": (parquet(page=[1, None, 2]), f"source0: row 1: found nothing in column page; {NUMBER}"),
    "fraction": (parquet(page=[1.0, 2.5]), f"source0: row 1: found 2.5 in column page; {NUMBER}"),
    "op": (parquet(page=[1, 2], op=[0, 9]), "source0: row 1: found 9 in column op; expected read, write,"),
    "negative VM": (
        parquet(page=[1, 2], vm=[-1, 0]),
        "source0: row 0: found -1 in column vm; expected the index of a VM, below 65536, or in all rows a ",
    ),
    "VM beyond": (
        parquet(page=[1], vm=pa.array([2**63], pa.uint64())),
        f"source0: row 0: found {2**63} in column vm;",
    ),
    "before 1970": (
        parquet(page=[1, 2], time=pa.array([5, -1], pa.timestamp("s"))),
        "source0: row 1: found -1000000000 in column time; expected a time of at least 0 in ns, a",
    ),
    "far from it": (
        parquet(page=[1, 2], time=pa.array([5, 2**40], pa.timestamp("s"))),
        "source0: row 0: found a time at or after this row that is beyond ns of 64 bits (Casting from ",
    ),
    "no time": (
        parquet(page=[1, 2], time=pa.array([5, None], pa.timestamp("s"))),
        "source0: row 1: found nothing in column time; expected a time of at least 0 in ns",
    ),
    "lists": (
        parquet(page=[1, 2], op=[[0], [1]]),
        'source0: found column "op" of list<element: int64>; expected one number or text a row',
    ),
    "structs": (
        parquet(page=[{"a": 1}]),
        'source0: found column "page" of struct<a: int64>; expected one number',
    ),
    "name that is no text": (
        EXAMPLE.replace(b"page", b"p\xffge"),
        "source0: damaged or cut off ('utf-8' codec can't decode",
    ),
    "cut": (EXAMPLE[:-40], "source0: damaged or cut off ("),
    "text": (b"page\n1\n", "source0: damaged or cut off ("),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named(tmp_path, case):
    """File, row, column, found and expected; no file is left."""
    content, message = BAD[case]
    assert refused(tmp_path, "parquet", content).startswith(message)


def test_a_column_that_is_not_there(tmp_path):
    """Those that are, and how to say which it is."""
    expected = (
        r'column page: found "page"; expected one of "lbn", "pages"; did you mean "pages"\?; say which: page='
    )
    with pytest.raises(UsageError, match=expected):
        imported(tmp_path, "parquet", parquet(lbn=[1], pages=[2]))


def test_a_trace_is_no_foreign_file(tmp_path):
    """It would lose what it says of itself, and needs no import."""
    write_trace(tmp_path / "t.parquet", {"page": [1]})
    with pytest.raises(
        TraceError, match=r"t.parquet: found a trace; expected another tool's file; a trace can"
    ):
        import_trace("auto", tmp_path / "t.parquet", tmp_path / "u.parquet")
