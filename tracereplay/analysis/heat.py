"""Where and when a VM touches its memory: accesses counted by page and time.

Address spaces are mostly holes, so the pages are those that are touched, in order of their numbers; what
lies between them takes no room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tracereplay.errors import TraceError, UsageError
from tracereplay.names import vm_index, vm_name
from tracereplay.problems import one_of, problem, shown
from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.schema import Op
from tracereplay.trace.stream import chosen

OPS = tuple(op.name.lower() for op in Op)

_COLUMNS = ("time", "vm", "page", "op")
_MOST_CELLS = 1 << 24


class Region(NamedTuple):
    """Touched pages between two large holes: the first one, its place among all, and how many they are."""

    first_page: int
    place: int
    pages: int


@dataclass(frozen=True, eq=False)
class Heat:
    """Rows of a VM by page and time.

    ``counts`` is int64[page bins, time bins].  Row ``i`` counts the pages from place ``i · pages_per_bin`` on
    in ``pages``, the touched page numbers (uint64) in order; column ``j`` the times from
    ``first_time + j · time_per_bin`` on, in ``time_unit``.  ``op`` is the operation counted, None = all.
    """

    vm: str
    op: str | None
    counts: np.ndarray
    pages: np.ndarray
    pages_per_bin: int
    page_size: int
    first_time: int
    time_per_bin: int
    time_unit: str

    @property
    def time_edges(self) -> np.ndarray:
        """Start of every time bin, and the end of the last one, at most 2^64 − 1; uint64."""
        edges = (self.first_time + i * self.time_per_bin for i in range(self.counts.shape[1] + 1))
        return np.array([min(edge, 2**64 - 1) for edge in edges], np.uint64)

    @property
    def page_edges(self) -> np.ndarray:
        """First place of every page bin, and the number of pages; int64."""
        return np.minimum(np.arange(self.counts.shape[0] + 1) * self.pages_per_bin, len(self.pages))

    @property
    def regions(self) -> tuple[Region, ...]:
        """The parts of the address space that holes larger than all touched pages together set apart."""
        holes = np.diff(self.pages) > np.uint64(len(self.pages))
        places = [0, *(np.flatnonzero(holes) + 1).tolist()]
        sizes = np.diff([*places, len(self.pages)]).tolist()
        return tuple(Region(int(self.pages[p]), p, n) for p, n in zip(places, sizes, strict=True))


def heat(
    source: object,
    *,
    vm: int | str = 0,
    op: str | None = None,
    time_bins: int = 360,
    page_bins: int = 240,
) -> Heat:
    """Count the rows of one VM (index or name) of a trace, of all operations or one, by page and time.

    Bins are equal and whole (so many pages, so much time), so there may be fewer than asked for.
    The trace is read twice.  UsageError: no such VM or operation, no bins or too many.  TraceError: no such
    rows.
    """
    trace = open_trace(source)
    index = vm_index(trace, vm)
    code = _code(op)
    for name, bins in (("time_bins", time_bins), ("page_bins", page_bins)):
        if bins < 1:
            raise UsageError(f"heatmap: {name}: {problem(shown(bins), '1 or more')}")
    pages, first, last = _extent(trace, index, code)
    per_time = min(-(-(last - first + 1) // time_bins), 2**64 - 1)
    per_page = -(-len(pages) // page_bins)
    shape = _checked(-(-len(pages) // per_page), (last - first) // per_time + 1)
    counts = np.zeros(shape, np.int64)
    for batch in trace.batches(_COLUMNS):
        batch = _counted(batch, index, code)
        row = np.searchsorted(pages, batch.page) // per_page
        column = ((batch.time - np.uint64(first)) // np.uint64(per_time)).astype(np.int64)
        counts += np.bincount(row * shape[1] + column, minlength=counts.size).reshape(shape)
    return Heat(
        vm=vm_name(trace, index),
        op=op,
        counts=counts,
        pages=pages,
        pages_per_bin=per_page,
        page_size=trace.metadata.page_size,
        first_time=first,
        time_per_bin=per_time,
        time_unit=trace.metadata.time_unit,
    )


def _checked(rows: int, columns: int) -> tuple[int, int]:
    """The shape of the counts; UsageError when they would be too many."""
    if rows * columns > _MOST_CELLS:
        cells = f"{rows:,} × {columns:,} cells"
        raise UsageError(f"heatmap: {problem(cells, f'at most {_MOST_CELLS:,}; ask for fewer bins')}")
    return rows, columns


def _code(op: str | None) -> Op | None:
    try:
        return None if op is None else Op[one_of(op, OPS).upper()]
    except ValueError as error:
        raise UsageError(f"heatmap: op: {error}") from None


def _counted(batch: Batch, vm: int, op: Op | None) -> Batch:
    """The rows of a VM and an operation."""
    mask = batch.vm == vm
    return chosen(batch, mask if op is None else mask & (batch.op == op))


def _extent(trace: Trace, vm: int, op: Op | None) -> tuple[np.ndarray, int, int]:
    """The distinct pages that are counted, sorted, uint64; first and last time of the whole trace."""
    ids, found = Ids(), [np.zeros(0, np.uint64)]
    first: int | None = None
    for batch in trace.batches(_COLUMNS):
        first = int(batch.time[0]) if first is None else first
        last = int(batch.time[-1])
        page, before = _counted(batch, vm, op).page, len(ids)
        new = ids.encode(page, 0) >= before
        found.append(np.unique(page[new]))
    if first is None or not len(ids):
        what = "rows" if op is None else f"rows of operation {op.name.lower()}"
        raise TraceError(f"found no {what} of VM {shown(vm_name(trace, vm))}; nothing to count", trace.name)
    return np.sort(np.concatenate(found)), first, last
