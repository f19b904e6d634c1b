"""Where rows come from: Parquet files behind any of Arrow's file systems, or a table in memory.

Reading settings, all measured with pyarrow 26 on two cores (20 M rows, page only | 19 M rows, five columns):
``pre_buffer=False`` and a buffer of 1 MiB a column keep memory bounded (the default holds whole column
chunks); buffers from 64 KiB to 4 MiB decode equally fast, and the larger ones save requests on object stores.
Batches of 2**14 to 2**19 rows decode within 12 % of each other; 2**17 is the writer's data page size, and
its arrays fit a second-level cache. ``use_threads`` would decode five columns 1.4 times as fast with both
cores, but decoding already runs beside the kernel, which needs the other one: off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from tracereplay.errors import TraceError
from tracereplay.trace.batch import check_schema
from tracereplay.trace.schema import COLUMNS, METADATA_KEY

BATCH_ROWS = 1 << 17
BUFFER_BYTES = 1 << 20
SUFFIXES = (".parquet", ".pq")


class Part(NamedTuple):
    """One file (``file`` is its footer) or the one table of a trace (``file`` None)."""

    path: str
    rows: int
    metadata_json: bytes | None
    file: pq.FileMetaData | None = None


class Source(Protocol):
    """What a Trace needs to know of its rows."""

    @property
    def name(self) -> str: ...
    @property
    def parts(self) -> tuple[Part, ...]: ...
    @property
    def columns(self) -> frozenset[str]: ...
    def pieces(self, columns: list[str], batch_rows: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """All rows in order as record batches of at most ``batch_rows`` rows, each with its file."""

    def end(self, column: str, *, last: bool) -> tuple[str, pa.RecordBatch]:
        """The first or last row of one column, without reading the rest."""

    def statistics(self, column: str) -> list[tuple[int, Any]] | None:
        """(rows, Parquet statistics) of every row group; None when one has none."""


@dataclass(frozen=True)
class TableSource:
    """An Arrow table in memory."""

    name: str
    table: pa.Table
    parts: tuple[Part, ...]
    columns: frozenset[str]

    def pieces(self, columns: list[str], batch_rows: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Slices of the table: views, save where one spans several chunks."""
        for start in range(0, self.table.num_rows, batch_rows):
            yield self.name, _one_batch(self.table.select(columns).slice(start, batch_rows))

    def end(self, column: str, *, last: bool) -> tuple[str, pa.RecordBatch]:
        """The first or last row of one column."""
        at = self.table.num_rows - 1 if last else 0
        return self.name, _one_batch(self.table.select([column]).slice(at, 1))

    def statistics(self, column: str) -> None:
        """A table has none."""
        return None


@dataclass(frozen=True)
class ParquetSource:
    """One Parquet file, or the part files of a directory in name order; parts without rows are left out."""

    name: str
    filesystem: pafs.FileSystem
    parts: tuple[Part, ...]
    columns: frozenset[str]

    def pieces(self, columns: list[str], batch_rows: int) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Record batches of every part; TraceError when the bytes are not what was written."""
        row = 0
        for part in self.parts:
            end = row + part.rows
            with _open(self.filesystem, part.path, part.file) as file:
                batches = file.iter_batches(batch_rows, columns=columns, use_threads=False)
                while (batch := _next(batches, part.path, row)) is not None:
                    row += batch.num_rows
                    if batch.num_rows:
                        yield part.path, batch
            if row != end:
                raise _damaged(part.path, row, f"it ends {end - row} rows early")

    def end(self, column: str, *, last: bool) -> tuple[str, pa.RecordBatch]:
        """Decodes one column of one row group, in bounded memory."""
        part = self.parts[-1 if last else 0]
        assert part.file is not None
        groups = [g for g in range(part.file.num_row_groups) if part.file.row_group(g).num_rows]
        found = None
        with _open(self.filesystem, part.path, part.file) as file:
            batches = file.iter_batches(
                row_groups=[groups[-1 if last else 0]], columns=[column], use_threads=False
            )
            while (batch := _next(batches, part.path, 0)) is not None:
                found = batch if batch.num_rows else found
                if found is not None and not last:
                    break
        if found is None:
            raise _damaged(part.path, 0, "a row group has no rows")
        return part.path, found.slice(found.num_rows - 1 if last else 0, 1)

    def statistics(self, column: str) -> list[tuple[int, Any]] | None:
        """From the footers only."""
        found = []
        for part in self.parts:
            assert part.file is not None
            at = part.file.schema.to_arrow_schema().get_field_index(column)
            for g in range(part.file.num_row_groups):
                group = part.file.row_group(g)
                chunk = next(
                    (c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == column),
                    None,
                )
                if at < 0 or chunk is None or chunk.statistics is None:
                    return None
                found.append((group.num_rows, chunk.statistics))
        return found


def as_table(source: object) -> pa.Table | None:
    """An Arrow table of anything table-like (Arrow, pandas, polars, DuckDB, a dict); None if it is not."""
    if isinstance(source, pa.RecordBatchReader):
        return source.read_all()  # what fails inside it fails as it is
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        source = source[[c for c in source.columns if c in COLUMNS]]  # type: ignore[index]
    if not (isinstance(source, pa.Table | dict) or hasattr(source, "__arrow_c_stream__")):
        return None
    try:
        return pa.table(source)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as problem:
        raise TraceError(
            f"cannot be made an Arrow table ({problem}); give columns of integers", "<table>"
        ) from None


def open_table(table: pa.Table, name: str = "<table>") -> TableSource:
    """A source over a table; TraceError when it has no rows or not the columns of a trace."""
    columns = check_schema(table.schema, name)
    if not table.num_rows:
        raise _no_rows(name)
    text = (table.schema.metadata or {}).get(METADATA_KEY)
    return TableSource(name, table, (Part(name, table.num_rows, text),), columns)


def open_parquet(path: str | os.PathLike[str]) -> ParquetSource:
    """A source over a file, a directory of part files or a URI; reads footers only."""
    name = os.fspath(path)
    filesystem, inner = _locate(name)
    parts, columns = [], None
    for file in _files(filesystem, inner, name):
        footer, found = _footer(filesystem, file)
        columns = found if columns is None else columns
        if found != columns:
            raise TraceError(
                f"found the columns {_listed(found)}; expected {_listed(columns)} as in the part files "
                "before it; write all parts with the same columns",
                file,
            )
        parts.append(Part(file, footer.num_rows, (footer.metadata or {}).get(METADATA_KEY), footer))
    kept = tuple(part for part in parts if part.rows)
    if not kept or columns is None:
        raise _no_rows(name)
    return ParquetSource(name, filesystem, kept, columns)


def _footer(filesystem: pafs.FileSystem, path: str) -> tuple[pq.FileMetaData, frozenset[str]]:
    """A file's footer and which of the five columns it has."""
    with _open(filesystem, path) as file:
        try:
            schema = file.schema_arrow
        except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
            raise _not_parquet(filesystem, path, problem) from None
        return file.metadata, check_schema(schema, path)


