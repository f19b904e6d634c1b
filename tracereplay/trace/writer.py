"""Writing traces: the same rows always become the same bytes, and a crash leaves nothing behind.

How files are laid out, and why (pyarrow 26, one thread of a shared machine, one column of 10 M rows at a
time, best of seven, checksums on; M rows/s decoded @ bytes a row):

- ``page``: dictionary while the first row group has few distinct pages, as real programs do (compiler:
  dictionary 378 @ 1.3, DELTA 254 @ 2.8, BYTE_STREAM_SPLIT (BSS) 348 @ 1.3). With more, DELTA decodes
  fastest (Zipf over a million pages: DELTA 503 @ 2.7, dictionary 200 @ 2.7, BSS 343 @ 2.4; a loop over
  100,000: 1461 @ 0.0, 304 @ 1.7, 917 @ 0.0). Pages scattered over 36 bits pay for it in size (383 @ 4.7,
  230 @ 3.2, 217 @ 4.3).
- ``time``: DELTA is smallest (376 @ 1.2; BSS 488 @ 1.6, dictionary 184 @ 2.8).
- ``content``: always dictionary, a hash shrinks only by repeating (382 @ 1.6; DELTA 239 @ 6.6). Dictionaries
  may be as large as a row group: past pyarrow's 1 MiB the rest is plain (Zipf pages 140, not 200).
- zstd level 1 in data pages of version 2, which store a page as it is where zstd gains nothing: the same size
  as version 1 and 3 to 8 % faster.
- every column but ``content`` is required, not nullable: a fifth faster, no definition levels to decode.
- up to 2**17 rows a data page; pyarrow's 20,000 makes dictionary columns 3 to 4 % larger and a sixth slower.
- Arrow's own schema is not stored: it would hide the metadata, which is known only at the end.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tracereplay.errors import OutputError, TraceError
from tracereplay.files import appearing, check_target
from tracereplay.trace.batch import Array, Batch, Checker, check_schema
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.schema import COLUMNS, MAX_VMS, METADATA_KEY, Metadata, VMInfo
from tracereplay.trace.source import BATCH_ROWS, as_table

ROW_GROUP_ROWS = 1 << 20
DICTIONARY_ROWS_PER_PAGE = 16
"""``page`` gets a dictionary when at most one in so many rows of the first row group is a distinct page."""
_DICTIONARY_BYTES = 16 * ROW_GROUP_ROWS

_SCHEMA = pa.schema(
    [
        pa.field("time", pa.uint64(), nullable=False),
        pa.field("vm", pa.uint16(), nullable=False),
        pa.field("page", pa.uint64(), nullable=False),
        pa.field("op", pa.uint8(), nullable=False),
        pa.field("content", pa.uint64()),
    ]
)


class MetadataFields(TypedDict, total=False):
    """What a writer may say of a trace; rows, time range and footprints are counted, not said."""

    page_size: int
    time_unit: str
    page_space: str
    vms: Sequence[str | dict[str, Any] | VMInfo]
    source: dict[str, Any] | None
    reduction: dict[str, Any] | None
    provenance: dict[str, Any] | None


class _Rows(NamedTuple):
    """Checked rows on their way to a file."""

    columns: frozenset[str]
    batches: Iterator[Batch]
    said: Callable[[], Metadata]
    """Asked after the last row."""
    vm_limit: int


def write_trace(
    path: str | os.PathLike[str], rows: object, /, *, force: bool = False, **metadata: Unpack[MetadataFields]
) -> Metadata:
    """Write a trace file and return its metadata.

    ``rows`` is anything ``open_trace`` takes, or an iterable of such tables or record batches, which is
    never in memory as a whole. Metadata that they bring is kept where ``metadata`` does not say
    otherwise; VMs without a name are called vm0, vm1, … The file appears only when it is complete.
    TraceError: rows that are not a trace (as on reading), metadata that do not fit.  OutputError: a file that
    exists (unless ``force``) or cannot be written.
    """
    target = check_target(path, force=force)
    _check_names(metadata)
    checked = _rows(rows, dict(metadata), target)
    with appearing(target) as temporary:
        return _write(temporary, target, checked)


def write_recorded(
    path: str | os.PathLike[str],
    tables: Iterable[object],
    said: Callable[[], MetadataFields],
    *,
    force: bool = False,
) -> Metadata:
    """Write what a recorder or importer produces, which can be described only after the last row.

    ``tables`` are record batches or tables; ``said`` is called once after them and returns the metadata.
    Else as ``write_trace``.
    """
    target = check_target(path, force=force)
    first, rest = _peeked(tables, target)
    columns = check_schema(first.schema, "<batch 0>")
    batches = _checked(first, rest, Checker(columns, MAX_VMS if "vm" in columns else 1))

    def describe() -> Metadata:
        fields = dict(said())
        _check_names(fields)
        return _said(Metadata(), fields, columns, target)

    limit = MAX_VMS if "vm" in columns else 1
    with appearing(target) as temporary:
        return _write(temporary, target, _Rows(columns, batches, describe, limit))


def _check_names(metadata: Iterable[str]) -> None:
    known = list(MetadataFields.__annotations__)
    for name in metadata:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise TypeError(f"write_trace: no metadata {name!r}; {hint}choose from {', '.join(known)}")


def _rows(source: object, given: dict[str, Any], target: Path) -> _Rows:
    """Decides what is streamed: a trace or table in batches, or the items of an iterable one by one."""
    table = None if isinstance(source, pa.RecordBatchReader) else as_table(source)
    if table is not None or isinstance(source, Trace | str | os.PathLike):
        trace = open_trace(source if table is None else table)
        said = _said(trace.metadata if trace.has_metadata else Metadata(), given, trace.columns, target)
        limit = len(said.vms) or trace.n_vms
        # The VMs that the caller lists bound those of the rows, not the ones listed before.
        return _Rows(trace.columns, replace(trace, metadata=said).batches(), lambda: said, limit)
    if not isinstance(source, Iterable):
        raise TraceError(
            f"found a {type(source).__name__}; expected a table, a trace or an iterable of record batches",
            target,
        )
    first, rest = _peeked(source, target)
    columns = check_schema(first.schema, "<batch 0>")
    text = (first.schema.metadata or {}).get(METADATA_KEY)
    said = _said(Metadata() if text is None else Metadata.from_json(text, target), given, columns, target)
    limit = len(said.vms) or (MAX_VMS if "vm" in columns else 1)
    return _Rows(columns, _checked(first, rest, Checker(columns, limit)), lambda: said, limit)


def _peeked(source: Iterable[object], target: Path) -> tuple[pa.Table, Iterator[pa.Table]]:
    """The first table that has rows, and those after it."""
    tables = filter(len, (_item(item, i) for i, item in enumerate(source)))
    first = next(tables, None)
    if first is None:
        raise TraceError("found no rows; expected at least one access", target)
    return first, tables


def _item(item: object, index: int) -> pa.Table:
    table = as_table(item)
    if table is None:
        raise TraceError(
            f"found a {type(item).__name__}; expected a record batch or a table", f"<batch {index}>"
        )
    return table


def _checked(first: pa.Table, rest: Iterator[pa.Table], checker: Checker) -> Iterator[Batch]:
    """The tables of an iterable as batches; all must have the first one's columns."""
    table: pa.Table | None = first
    while table is not None:
        if check_schema(table.schema, "<batch>") != checker.columns:
            raise TraceError(
                f"found the columns {', '.join(table.column_names)}; expected "
                f"{', '.join(c for c in COLUMNS if c in checker.columns)} as in the batches before",
                "<batch>",
                checker.row,
            )
        for piece in table.select(sorted(checker.columns)).to_batches(max_chunksize=BATCH_ROWS):
            if piece.num_rows:
                yield checker.check(piece, "<batch>")
        table = next(rest, None)


