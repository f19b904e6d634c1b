"""Writing traces: what comes back, what the metadata count, and that nothing half-written stays."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trace_rows import EXPECTED, FULL, rows

from tracereplay.errors import OutputError, TraceError
from tracereplay.trace import Metadata, VMInfo, open_trace, write_trace
from tracereplay.trace.writer import ROW_GROUP_ROWS


def test_rows_and_metadata_come_back(tmp_path):
    """A round trip changes nothing and counts rows, times and pages."""
    said = write_trace(
        tmp_path / "t.parquet",
        FULL,
        page_size=8192,
        time_unit="instructions",
        page_space="guest-physical",
        vms=["a", {"name": "b", "family": "linux"}],
        source={"tool": "test", "n": np.int64(3)},
        reduction={"method": "sad", "exact_above": 2},
        provenance={"seed": 1},
    )
    trace = open_trace(tmp_path / "t.parquet")
    assert rows(trace) == EXPECTED
    assert (
        trace.metadata
        == said
        == Metadata(
            page_size=8192,
            time_unit="instructions",
            page_space="guest-physical",
            vms=(VMInfo("a", None, 1), VMInfo("b", "linux", 3)),
            rows=5,
            time_range=(3, 12),
            source={"tool": "test", "n": 3},
            reduction={"method": "sad", "exact_above": 2},
            provenance={"seed": 1},
        )
    )


def test_only_the_columns_that_exist_are_written(tmp_path):
    """A page-only trace stays page-only; foreign columns are left out."""
    said = write_trace(tmp_path / "t.parquet", {"page": [1, 2, 1], "note": ["x", "y", "z"]})
    assert pq.read_schema(tmp_path / "t.parquet").names == ["page"]
    assert said == Metadata(rows=3, time_range=(0, 2), vms=(VMInfo("vm0", None, 2),))


@pytest.mark.parametrize("kind", ["frame", "tables", "batches", "frames", "reader", "trace", "path"])
def test_sources_of_every_kind_make_the_same_bytes(tmp_path, kind):
    """One table, its pieces, a stream or another trace: the file depends on the rows alone."""
    write_trace(tmp_path / "a.parquet", FULL)
    pieces = [FULL.slice(0, 1), FULL.slice(1, 0), FULL.slice(1)]
    frame = pd.DataFrame(
        {name: FULL[name].to_pandas(integer_object_nulls=True) for name in FULL.column_names}
    )
    frame["content"] = frame["content"].astype("UInt64")
    source = {
        "frame": lambda: frame,
        "tables": lambda: iter(pieces),
        "batches": lambda: (b for p in pieces for b in p.to_batches()),
        "frames": lambda: [frame.iloc[:2], frame.iloc[2:]],
        "reader": lambda: pa.RecordBatchReader.from_batches(FULL.schema, FULL.to_batches(max_chunksize=2)),
        "trace": lambda: open_trace(tmp_path / "a.parquet"),
        "path": lambda: str(tmp_path / "a.parquet"),
    }[kind]()
    write_trace(tmp_path / "b.parquet", source)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_rewriting_keeps_metadata_that_nobody_overrides(tmp_path):
    """A trace written again stays what it was; counted facts are counted anew."""
    write_trace(tmp_path / "a.parquet", FULL, time_unit="ns", vms=["x", "y"], source={"tool": "t"})
    said = write_trace(tmp_path / "a.parquet", open_trace(tmp_path / "a.parquet"), force=True, vms=["x", "z"])
    assert (said.time_unit, said.source, [v.name for v in said.vms]) == ("ns", {"tool": "t"}, ["x", "z"])
    said = write_trace(tmp_path / "b.parquet", pq.read_table(tmp_path / "a.parquet").slice(0, 2))
    assert (said.rows, said.time_range, [v.pages for v in said.vms]) == (2, (3, 3), [1, 1])


def test_row_groups_are_full_whatever_the_batches(tmp_path):
    """Several row groups, cut at 2**20 rows, equal bytes from one table and from uneven pieces."""
    n = ROW_GROUP_ROWS + 1000
    table = pa.table({"time": np.arange(n) // 3, "page": np.arange(n) % 1000, "op": np.zeros(n, np.uint8)})
    write_trace(tmp_path / "a.parquet", table)
    write_trace(tmp_path / "b.parquet", (table.slice(i, 300_001) for i in range(0, n, 300_001)))
    file = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert [file.row_group(i).num_rows for i in range(file.num_row_groups)] == [ROW_GROUP_ROWS, 1000]
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert open_trace(tmp_path / "a.parquet").metadata.vms[0].pages == 1000


@pytest.mark.parametrize(("pages", "encoding"), [(100, "RLE_DICTIONARY"), (5_000, "DELTA_BINARY_PACKED")])
def test_encodings_follow_the_footprint(tmp_path, pages, encoding):
    """Few distinct pages get a dictionary, many DELTA; time is DELTA, content always a dictionary."""
    page = np.arange(10_000) % pages
    write_trace(
        tmp_path / "t.parquet", {"time": np.arange(10_000), "page": page, "content": np.arange(10_000)}
    )
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
    columns = {c.path_in_schema: c for c in map(group.column, range(group.num_columns))}
    assert encoding in columns["page"].encodings
    assert "DELTA_BINARY_PACKED" in columns["time"].encodings
    assert "RLE_DICTIONARY" in columns["content"].encodings
    assert {c.compression for c in columns.values()} == {"ZSTD"}


def test_many_vms_are_named_and_counted(tmp_path):
    """Without names VMs are vm0 …; equal pages of two VMs are two pages; a VM without rows has none."""
    said = write_trace(tmp_path / "t.parquet", iter([{"vm": [0, 3, 3, 0], "page": [9, 9, 9, 1]}]))
    assert said.vms == tuple(VMInfo(f"vm{i}", None, n) for i, n in enumerate([2, 0, 0, 1]))


def _explodes():
    yield FULL
    raise RuntimeError("the generator failed")


def _interrupted():
    yield FULL
    raise KeyboardInterrupt


BAD = {
    "generator fails": (lambda: _explodes(), {}, RuntimeError, "the generator failed"),
    "interrupted": (lambda: _interrupted(), {}, KeyboardInterrupt, ""),
    "bad row": (
        lambda: {"page": [1, -2]},
        {},
        TraceError,
        "<table>: row 1: column page: found -2; expected 0 or more",
    ),
    "bad row of a later batch": (
        lambda: iter([{"time": [5, 6], "page": [1, 1]}, {"time": [5], "page": [1]}]),
        {},
        TraceError,
        "<batch>: row 2: column time: found 5; expected 6 or more, the time of the row before",
    ),
    "other columns later": (
        lambda: iter([{"page": [1, 2]}, {"page": [1], "op": [1]}]),
        {},
        TraceError,
        "<batch>: row 2: found the columns page, op; expected page as in the batches before",
    ),
    "too few VMs": (
        lambda: FULL,
        {"vms": ["one"]},
        TraceError,
        "<table>: row 1: column vm: found 1; expected less than 1, the number of VMs",
    ),
    "no rows": (lambda: {"page": pa.array([], pa.uint64())}, {}, TraceError, "found no rows"),
    "no batches": (lambda: iter([]), {}, TraceError, "found no rows"),
    "not a table": (lambda: 7, {}, TraceError, "found a int; expected a table, a trace or an iterable"),
    "not tables": (
        lambda: [1, 2],
        {},
        TraceError,
        "<batch 0>: found a int; expected a record batch or a table",
    ),
    "unit without times": (
        lambda: {"page": [1]},
        {"time_unit": "ns"},
        TraceError,
        "time_unit 'ns' needs a time column",
    ),
    "unknown unit": (
        lambda: FULL,
        {"time_unit": "s"},
        TraceError,
        "metadata: time_unit: found 's'; expected one of ns, instructions, accesses",
    ),
    "page size": (
        lambda: FULL,
        {"page_size": 0},
        TraceError,
        "metadata: page_size: found 0; expected a whole number",
    ),
    "bad VM": (
        lambda: FULL,
        {"vms": [3]},
        TraceError,
        "metadata: vms[0]: found 3; expected a name or an object",
    ),
    "source not JSON": (lambda: FULL, {"source": {"x": object}}, TraceError, "metadata do not fit into JSON"),
    "unknown metadata": (
        lambda: FULL,
        {"pagesize": 1},
        TypeError,
        "no metadata 'pagesize'; did you mean page_size?",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_failure_leaves_nothing(tmp_path, case):
    """Whatever goes wrong is said, no file appears, and an old one stays as it was."""
    make, metadata, kind, message = BAD[case]
    for force in (False, True):
        with pytest.raises(kind) as caught:
            write_trace(tmp_path / "t.parquet", make(), force=force, **metadata)
        assert message in str(caught.value)
        assert list(tmp_path.iterdir()) == ([tmp_path / "t.parquet"] if force else [])
        (tmp_path / "t.parquet").write_text("old")
    assert (tmp_path / "t.parquet").read_text() == "old"


def test_nothing_is_overwritten_without_force(tmp_path):
    """An existing file is refused before a row is read, and replaced only when forced."""
    path = tmp_path / "t.parquet"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"t\.parquet: exists already; give another name, or force"):
        write_trace(path, FULL)
    assert path.read_text() == "old"
    write_trace(path, FULL, force=True)
    assert open_trace(path).n_rows == 5


def test_impossible_targets_are_refused(tmp_path):
    """A directory, a missing directory and a remote address each get their own sentence."""
    for target, message in (
        (tmp_path, "found a directory; expected the name of a file"),
        (tmp_path / "no" / "t.parquet", "no directory"),
        ("s3://bucket/t.parquet", "expected a local path"),
    ):
        with pytest.raises(OutputError, match=message):
            write_trace(target, FULL)


def test_the_same_rows_are_the_same_bytes(tmp_path):
    """Two writes agree to the byte; the temporary name leaves no trace."""
    digests = set()
    for name in ("a", "b"):
        write_trace(tmp_path / name, FULL, source={"z": 1, "a": 2})
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
