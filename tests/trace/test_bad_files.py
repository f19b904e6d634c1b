"""Files that are not a trace: each is refused with the file, the row, what was found and what to do."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trace_rows import FULL, rows

from tracereplay.errors import TraceError
from tracereplay.trace import open_trace, write_trace


def _table(**columns) -> pa.Table:
    return pa.table({"page": [1, 2, 3, 4], **columns})


def _set(name: str, values: list, kind: pa.DataType | None = None) -> pa.Table:
    return FULL.set_column(FULL.column_names.index(name), name, pa.array(values, kind))


def _say(**fields) -> pa.Table:
    """A table whose metadata are one JSON text."""
    text = fields["text"] if "text" in fields else _json(**fields)
    return FULL.replace_schema_metadata({"tracereplay": text})


def _json(**fields) -> str:
    return json.dumps({"format": 1, **fields})


# name: (table, row or None, parts of the message)
BAD_ROWS = {
    "page null": (
        _set("page", [1, 2, None, 3, None]),
        2,
        "column page: found null; expected a number in every row",
    ),
    "page negative": (_set("page", [1, 2, 3, -4, -5]), 3, "column page: found -4; expected 0 or more"),
    "content negative": (
        _set("content", [1, None, -3, 3, 4]),
        2,
        "column content: found -3; expected 0 or more",
    ),
    "vm negative": (_set("vm", [0, 0, 0, 0, -1]), 4, "column vm: found -1; expected 0 or more"),
    "vm too large": (_set("vm", [0, 0, 70_000, 0, 0]), 2, "column vm: found 70000; expected less than 65536"),
    "vm null": (_set("vm", [None, 0, 0, 0, 0]), 0, "column vm: found null; expected a number"),
    "op unknown": (
        _set("op", [0, 1, 2, 3, 4]),
        4,
        "column op: found 4; expected 0 (read), 1 (write), 2 (free) or 3",
    ),
    "op negative": (_set("op", [0, -1, 2, 3, 3]), 1, "column op: found -1; expected 0 or more"),
    "time falls": (
        _set("time", [5, 6, 7, 6, 5]),
        3,
        "column time: found 6; expected 7 or more, the time of the row before; sort the rows by time",
    ),
    "time null": (_set("time", [5, 6, 7, 7, None]), 4, "column time: found null"),
    "vm not listed": (
        _say(vms=[{"name": "only"}]),
        1,
        "column vm: found 1; expected less than 1, the number of VMs; list every VM in the metadata",
    ),
}


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named(tmp_path, case, batch_rows):
    """The message names file, row of the whole trace, column, found and expected, however batches are cut."""
    table, row, message = BAD_ROWS[case]
    path = tmp_path / "bad.parquet"
    pq.write_table(table, path, row_group_size=3)
    for source, name in ((path, str(path)), (table, "<table>")):
        with pytest.raises(TraceError) as caught:
            rows(open_trace(source), batch_rows=batch_rows)
        assert str(caught.value).startswith(f"{name}: row {row}: {message}")
        assert (caught.value.path, caught.value.row, caught.value.exit_code) == (name, row, 3)


BAD_SHAPES = {
    "no page": (
        FULL.drop_columns("page"),
        "column page: not found (columns: time, vm, op, content); expected",
    ),
    "page text": (
        _set("page", list("abcde")),
        "column page: found type string; expected an integer type (uint64)",
    ),
    "page float": (
        _set("page", [1.0] * 5),
        "column page: found type double; expected an integer type (uint64)",
    ),
    "page only nulls": (_set("page", [None] * 5), "column page: found type null; expected an integer type"),
    "op bool": (_set("op", [True] * 5), "column op: found type bool; expected an integer type (uint8)"),
    "content float": (_set("content", [1.0, None, 2, 3, 4]), "column content: found type double"),
    "time stamps": (_set("time", [0] * 5, pa.timestamp("ns")), "column time: found type timestamp[ns]"),
    "page twice": (
        pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["page", "page"]),
        "column page: found 2 columns of that name; expected one",
    ),
    "no rows": (FULL.slice(0, 0), "found no rows; expected at least one access"),
    "no columns": (pa.table({"x": [1]}), "column page: not found (columns: x)"),
    "metadata not JSON": (_say(text="{oops"), "metadata: the text is not JSON"),
    "metadata not UTF-8": (_say(text=b"\xff\xfe{}"), "metadata: the text is not JSON"),
    "metadata not an object": (_say(text="[1]"), "metadata: the whole: found [1]; expected an object"),
    "metadata without format": (_say(text="{}"), "found trace format None; this version reads format 1"),
    "format of the future": (_say(format=2), "found trace format 2; this version reads format 1"),
    "page size": (_say(page_size="4k"), "metadata: page_size: found '4k'; expected a whole number of bytes"),
    "time unit": (
        _say(time_unit="s"),
        "metadata: time_unit: found 's'; expected one of ns, instructions, accesses",
    ),
    "page space": (
        _say(page_space="host"),
        "metadata: page_space: found 'host'; expected one of guest-virtual",
    ),
    "VMs not a list": (_say(vms={"a": 1}), "metadata: vms: found {'a': 1}; expected a list"),
    "VM not an object": (
        _say(vms=[{"name": "a"}, 3]),
        "metadata: vms[1]: found 3; expected a name or an object",
    ),
    "VM without text": (_say(vms=[{"name": 5}]), "metadata: vms[0].name: found 5; expected a text"),
    "VM pages": (
        _say(vms=[{"name": "a", "pages": -1}]),
        "metadata: vms[0].pages: found -1; expected a whole number",
    ),
    "VM family": (
        _say(vms=[{"name": "a", "family": 1}]),
        "metadata: vms[0].family: found 1; expected a text or null",
    ),
    "rows": (_say(rows="5"), "metadata: rows: found '5'; expected a whole number"),
    "time range": (_say(time_range=[5, 3]), "metadata: time_range: found [5, 3]; expected [first, last]"),
    "source": (_say(source="me"), "metadata: source: found 'me'; expected an object"),
    "exact above": (
        _say(reduction={"exact_above": "many"}),
        "metadata: reduction.exact_above: found 'many'; expected a whole number",
    ),
}


@pytest.mark.parametrize("case", BAD_SHAPES)
def test_a_wrong_shape_is_found_on_opening(tmp_path, case):
    """Columns and metadata are judged before a row is read, in files and in tables."""
    table, message = BAD_SHAPES[case]
    path = tmp_path / "bad.parquet"
    pq.write_table(table, path)
    for source, name in ((path, str(path)), (table, "<table>")):
        with pytest.raises(TraceError) as caught:
            open_trace(source)
        assert str(caught.value).startswith(f"{name}: {message}")


def _good(path: Path) -> bytes:
    write_trace(path, {"page": np.arange(40_000) * 7 % 9_001, "time": np.arange(40_000)})
    return path.read_bytes()


def _body(data: bytes) -> int:
    """Where the footer of a Parquet file begins."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


