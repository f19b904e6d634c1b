"""Parquet files of any tool: columns of any name as those of a trace.

``parquet:page=lbn`` says that the pages are in the column ``lbn``; ``address`` (bytes, in place of
``page``), ``size``, ``time``, ``op``, ``vm`` and ``content`` likewise, and an empty name leaves one out;
other columns are not kept.  Times that are dates or durations by their type are taken in ns, whatever
``time_unit``.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from tracereplay.errors import TraceError
from tracereplay.problems import shown
from tracereplay.trace.formats._columns import Columns, Refuse, with_columns
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import BLOCK_BYTES, Source
from tracereplay.trace.schema import METADATA_KEY
from tracereplay.trace.source import BATCH_ROWS, BUFFER_BYTES

SAMPLE = "Parquet with a column of page numbers or addresses"

_MAGIC = b"PAR1"


def looks_like(head: bytes) -> bool:
    """Whether it begins as Parquet does."""
    return head.startswith(_MAGIC)


@with_columns
def read(sources: Sequence[Source], findings: Findings, columns: Columns) -> Iterator[Records]:
    """One access a row."""
    for source in sources:
        with _opened(source) as file:
            if METADATA_KEY in (file.metadata.metadata or {}):
                source.refuse("a trace", "another tool's file; a trace can be used as it is")
            schema = file.schema_arrow
            chosen = columns.among(schema.names, source.name, findings)
            for name in chosen.values():
                if pa.types.is_nested(kind := schema.field(name).type):
                    source.refuse(f"column {shown(name)} of {kind}", "one number or text a row")
            if _dated(schema, chosen):
                if findings.time_unit != "ns" and source is not sources[0]:
                    source.refuse("times that are dates or durations", "numbers, as in the file before")
                columns.time_unit = findings.time_unit = "ns"
            row = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=list(chosen.values()), use_threads=False):
                table = pa.table([batch.column(theirs) for theirs in chosen.values()], list(chosen))
                refuse = partial(_refuse, source, row)
                if _dated(schema, chosen):
                    table = _in_ns(table, refuse)
                yield columns.records(table, findings, refuse)
                row += len(table)


def _dated(schema: pa.Schema, chosen: Mapping[str, str]) -> bool:
    """Whether the times have a unit of their own."""
    kind = schema.field(chosen["time"]).type if "time" in chosen else pa.null()
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_duration(kind)


def _in_ns(table: pa.Table, refuse: Refuse) -> pa.Table:
    """The same with times as numbers of ns (from 1970 on, where they are dates)."""
    time = table.column("time")
    kind = pa.duration("ns") if pa.types.is_duration(time.type) else pa.timestamp("ns")
    try:
        time = time.cast(kind)
    except pa.ArrowException as problem:
        refuse(0, f"a time at or after this row that is beyond ns of 64 bits ({problem})", "less")
    return table.set_column(table.schema.get_field_index("time"), "time", time.cast(pa.int64()))


@contextmanager
def _opened(source: Source) -> Iterator[pq.ParquetFile]:
    """The file itself, or, since Parquet is read from its end, what was decompressed to a temporary file."""
    with tempfile.TemporaryFile() as copy, source.open() as stream:
        file = stream if isinstance(getattr(stream, "raw", None), io.FileIO) else copy
        if file is copy:
            while block := source.read(stream, BLOCK_BYTES):
                copy.write(block)
        try:
            yield pq.ParquetFile(
                file, pre_buffer=False, buffer_size=BUFFER_BYTES, page_checksum_verification=True
            )
        except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
            why = (str(problem).splitlines() or [""])[0]
            raise TraceError(f"damaged or cut off ({why}); copy or make it again", source.name) from None


def _refuse(source: Source, before: int, row: int, found: str, expected: str) -> NoReturn:
    raise TraceError(f"found {found}; expected {expected}", source.name, before + row)
