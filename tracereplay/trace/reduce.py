"""Fewer references, the same faults: exact reduction of a trace for LRU and OPT memories from a size on.

References are dropped by ``sad``, for K = ``exact_above`` pages, in every VM by itself.

One memory of K or more pages does on what is left, access by access, what it does on the whole trace:

- LRU: the same faults, evictions and write-backs; a dropped write makes the next kept reference of its page
  a write.  Between a page's references before and after a dropped one fewer than K other pages come, so
  that the page stays in memory without it, too.
- OPT: the same faults.  Of those fewer than K pages one is the one that faults, so K frames hold a page that
  is used later than all of them, and that one leaves.  Write-backs may differ: among pages that are never
  used again OPT may choose.
- Other policies (FIFO, CLOCK, random) and smaller memories: not exact, with more faults or fewer.

Two levels of memory, with a guest under LRU that has K or more pages at any time:

- What the guest does is the same whatever the host does: minor and major faults, file fills, swap reads and
  writes; so it is under a balloon that leaves it K pages.
- Alone on a host under LRU with K or more frames, what the host does is the same, too, every counter.  The
  fewer than K pages touch fewer than K guest-physical pages, as the guest evicts none of them once it is
  used; a FREE counts as a reference, for the next page may take the freed one's place.
- Under another host policy, beside other VMs, whose pages come between, under a balloon that moves, or with
  page sharing: what the host does is not exact.

Contents stay true: a kept row has the content that its page has after all rows that it stands for, and reads
that find a content that nobody wrote stay, so a replay finds no untraced write where there was none.  What
a page held in between is lost: nothing is promised of sharing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError, UsageError
from tracereplay.names import vm_name
from tracereplay.problems import wrong
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.sad import References, SafeDrop
from tracereplay.trace.sample import sample_of
from tracereplay.trace.schema import Metadata, VMInfo
from tracereplay.trace.stream import stream_rows
from tracereplay.units import parse_size

_FEWEST_HELD, _MOST_HELD = 1 << 18, 1 << 21
"""Rows that are held back: at least so many before they are put in order, at most about so many after."""


class Kept(NamedTuple):
    """Kept references in order: ``time`` and ``page`` uint64, ``op`` uint8."""

    time: np.ndarray
    page: np.ndarray
    op: np.ndarray


class Reduction:
    """Reduces the accesses of one VM while they are recorded; contents come later.

    FREE rows are kept.  Memory grows with the footprint and with what is kept between two calls of
    ``settle``, each of which keeps up to ``exact_above`` + 2 references more than were needed.
    """

    def __init__(self, exact_above: int, *, jit: bool = True) -> None:
        if exact_above < 1:
            raise ValueError(f"exact_above: found {exact_above}; expected at least 1 page")
        self.exact_above = exact_above
        self._drop = SafeDrop(exact_above, jit=jit)
        self._kept: list[References] = []
        self._added = 0

    def add(self, time: np.ndarray, page: np.ndarray, op: np.ndarray) -> None:
        """The next accesses: arrays as a trace has them (uint64, uint64, uint8)."""
        n = len(page)
        rows = np.arange(self._added, self._added + n)
        self._added += n
        self._kept.append(
            self._drop.add(References(rows, time, page, op, np.zeros(n, np.uint64), np.zeros(n, np.bool_)))
        )

    def settle(self) -> Kept:
        """All references kept since the last call, in order; what may still be dropped is kept."""
        kept = _in_order([*self._kept, self._drop.settle()])
        self._kept.clear()
        return Kept(kept.time, kept.page, kept.op)


def reduce_trace(source: object, exact_above: object) -> pa.RecordBatchReader:
    """An exact reduction of a trace, as a stream with metadata: for ``write_trace`` or ``replay``.

    ``exact_above`` is the smallest memory that shall be exact: pages, a size such as "64MiB", or a share,
    such as "10%", of the smallest VM's footprint.  The module says what is exact, and what is not.  First
    and last row are kept, so that the clock is the same.  A trace that is reduced already is exact from
    the larger of both sizes on; of a sample by pages, the memories of the sample are exact.

    The metadata's ``reduction`` holds the size, ``vms`` the accesses that each made before, and
    ``provenance["reductions"]`` the number of rows before.
    Memory grows with the footprint.  UsageError: a size that is none.  TraceError: a sample by contents.
    """
    trace = open_trace(source)
    above = _pages(trace, exact_above)
    if (sample_of(trace.metadata) or {}).get("by") == "contents":
        raise TraceError(
            "found a sample by contents; expected a whole trace, or a sample by pages: a reduction drops "
            "contents that such a sample is about",
            trace.name,
        )
    return stream_rows(_reduced(trace, above), trace.columns | {"time"}, _metadata(trace, above))


def _pages(trace: Trace, exact_above: object) -> int:
    share = isinstance(exact_above, str) and "%" in exact_above
    of = min(trace.footprints()) if share else None
    try:
        pages = parse_size(exact_above, page_size=trace.metadata.page_size, of=of)
        if pages < 1:
            raise wrong(exact_above, f"at least one page of {trace.metadata.page_size} bytes")
    except ValueError as error:
        raise UsageError(f"reduce: exact_above: {error}") from None
    return pages


def _reduced(trace: Trace, above: int) -> Iterator[Batch]:
    """The rows that are kept, in order."""
    held = _Held([SafeDrop(above) for _ in range(trace.n_vms)], above)
    for batch in trace.batches():
        is_last = batch.row + len(batch.page) == trace.n_rows
        held.add(_piece(batch, 0, len(batch.page) - is_last))
        if is_last:
            held.settle()
            held.add(_piece(batch, len(batch.page) - 1, len(batch.page)))
            held.settle()
        yield from held.ready()


def _piece(batch: Batch, first: int, last: int) -> Batch:
    return Batch(batch.row + first, *(column[first:last] for column in batch[1:]))


class _Held:
    """Rows that are kept, held back until no row before them may still be kept.

    A page's latest reference may stay open for long, for as long as fewer than K other pages are used.  By
    then little else is kept, but for FREE rows and the rows of other VMs: where they become too many, all
    that is open in the VM with the oldest open row is kept.
    """

    def __init__(self, drops: list[SafeDrop], above: int) -> None:
        self._drops = drops
        self._most = _MOST_HELD + 4 * above
        self._rows: list[tuple[np.ndarray, ...]] = []  # row numbers and columns of a Batch
        self._enough = _FEWEST_HELD

    def add(self, batch: Batch) -> None:
        """Take the next rows of the trace."""
        row = np.arange(batch.row, batch.row + len(batch.page))
        order = np.argsort(batch.vm, kind="stable") if len(self._drops) > 1 else row - batch.row
        vms, starts = np.unique(batch.vm[order], return_index=True)
        for vm, rows in zip(vms.tolist(), np.split(order, starts)[1:], strict=True):
            columns = (batch.time, batch.page, batch.op, batch.content, batch.known)
            taken = References(row[rows], *(column[rows] for column in columns))
            self._hold(vm, self._drops[vm].add(taken))

    def settle(self) -> None:
        """Keep all that is open."""
        for vm, drop in enumerate(self._drops):
            self._hold(vm, drop.settle())
        self._enough = 0

    def ready(self) -> Iterator[Batch]:
        """The rows whose turn has come, once there may be enough of them to be worth the sorting."""
        if sum(len(row) for row, *_ in self._rows) < self._enough:
            return
        row, *columns = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        order = np.argsort(row)
        opened = {vm: at for vm, drop in enumerate(self._drops) if (at := drop.oldest_open()) is not None}
        first = min(opened.values(), default=None)
        n = len(row) if first is None else int(np.searchsorted(row, first, sorter=order))
        yield Batch(0, *(column[order[:n]] for column in columns))
        self._rows = [tuple(column[order[n:]] for column in (row, *columns))]
        left = len(row) - n
        self._enough = max(2 * left, _FEWEST_HELD)
        if left > self._most:
            vm = min(opened, key=lambda vm: opened[vm])
            self._hold(vm, self._drops[vm].settle())

    def _hold(self, vm: int, rows: References) -> None:
        vms = np.full(len(rows.row), vm, np.uint16)
        self._rows.append((rows.row, rows.time, vms, *rows[2:]))


def _metadata(trace: Trace, above: int) -> Metadata:
    said = trace.metadata
    provenance = said.provenance or {}
    done = {"exact_above": above, "of_rows": trace.n_rows}
    reduction = {"method": "sad", "exact_above": max(above, said.exact_above or 0)}
    vms = said.vms or tuple(VMInfo(vm_name(trace, index)) for index in range(trace.n_vms))
    return replace(
        said,
        vms=tuple(replace(vm, raw_accesses=n) for vm, n in zip(vms, trace.raw_accesses(), strict=True)),
        rows=None,
        reduction=reduction,
        provenance={**provenance, "reductions": [*provenance.get("reductions", []), done]},
    )


def _in_order(pieces: list[References]) -> References:
    columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
    order = np.argsort(columns[0])
    return References(*(column[order] for column in columns))