def _said(inherited: Metadata, given: dict[str, Any], columns: frozenset[str], target: Path) -> Metadata:
    """What the source brought, overlaid with what the caller says; counted facts are cleared."""
    checked = Metadata.from_fields(given, target)
    said = replace(inherited, **{key: getattr(checked, key) for key in given})
    if "time" not in columns and said.time_unit != "accesses":
        if "time_unit" in given:
            raise TraceError(
                f"time_unit {said.time_unit!r} needs a time column; add one or leave the unit out", target
            )
        said = replace(said, time_unit="accesses")
    try:
        said.to_json()
    except (TypeError, ValueError) as problem:
        raise TraceError(
            f"metadata do not fit into JSON ({problem}); use texts, numbers and lists", target
        ) from None
    return replace(said, rows=None, time_range=None)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """What the disk refuses, as an OutputError."""
    try:
        yield
    except (pa.ArrowException, OSError) as problem:
        raise OutputError(f"{target}: cannot be written ({problem}); check space and access") from None


def _write(temporary: Path, target: Path, rows: _Rows) -> Metadata:
    """Stream the rows into a file, counting what the metadata tell; returns those."""
    # Numba is behind it: not before it is needed.
    from tracereplay.trace.ids import Ids

    ids, highest, first_time, last_time = Ids(rows.vm_limit), 0, None, 0
    with _File(temporary, target, rows.columns) as file:
        for batch in rows.batches:
            ids.encode(batch.page, batch.vm)
            highest = max(highest, int(batch.vm.max()))
            first_time = int(batch.time[0]) if first_time is None else first_time
            last_time = int(batch.time[-1])
            file.add(batch)
        if first_time is None:
            raise TraceError("found no rows; expected at least one access", target)
        said = rows.said()
        vms = said.vms or tuple(VMInfo(f"vm{i}") for i in range(highest + 1))
        metadata = replace(
            said,
            rows=file.rows,
            time_range=(first_time, last_time),
            vms=tuple(replace(vm, pages=int(n)) for vm, n in zip(vms, ids.counts, strict=False)),
        )
        file.finish(metadata)
    return metadata


