"""Several traces on one clock: rows merged by time, VMs numbered through.

At equal times the source listed first goes first, and the rows of one source keep their order.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay import __version__
from tracereplay.core import _jit
from tracereplay.errors import TraceError, UsageError
from tracereplay.names import distinct, long_name, vm_name
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.sample import sample_of
from tracereplay.trace.schema import MAX_VMS, Metadata, VMInfo
from tracereplay.trace.stream import chosen, stream_rows
from tracereplay.units import parse_time

BATCH_ROWS = 1 << 18
"""Rows of all sources in memory: 5 % less work than with half as many, little beside a replay's memory."""
_FEWEST_BATCH_ROWS = 1 << 13

_ALIKE = {
    "page_size": "record or import them with one page size",
    "time_unit": "record or import them with one clock, or drop every time column to merge by row number",
    "page_space": "record all of them on one side of the guest's paging",
}


class Placed(NamedTuple):
    """A trace, the VM that each of its VMs becomes (−1: left out), and the shift of its clock."""

    trace: Trace
    vm_of: np.ndarray  # int32[VMs of the trace]
    start: int


def merge(sources: Sequence[object], *, starts: Sequence[int | str] = ()) -> pa.RecordBatchReader:
    """The VMs of several traces on one clock, as a stream with metadata: for ``write_trace`` or ``replay``.

    ``sources`` is anything that ``open_trace`` takes, one of them twice if wanted; ``starts`` shifts the
    clock of each (a time such as "10s", or an integer in the traces' unit).  A trace without times counts
    rows.  VMs are numbered in the order of the sources and keep family and footprint; names that repeat
    become those of their files, numbered if need be.  ``exact_above`` is the largest of all; beside reduced
    traces the accesses of the others are counted, in a pass.

    TraceError: page size, time unit, page space or sampling differ; more than 65,536 VMs; a time past
    2^64.  UsageError: no source, or starts that do not fit.
    """
    listed = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    traces = [open_trace(source) for source in listed]
    if not traces:
        raise UsageError("merge: found no trace; expected at least one")
    _check_alike(traces)
    shifts = _shifts(starts, traces)
    firsts = [0, *itertools.accumulate(trace.n_vms for trace in traces)]
    if firsts[-1] > MAX_VMS:
        raise TraceError(f"found {firsts[-1]} VMs; expected at most {MAX_VMS} in a trace; merge fewer")
    placed = [
        Placed(trace, np.arange(first, first + trace.n_vms, dtype=np.int32), shift)
        for trace, first, shift in zip(traces, firsts, shifts, strict=False)
    ]
    columns = {"time", "vm"}.union(*(trace.columns for trace in traces))
    return stream_rows(placed_rows(placed), columns, _metadata(traces, shifts))


def _check_alike(traces: Sequence[Trace]) -> None:
    first = traces[0]
    for trace in traces[1:]:
        for key, advice in _ALIKE.items():
            found, expected = getattr(trace.metadata, key), getattr(first.metadata, key)
            if found != expected:
                raise TraceError(
                    f"{key}: found {found!r}; expected {expected!r} as in {first.name}; {advice}", trace.name
                )
        if _sample(trace) != _sample(first):
            expected = f"{_sample(first)} as in {first.name}"
            raise TraceError(
                f"found {_sample(trace)}; expected {expected}; sample what was merged", trace.name
            )


def _sample(trace: Trace) -> str:
    said = sample_of(trace.metadata)
    return "all rows" if said is None else "a sample of {rate} of the {by}, salt {salt}".format(**said)


def _shifts(starts: Sequence[int | str], traces: Sequence[Trace]) -> list[int]:
    if len(starts) not in (0, len(traces)):
        raise UsageError(f"merge: found {len(starts)} starts; expected one for each of {len(traces)} traces")
    try:
        return [parse_time(start, traces[0].metadata.time_unit) for start in starts] or [0] * len(traces)
    except ValueError as error:
        raise UsageError(f"merge: starts: {error}") from None