def _locate(name: str) -> tuple[pafs.FileSystem, str]:
    if "://" not in name:
        return pafs.LocalFileSystem(), name
    try:
        return pafs.FileSystem.from_uri(name)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise TraceError(
            f"cannot be reached ({_first_line(problem)}); check the address and the access", name
        ) from None


def _files(filesystem: pafs.FileSystem, inner: str, name: str) -> list[str]:
    """The one file, or a directory's Parquet files in name order."""
    try:
        info = filesystem.get_file_info(inner)
        if info.type == pafs.FileType.NotFound:
            raise TraceError("no such file; check the path", name)
        if info.type != pafs.FileType.Directory:
            return [inner]
        entries = filesystem.get_file_info(pafs.FileSelector(inner))
    except (pa.ArrowException, OSError) as problem:
        raise TraceError(
            f"cannot be read ({_first_line(problem)}); check the path and the access", name
        ) from None
    hidden = (".", "_")
    found = [e.path for e in entries if e.base_name.endswith(SUFFIXES) and not e.base_name.startswith(hidden)]
    if not found:
        raise TraceError(
            f"a directory without {' or '.join(SUFFIXES)} files; expected a file or part files", name
        )
    return sorted(found)


@contextmanager
def _open(
    filesystem: pafs.FileSystem, path: str, footer: pq.FileMetaData | None = None
) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(
            path,
            filesystem=filesystem,
            metadata=footer,
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError, MemoryError) as problem:
        raise _not_parquet(filesystem, path, problem) from None
    with file:
        yield file


def _next(batches: Iterator[pa.RecordBatch], path: str, row: int) -> pa.RecordBatch | None:
    """The next record batch, or None; anything that decoding raises means damaged bytes."""
    try:
        return next(batches, None)
    except (pa.ArrowException, OSError, MemoryError) as problem:
        why = "a checksum does not match" if "CRC" in str(problem) else _first_line(problem)
        raise _damaged(path, row, why) from None


def _not_parquet(filesystem: pafs.FileSystem, path: str, problem: BaseException) -> TraceError:
    """Tells an unreadable, an empty, a foreign and a cut file from each other by its first bytes."""
    try:
        with filesystem.open_input_file(path) as stream:
            head = stream.read(4)
    except (pa.ArrowException, OSError) as unreadable:
        return TraceError(f"cannot be read ({_first_line(unreadable)}); check the path and the access", path)
    if not head:
        return TraceError("an empty file; expected Parquet; make or copy it again", path)
    if head != b"PAR1":
        return TraceError(
            "not a Parquet file (it does not begin with PAR1); expected a trace as Parquet; "
            "convert it: tracereplay import, or pandas (a column named page will do)",
            path,
        )
    return TraceError(
        f"a truncated or damaged Parquet file: its end cannot be read ({_first_line(problem)}); "
        "copy or make it again",
        path,
    )


def _damaged(path: str, row: int, why: str) -> TraceError:
    return TraceError(f"damaged at or after this row: {why}; copy or make the file again", path, row)


def _no_rows(name: str) -> TraceError:
    return TraceError("found no rows; expected at least one access; make the trace again", name)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200].rstrip(".")


def _listed(columns: frozenset[str]) -> str:
    return ", ".join(c for c in COLUMNS if c in columns)