BAD_BYTES = {
    "missing": (None, "no such file; check the path"),
    "empty": (lambda b: b"", "an empty file; expected Parquet"),
    "text": (lambda b: b"page\n1\n2\n", "not a Parquet file (it does not begin with PAR1)"),
    "three bytes": (lambda b: b"PAR", "not a Parquet file"),
    "cut in half": (
        lambda b: b[: len(b) // 2],
        "a truncated or damaged Parquet file: its end cannot be read",
    ),
    "cut by a byte": (lambda b: b[:-1], "a truncated or damaged Parquet file"),
    "head only": (lambda b: b[:4], "a truncated or damaged Parquet file"),
    "footer of zeros": (
        lambda b: b[: _body(b)] + bytes(len(b) - _body(b) - 8) + b[-8:],
        "a truncated or damaged Parquet file",
    ),
}


@pytest.mark.parametrize("case", BAD_BYTES)
def test_what_is_not_parquet_is_told_apart(tmp_path, case):
    """Missing, empty, foreign and cut files each get a sentence that says so."""
    damage, message = BAD_BYTES[case]
    path = tmp_path / "bad.parquet"
    data = _good(path)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(data))
    with pytest.raises(TraceError) as caught:
        open_trace(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    """Damage inside a data page is refused with the row where reading stopped."""
    path = tmp_path / "bad.parquet"
    data = bytearray(_good(path))
    data[len(data) // 3] ^= 4
    path.write_bytes(data)
    with pytest.raises(
        TraceError, match=r"bad\.parquet: row 0: damaged at or after this row: .*; copy or make"
    ):
        rows(open_trace(path))


def test_no_flipped_bit_gives_other_pages_or_a_foreign_error(tmp_path):
    """Any one damaged byte before the footer is refused or harmless; in the footer it never crashes."""
    path = tmp_path / "bad.parquet"
    good = _good(path)
    expected = rows(open_trace(path))
    body = _body(good)
    dice = random.Random(1)
    places = [dice.randrange(4, body) for _ in range(60)] + [
        dice.randrange(body, len(good)) for _ in range(200)
    ]
    refused = 0
    for at in places:
        data = bytearray(good)
        data[at] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            trace = open_trace(path)
            found = rows(trace)
            trace.footprints(), trace.time_range(), trace.has_content
        except TraceError:
            refused += 1
            continue
        assert at >= body or found == expected
    assert refused > 60


def test_bad_parts_are_named(tmp_path):
    """In a directory the message names the part file, and rows count over all parts."""
    write_trace(tmp_path / "0.parquet", {"time": [1, 5], "page": [1, 2]})
    write_trace(tmp_path / "1.parquet", {"time": [4, 6], "page": [1, 2]})
    with pytest.raises(TraceError, match=r"1\.parquet: row 2: column time: found 4; expected 5 or more"):
        rows(open_trace(tmp_path))
    write_trace(tmp_path / "1.parquet", {"page": [1, 2]}, force=True)
    with pytest.raises(TraceError, match=r"1\.parquet: found the columns page; expected time, page as in"):
        open_trace(tmp_path)
    write_trace(tmp_path / "1.parquet", {"time": [5, 6], "page": [1, 2]}, page_size=64, force=True)
    with pytest.raises(TraceError, match=r"1\.parquet: metadata: page_size: found 64; expected 4096 as in"):
        open_trace(tmp_path)
    (tmp_path / "1.parquet").write_text("text")
    with pytest.raises(TraceError, match=r"1\.parquet: not a Parquet file"):
        open_trace(tmp_path)


def test_places_without_a_trace_are_told_apart(tmp_path):
    """An empty directory, an unknown scheme and a foreign object are not taken for a trace."""
    (tmp_path / "notes.txt").write_text("x")
    for source, message in (
        (tmp_path, f"{tmp_path}: a directory without .parquet or .pq files"),
        ("nope://x/y.parquet", "nope://x/y.parquet: cannot be reached (Unrecognized filesystem type"),
        (17, "<trace>: found a int; expected a path, a table (Arrow, pandas, polars, DuckDB) or a Trace"),
        (pd.DataFrame({"x": [1]}), "<table>: column page: not found (columns: none)"),
        ({"page": [1, 2], "op": [1]}, "<table>: cannot be made an Arrow table"),
    ):
        with pytest.raises(TraceError) as caught:
            open_trace(source)
        assert str(caught.value).startswith(message)


def test_wrong_statistics_do_not_size_anything(tmp_path):
    """A VM number beyond every limit is refused on reading, not allocated for."""
    path = tmp_path / "t.parquet"
    pq.write_table(_table(vm=[0, 10**15, 1, 2]), path)
    trace = open_trace(path)
    assert trace.n_vms == 65536
    with pytest.raises(
        TraceError, match="row 1: column vm: found 1000000000000000; expected less than 65536"
    ):
        trace.footprints()