def _metadata(traces: Sequence[Trace], shifts: Sequence[int]) -> Metadata:
    first = traces[0].metadata
    vms = [(trace, index) for trace in traces for index in range(trace.n_vms)]
    names = distinct([vm_name(*vm) for vm in vms], [long_name(*vm) for vm in vms])
    origins = [
        {
            "name": PurePath(trace.name).name,
            "start": shift,
            "source": trace.metadata.source,
            "provenance": trace.metadata.provenance,
        }
        for trace, shift in zip(traces, shifts, strict=True)
    ]
    reduced = [trace.metadata.reduction for trace in traces if trace.metadata.reduction is not None]
    return Metadata(
        page_size=first.page_size,
        time_unit=first.time_unit,
        page_space=first.page_space,
        vms=tuple(
            _info(trace, index, name, counted=bool(reduced))
            for (trace, index), name in zip(vms, names, strict=True)
        ),
        source={"tool": "tracereplay merge", "version": __version__, "traces": origins},
        reduction=max(reduced, key=lambda r: r.get("exact_above") or 0, default=None),
        provenance=None if sample_of(first) is None else {"sample": sample_of(first)},
    )


def _info(trace: Trace, index: int, name: str, *, counted: bool) -> VMInfo:
    """A VM by its new name; ``counted`` says that its accesses have to be known beside reduced ones."""
    listed = trace.metadata.vms
    info = replace(listed[index], name=name) if index < len(listed) else VMInfo(name)
    return replace(info, raw_accesses=trace.raw_accesses()[index]) if counted else info


def placed_rows(sources: Sequence[Placed], batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
    """The rows of all sources that take part, in order; about ``batch_rows`` of them in memory."""
    # all sources are held at once, so each gets its share of the rows that may be in memory
    share = max(batch_rows // len(sources), min(batch_rows, _FEWEST_BATCH_ROWS))
    return merged([_rows(source, share) for source in sources])


def _rows(source: Placed, batch_rows: int) -> Iterator[Batch]:
    """The rows of a source that take part, with their new VM numbers and clock."""
    plain = len(source.vm_of) == 1 and source.vm_of[0] == 0 and source.start == 0
    for batch in source.trace.batches(batch_rows=batch_rows):
        yield batch if plain else _renumbered(batch, source)


def _renumbered(batch: Batch, source: Placed) -> Batch:
    time, vm = batch.time, source.vm_of[batch.vm]
    if source.start:
        if int(time[-1]) + source.start >= 2**64:
            raise TraceError(f"start {source.start} moves the time past 2^64", source.trace.name, batch.row)
        time = time + np.uint64(source.start)
    return chosen(batch._replace(time=time, vm=vm.astype(np.uint16)), vm >= 0)


def merged(streams: Sequence[Iterable[Batch]]) -> Iterator[Batch]:
    """The batches of several sorted streams as one sorted stream; ties go to the earlier stream."""
    if len(streams) == 1:
        yield from (batch for batch in streams[0] if len(batch.time))
        return
    sources = [iter(stream) for stream in streams]
    held: list[Batch | None] = [None] * len(sources)
    row = 0
    while True:
        for i, source in enumerate(sources):
            while held[i] is None and (batch := next(source, None)) is not None:
                held[i] = batch if len(batch.time) else None
        pieces = [(i, batch) for i, batch in enumerate(held) if batch is not None]
        if not pieces:
            return
        batches = [batch for _, batch in pieces]
        columns = [np.concatenate(column) for column in list(zip(*batches, strict=True))[1:]]
        ends = np.cumsum([len(batch.time) for batch in batches])
        heads = np.concatenate([[0], ends[:-1]])
        order = np.empty(int(ends[-1]), np.int64)
        taken = heads.copy()
        n = _interleave()(columns[0], taken, ends, order)
        yield Batch(row, *(column[order[:n]] for column in columns))
        row += n
        for (i, batch), head, end in zip(pieces, taken - heads, ends - heads, strict=True):
            held[i] = None if head == end else Batch(0, *(column[head:] for column in batch[1:]))


def interleave(time, heads, ends, order):
    """Merge sorted runs of ``time`` until one is used up; advance ``heads``, return the rows ordered.

    Run ``r`` is ``heads[r] … ends[r] − 1``.  Stops at the first run that ends, as its next rows are not
    known yet.
    """
    n = 0
    while True:
        first = 0
        for run in range(1, heads.shape[0]):
            if time[heads[run]] < time[heads[first]]:
                first = run
        order[n] = heads[first]
        n += 1
        heads[first] += 1
        if heads[first] == ends[first]:
            return n


@functools.cache
def _interleave() -> _jit.Kernel:
    return _jit.specialise(interleave)
