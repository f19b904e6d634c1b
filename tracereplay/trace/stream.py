"""Rows on their way from a trace to a file or a replay: record batches in a stream that carries metadata."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError
from tracereplay.trace.batch import Batch
from tracereplay.trace.schema import COLUMNS, METADATA_KEY, Metadata


def stream(batches: Iterator[pa.RecordBatch], metadata: Metadata) -> pa.RecordBatchReader:
    """Record batches of equal columns as one stream with metadata: for ``write_trace`` or ``replay``.

    The first batch is made at once.  TraceError when there is none.
    """
    first = next(batches, None)
    if first is None:
        raise TraceError("found no rows; expected at least one access")
    schema = first.schema.with_metadata({METADATA_KEY: metadata.to_json().encode()})
    rows = itertools.chain([first], batches)
    return pa.RecordBatchReader.from_batches(
        schema, (b.replace_schema_metadata(schema.metadata) for b in rows)
    )


def stream_rows(
    batches: Iterator[Batch], columns: Collection[str], metadata: Metadata
) -> pa.RecordBatchReader:
    """The same of a trace's batches, with ``columns``; batches without rows are left out."""
    return stream((_record_batch(batch, columns) for batch in batches if len(batch.page)), metadata)


def chosen(batch: Batch, mask: np.ndarray) -> Batch:
    """The rows of a batch where ``mask`` is True."""
    return batch if mask.all() else Batch(batch.row, *(column[mask] for column in batch[1:]))


def _record_batch(batch: Batch, columns: Collection[str]) -> pa.RecordBatch:
    arrays = {name: getattr(batch, name) for name in COLUMNS if name in columns}
    if "content" in arrays:
        arrays["content"] = pa.array(batch.content, mask=~batch.known)
    return pa.record_batch(arrays)
