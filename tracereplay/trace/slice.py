"""Part of a trace: a window of time or of rows, some of its VMs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError, UsageError
from tracereplay.names import vm_index, vm_name
from tracereplay.problems import problem, shown
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.schema import Metadata, VMInfo
from tracereplay.trace.stream import chosen, stream_rows
from tracereplay.units import parse_count, parse_time

Span = str | tuple[int | str | None, int | str | None]
"""FROM and TO, half-open: "10s:60s", "10s:", (0, 1000); an end that is not said is the trace's."""


class _Range(NamedTuple):
    start: int | None
    stop: int | None


class _Window(NamedTuple):
    time: _Range
    rows: _Range
    rebase: bool


def slice_trace(
    source: object,
    *,
    time: Span | None = None,
    rows: Span | None = None,
    vms: int | str | Sequence[int | str] | None = None,
    rebase: bool = True,
) -> pa.RecordBatchReader:
    """The rows of a trace inside a window, as a stream with metadata: for ``write_trace`` or ``replay``.

    ``time`` and ``rows`` are half-open and restrict each other; ``vms`` are names or indices (one, or
    several), which become 0, 1, … in the order given.  With ``rebase`` times count from where the window
    begins: ``time``'s FROM, so that equal slices of several traces stay on one clock, else the first of
    ``rows``; without a FROM they stay.  Nothing after the window is read.  The cut stands in the metadata's
    ``provenance["slices"]``; a window that begins late begins with cold memories.

    UsageError: a window that is wrong, no such VM.  TraceError: no rows inside.
    """
    trace = open_trace(source)
    window = _Window(
        _range("time", time, lambda value: parse_time(value, trace.metadata.time_unit)),
        _range("rows", rows, parse_count),
        rebase,
    )
    wanted = range(trace.n_vms) if vms is None else [vms] if isinstance(vms, int | str) else vms
    picked = list(dict.fromkeys(vm_index(trace, vm) for vm in wanted))
    vm_of = np.full(trace.n_vms, -1, np.int32)
    vm_of[picked] = np.arange(len(picked))
    metadata = _metadata(trace, window, picked)
    return stream_rows(_kept(trace, window, vm_of), trace.columns | {"time"}, metadata)


def _range(what: str, span: Span | None, parse: Callable[[Any], int]) -> _Range:
    """Start and end, None where not said."""
    if span is None:
        return _Range(None, None)
    ends = span.split(":") if isinstance(span, str) else span
    try:
        if not isinstance(ends, Sequence) or len(ends) != 2:
            raise ValueError(problem(shown(span), "FROM:TO, one of which may be left out"))
        start, stop = (None if end in (None, "") else parse(end) for end in ends)
        if start is not None and stop is not None and stop <= start:
            raise ValueError(problem(shown(span), "an end after the start"))
    except ValueError as error:
        raise UsageError(f"slice: {what}: {error}") from None
    return _Range(start, stop)


def _kept(trace: Trace, window: _Window, vm_of: np.ndarray) -> Iterator[Batch]:
    """The rows inside the window, of the VMs in ``vm_of``, renumbered; TraceError at the end if none."""
    origin, found = (window.time.start if window.rebase else 0), False
    for batch in trace.batches():
        first, last = _inside(batch, window)
        if first < last:
            if origin is None:
                origin = int(batch.time[first]) if window.rows.start is not None else 0
            piece = Batch(batch.row + first, *(column[first:last] for column in batch[1:]))
            vm = vm_of[piece.vm]
            piece = piece._replace(time=piece.time - np.uint64(origin), vm=vm.astype(np.uint16))
            kept = chosen(piece, vm >= 0)
            found = found or len(kept.page) > 0
            yield kept
        if last < len(batch.page):
            break
    if not found:
        begin, end = trace.time_range()
        where = f"it has {trace.n_rows} rows, of the times {begin} to {end}"
        raise TraceError(f"no rows inside the slice; {where}", trace.name)


def _inside(batch: Batch, window: _Window) -> tuple[int, int]:
    """The rows of a batch inside the window: from the first to before the last."""
    first, last = 0, len(batch.page)
    if window.rows.start is not None:
        first = min(max(window.rows.start - batch.row, 0), last)
    if window.rows.stop is not None:
        last = min(max(window.rows.stop - batch.row, 0), last)
    if window.time.start is not None:
        first = max(first, int(np.searchsorted(batch.time, np.uint64(window.time.start))))
    if window.time.stop is not None:
        last = min(last, int(np.searchsorted(batch.time, np.uint64(window.time.stop))))
    return first, last


def _metadata(trace: Trace, window: _Window, picked: Sequence[int]) -> Metadata:
    """The trace's, with the VMs that are left and the cut noted; footprints only where all rows are kept."""
    said, whole = trace.metadata, not any(end is not None for end in (*window.time, *window.rows))
    vms = [said.vms[i] if i < len(said.vms) else VMInfo(vm_name(trace, i)) for i in picked]
    cut = {
        "time": list(window.time),
        "rows": list(window.rows),
        "vms": [vm_name(trace, i) for i in picked],
        "rebase": window.rebase,
        "of_rows": trace.n_rows,
    }
    provenance = said.provenance or {}
    return replace(
        said,
        vms=tuple(vm if whole else replace(vm, pages=None, raw_accesses=None) for vm in vms),
        rows=None,
        time_range=None,
        provenance={**provenance, "slices": [*provenance.get("slices", []), cut]},
    )