class _File:
    """A Parquet file that is filled row group by row group, whatever the sizes of the batches."""

    def __init__(self, path: Path, target: Path, columns: frozenset[str]) -> None:
        self.path = path
        self.target = target
        self.rows = 0
        self._schema = pa.schema([field for field in _SCHEMA if field.name in columns])
        self._filled = 0
        self._buffers: dict[str, Array] = {
            field.name: np.empty(ROW_GROUP_ROWS, field.type.to_pandas_dtype()) for field in self._schema
        }
        if "content" in columns:
            self._buffers["known"] = np.empty(ROW_GROUP_ROWS, np.bool_)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._writer is not None and self._writer.is_open:
            # Only after a failure, which is what the caller shall hear of.
            with suppress(pa.ArrowException, OSError):
                self._writer.close()

    def add(self, batch: Batch) -> None:
        """Copy rows into the current row group; write it when it is full."""
        done, n = 0, len(batch.page)
        while done < n:
            take = min(n - done, ROW_GROUP_ROWS - self._filled)
            for name, buffer in self._buffers.items():
                buffer[self._filled : self._filled + take] = getattr(batch, name)[done : done + take]
            done += take
            self._filled += take
            if self._filled == ROW_GROUP_ROWS:
                self._flush()
        self.rows += n

    def finish(self, metadata: Metadata) -> None:
        """Write what is left and the metadata."""
        if self._filled:
            self._flush()
        assert self._writer is not None
        self._writer.add_key_value_metadata({METADATA_KEY: metadata.to_json().encode()})
        with _writing(self.target):
            self._writer.close()

    def _flush(self) -> None:
        view = {name: buffer[: self._filled] for name, buffer in self._buffers.items()}
        known = view.pop("known", None)
        arrays = [
            pa.array(a, mask=~known if name == "content" and known is not None else None)
            for name, a in view.items()
        ]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        with _writing(self.target):
            if self._writer is None:
                self._writer = _writer(self.path, self._schema, view["page"])
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self._filled = 0


def _writer(path: Path, schema: pa.Schema, first_pages: Array) -> pq.ParquetWriter:
    """A ParquetWriter with the encodings that the module's docstring argues for."""
    dictionary = [name for name in ("vm", "op", "content") if name in schema.names]
    delta = [name for name in ("time",) if name in schema.names]
    few = len(np.unique(first_pages)) * DICTIONARY_ROWS_PER_PAGE <= len(first_pages)
    (dictionary if few else delta).append("page")
    return pq.ParquetWriter(
        path,
        schema,
        version="2.6",
        data_page_version="2.0",
        compression="zstd",
        compression_level=1,
        use_dictionary=dictionary or False,
        column_encoding=dict.fromkeys(delta, "DELTA_BINARY_PACKED") or None,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        max_rows_per_page=BATCH_ROWS,
        write_page_checksum=True,
        store_schema=False,
    )
