"""Opening and streaming traces: every kind of source gives the same rows."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trace_rows import EXPECTED, FULL, OP, PAGE, rows

from tracereplay.trace import Metadata, VMInfo, open_trace, write_trace


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("kind", ["file", "table", "chunked", "parts", "uri", "trace"])
def test_every_source_and_batch_size_gives_the_same_rows(tmp_path, kind, batch_rows):
    """Files, part files, URIs and tables, cut anywhere, are one and the same trace."""
    source = {
        "file": lambda: _written(tmp_path / "t.parquet", FULL),
        "table": lambda: FULL,
        "chunked": lambda: pa.concat_tables([FULL.slice(0, 2), FULL.slice(2)]),
        "parts": lambda: _parts(tmp_path / "d", [FULL.slice(0, 2), FULL.slice(0, 0), FULL.slice(2)]),
        "uri": lambda: _written(tmp_path / "t.parquet", FULL).as_uri(),
        "trace": lambda: open_trace(FULL),
    }[kind]()
    trace = open_trace(source)
    assert rows(trace, batch_rows=batch_rows) == EXPECTED
    assert (trace.n_rows, trace.n_vms, trace.has_content) == (5, 2, True)
    assert trace.footprints() == (1, 3)
    assert trace.time_range() == (3, 12)
    assert not trace.has_metadata


def _written(path: Path, table: pa.Table, **options) -> Path:
    pq.write_table(table, path, **options)
    return path


def _parts(folder: Path, tables: list[pa.Table]) -> Path:
    folder.mkdir()
    for i, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{i}.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / "README.md").write_text("not a part")
    (folder / ".part-0.parquet.crc").write_text("hidden")
    return folder


def test_batches_are_read_only_contiguous_arrays_of_fixed_types():
    """Compiled code meets one kind of array, whatever the columns."""
    for table in (FULL, FULL.select(["page"])):
        for batch in open_trace(table).batches(batch_rows=2):
            kinds = [a.dtype.name for a in batch[1:]]
            assert kinds == ["uint64", "uint16", "uint64", "uint8", "uint64", "bool"]
            assert all(a.flags.c_contiguous and not a.flags.writeable for a in batch[1:])


def test_absent_columns_have_their_documented_values():
    """A page-only trace: time is the row number, everything else zero and unknown."""
    trace = open_trace(FULL.select(["page"]))
    assert rows(trace, batch_rows=2) == {
        "time": [0, 1, 2, 3, 4],
        "vm": [0] * 5,
        "page": PAGE,
        "op": [0] * 5,
        "content": [0] * 5,
        "known": [False] * 5,
    }
    assert (trace.n_vms, trace.has_content, trace.time_range()) == (1, False, (0, 4))
    assert trace.columns == {"page"}
    assert trace.footprints() == (3,)
    assert trace.metadata == Metadata(rows=5)


def test_columns_that_are_not_asked_for_are_as_if_absent():
    """batches(columns=…) decodes only those; even none still counts the rows."""
    trace = open_trace(FULL)
    found = rows(trace, columns=("page", "op"))
    assert (found["page"], found["op"], found["time"], found["vm"]) == (PAGE, OP, [0, 1, 2, 3, 4], [0] * 5)
    assert rows(trace, columns=())["page"] == [0] * 5


def test_wrong_arguments_of_batches_are_refused_at_once():
    """A misspelt column is an error before the first row, not an absent column."""
    with pytest.raises(ValueError, match="no column 'pages'; choose from time, vm, page, op, content"):
        open_trace(FULL).batches(columns=("pages",))
    with pytest.raises(ValueError, match="batch_rows: found 0; expected 1 or more"):
        open_trace(FULL).batches(batch_rows=0)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "uint32", "int64", "dictionary"])
def test_every_integer_type_is_accepted(kind):
    """What other tools write as int64 (or as categories) is the same trace."""
    values = [0, 3, 1, 100, 2]
    plain = pa.table(
        {
            "time": [0, 1, 2, 2, 3],
            "vm": [0, 1, 2, 2, 1],
            "page": values,
            "op": [0, 3, 1, 2, 2],
            "content": values,
        }
    )
    if kind == "dictionary":
        columns = [column.dictionary_encode() for column in plain.columns]
    else:
        columns = [column.cast(kind) for column in plain.columns]
    table = pa.table(columns, names=plain.column_names)
    assert rows(open_trace(table)) == rows(open_trace(plain))
    assert rows(open_trace(plain))["page"] == values


def test_content_that_is_always_null_counts_as_no_content(tmp_path):
    """An all-null column, typed or not, knows nothing; one known row is enough."""
    for kind in (pa.null(), pa.uint64()):
        table = pa.table({"page": [1, 2], "content": pa.array([None, None], kind)})
        for source in (table, _written(tmp_path / "t.parquet", table)):
            assert not open_trace(source).has_content
            assert rows(open_trace(source))["known"] == [False, False]
    table = pa.table({"page": [1, 2], "content": pa.array([None, 0], pa.uint64())})
    assert open_trace(_written(tmp_path / "t.parquet", table, write_statistics=False)).has_content


def test_vm_count_without_metadata_comes_from_statistics_or_the_rows(tmp_path):
    """Both ways to the number of VMs agree."""
    for statistics in (True, False):
        path = _written(tmp_path / "t.parquet", FULL, write_statistics=statistics, row_group_size=2)
        assert open_trace(path).n_vms == 2


def test_time_range_reads_the_ends_only(tmp_path):
    """Without metadata the first and last time are found across row groups and parts."""
    folder = tmp_path / "d"
    folder.mkdir()
    for i in range(3):
        table = pa.table({"time": range(i * 100 + 5, i * 100 + 25), "page": range(20)})
        pq.write_table(table, folder / f"{i}.parquet", row_group_size=7)
    assert open_trace(folder).time_range() == (5, 224)


def test_metadata_of_a_file_are_read(tmp_path):
    """What the writer says is what the reader knows, without touching the rows."""
    vms = [VMInfo("web", "linux"), {"name": "db", "family": None}]
    write_trace(
        tmp_path / "t.parquet", FULL, time_unit="ns", vms=vms, reduction={"method": "sad", "exact_above": 64}
    )
    trace = open_trace(tmp_path / "t.parquet")
    assert trace.has_metadata
    assert trace.metadata.vms == (VMInfo("web", "linux", 1), VMInfo("db", None, 3))
    assert (trace.metadata.time_unit, trace.metadata.rows, trace.metadata.exact_above) == ("ns", 5, 64)
    assert (trace.footprints(), trace.time_range(), trace.n_vms) == ((1, 3), (3, 12), 2)


def test_a_table_read_from_a_trace_keeps_its_metadata(tmp_path):
    """The metadata travel through pyarrow, and counted facts are dropped once rows are filtered."""
    write_trace(tmp_path / "t.parquet", FULL, time_unit="ns")
    table = pq.read_table(tmp_path / "t.parquet")
    assert open_trace(table).metadata == open_trace(tmp_path / "t.parquet").metadata
    part = open_trace(table.slice(0, 3))
    assert (part.metadata.time_unit, part.metadata.rows, part.metadata.time_range) == ("ns", 3, None)
    assert (part.footprints(), part.time_range()) == ((1, 2), (3, 7))


def test_part_files_written_one_by_one_are_one_trace(tmp_path):
    """Counts of single parts are not taken for those of the whole."""
    write_trace(tmp_path / "0.parquet", FULL.slice(0, 2), vms=["a", "b"])
    write_trace(tmp_path / "1.parquet", FULL.slice(2), vms=["a", "b"])
    trace = open_trace(tmp_path)
    assert rows(trace) == EXPECTED
    assert (trace.n_rows, trace.footprints(), trace.time_range()) == (5, (1, 3), (3, 12))
    assert trace.metadata.vms == (VMInfo("a"), VMInfo("b"))


def test_time_unit_is_accesses_without_a_time_column():
    """Row numbers are accesses, whatever the metadata say."""
    table = pa.table({"page": [1, 2]}).replace_schema_metadata(
        {"tracereplay": '{"format": 1, "time_unit": "ns"}'}
    )
    assert open_trace(table).metadata.time_unit == "accesses"


def test_a_trace_can_be_sent_to_another_process(tmp_path):
    """Workers of a sweep get the Trace itself."""
    for source in (_written(tmp_path / "t.parquet", FULL), FULL):
        assert rows(pickle.loads(pickle.dumps(open_trace(source)))) == EXPECTED


def test_pandas_frames_and_files(tmp_path):
    """A frame with an index and foreign columns is a trace, in memory and as a file."""
    frame = pd.DataFrame({"page": [4, 5, 4], "note": ["a", None, object]}, index=[7, 8, 9])
    assert rows(open_trace(frame))["page"] == [4, 5, 4]
    frame[["page"]].to_parquet(tmp_path / "t.parquet")
    trace = open_trace(tmp_path / "t.parquet")
    assert (rows(trace)["page"], trace.footprints()) == ([4, 5, 4], (2,))


def test_polars_frames_and_files(tmp_path):
    """The same through polars."""
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"page": [4, 5, 4], "content": [None, 1, 0], "note": ["a", "b", "c"]})
    frame.write_parquet(tmp_path / "t.parquet")
    for source in (frame, tmp_path / "t.parquet"):
        found = rows(open_trace(source))
        assert (found["page"], found["known"]) == ([4, 5, 4], [False, True, True])


def test_duckdb_relations_and_files(tmp_path):
    """The same through DuckDB."""
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql("SELECT range * 7 % 5 AS page FROM range(10)")
    relation.write_parquet(str(tmp_path / "t.parquet"))
    for source in (relation, tmp_path / "t.parquet"):
        assert rows(open_trace(source))["page"] == [i * 7 % 5 for i in range(10)]


def test_other_tools_read_what_is_written(tmp_path):
    """The encodings of written files are understood by polars and DuckDB."""
    pl, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    path = tmp_path / "t.parquet"
    page = np.random.default_rng(1).integers(0, 2**40, 50_000, dtype=np.uint64)
    for pages in (page, page % np.uint64(100)):
        write_trace(path, {"time": np.arange(50_000), "page": pages, "content": pages}, force=True)
        assert pl.read_parquet(path)["page"].to_list() == pages.tolist()
        assert duckdb.read_parquet(str(path)).fetchnumpy()["page"].tolist() == pages.tolist()


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Streaming eight row groups holds a fraction of one in Arrow's memory."""
    n = 1 << 18
    page = np.random.default_rng(2).integers(0, 2**50, n, dtype=np.uint64)
    pq.write_table(pa.table({"page": np.tile(page, 8)}), tmp_path / "t.parquet", row_group_size=n)
    code = (
        "import sys, pyarrow as pa; from tracereplay.trace import open_trace\n"
        "for batch in open_trace(sys.argv[1]).batches(batch_rows=1 << 14): pass\n"
        "print(pa.default_memory_pool().max_memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "t.parquet"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 8 * n * 2.5


def test_importing_is_light():
    """tracereplay.trace alone brings neither Numba nor pandas."""
    code = (
        "import sys, tracereplay.trace; print([m for m in ('numba', 'pandas', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("ops", "kind", "expected"),
    [
        ([0, 1], "file", False),
        ([0, 2], "file", True),
        ([0, 3], "file", True),
        (None, "file", False),
        ([0, 1], "table", True),
        (None, "table", False),
    ],
)
def test_whether_rows_may_free_pages(tmp_path, ops, kind, expected):
    """False only where statistics or a missing column say so; fetches lie above FREE, tables tell nothing."""
    table = pa.table({"page": [1, 2]} | ({} if ops is None else {"op": ops}))
    assert (
        open_trace(_written(tmp_path / "t.parquet", table) if kind == "file" else table).may_free is expected
    )
