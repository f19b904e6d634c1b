"""The accesses of a VM: when each page was touched last, how often, and what is new in each window.

FREE rows are no accesses: a page that is touched again after one was touched before.

Gaps between two touches of a page are counted in BUCKETS of eight to an octave, with their sum, so that sums
over all gaps up to the edge of a bucket are exact.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.core.hooks import load
from tracereplay.trace.ids import read_only
from tracereplay.trace.per_vm import VMRows
from tracereplay.trace.schema import Op

BUCKETS = np.array([i if i < 16 else (8 + i % 8) << (i // 8 - 1) for i in range(496)], np.uint64)
"""Smallest gap of each bucket; those below 16 have one of their own."""
BY_ACCESSES, BY_TIME = 0, 1
"""The clocks: accesses of the VM, and the trace's time."""

_LAST_ACCESS, _LAST_TIME, _LAST_WINDOW, _TOUCHES = range(4)
_ACCESSES, _PAGES, _NEW, _STAYED = range(4)
_AHEAD = 16  # accesses between the prefetch of a page's entry and its use
_WRITE = int(Op.WRITE)
_ONE, _FINEST = np.uint64(1), np.uint64(16)


class State(NamedTuple):
    pages: np.ndarray  # uint64[pages, 4]: last access, time and window, touches so far
    written: np.ndarray  # bool[pages]
    gaps: np.ndarray  # int64[clocks, buckets]
    sums: np.ndarray  # float64[clocks, buckets], of the gaps
    windows: np.ndarray  # int64[4, windows]: accesses, pages, new ones, those of the window before


def touch(s, first, page, time, window, op):
    """Take in accesses, of which ``first`` is the number: dense ids, times, windows and operations."""
    n = page.shape[0]
    for i in range(n):
        load(s.pages, np.int64(page[min(i + _AHEAD, n - 1)]))
        p, w = np.int64(page[i]), np.int64(window[i])
        access = np.uint64(first + i)
        s.windows[_ACCESSES, w] += 1
        if s.pages[p, _TOUCHES] == 0:
            s.windows[_PAGES, w] += 1
            s.windows[_NEW, w] += 1
        else:
            tally(s, BY_ACCESSES, access - s.pages[p, _LAST_ACCESS])
            tally(s, BY_TIME, time[i] - s.pages[p, _LAST_TIME])
            count_again(s, np.int64(s.pages[p, _LAST_WINDOW]), w)
        s.pages[p, _LAST_ACCESS] = access
        s.pages[p, _LAST_TIME] = time[i]
        s.pages[p, _LAST_WINDOW] = np.uint64(w)
        s.pages[p, _TOUCHES] += _ONE
        s.written[p] |= op[i] == _WRITE


def count_again(s, last, window):
    """Count a page in a window if ``last``, the one in which it was touched before, is another."""
    if last != window:
        s.windows[_PAGES, window] += 1
        if last + 1 == window:
            s.windows[_STAYED, window] += 1


def tally(s, clock, gap):
    """Count a gap."""
    bucket = np.int64(0)
    mantissa = gap
    while mantissa >= _FINEST:
        mantissa >>= _ONE
        bucket += 8
    bucket += np.int64(mantissa)
    s.gaps[clock, bucket] += 1
    s.sums[clock, bucket] += np.float64(gap)


@functools.cache
def _touch(jit: bool) -> _jit.Kernel:
    return _jit.specialise(touch, jit=jit)


class Gaps(NamedTuple):
    """Gaps by bucket: how many (int64), and their sum (float64)."""

    number: np.ndarray
    total: np.ndarray


class Windows(NamedTuple):
    """Counts of each window, int64[windows]; ``stayed`` are pages that the one before touched, too."""

    accesses: np.ndarray
    pages: np.ndarray
    new_pages: np.ndarray
    stayed: np.ndarray


class Touches:
    """The accesses of one VM so far; memory is 33 bytes for each distinct page and 32 for each window."""

    def __init__(self, n_windows: int, *, jit: bool = True) -> None:
        self.ops = np.zeros(len(Op), np.int64)
        """Rows by operation."""
        self._jit = jit
        shape = (2, len(BUCKETS))
        self._state = State(
            np.zeros((0, 4), np.uint64),
            np.zeros(0, np.bool_),
            np.zeros(shape, np.int64),
            np.zeros(shape),
            np.zeros((4, n_windows), np.int64),
        )

    def add(self, rows: VMRows, window: np.ndarray) -> None:
        """Take in the next rows of the VM; ``window`` (int64) says in which window each one is."""
        if rows.n_pages > len(self._state.pages):
            self._grow(rows.n_pages)
        first, op = self.accesses, rows.batch.op
        self.ops += np.bincount(op, minlength=len(Op))
        columns = (rows.page, rows.batch.time, window, op)
        if (op == Op.FREE).any():
            columns = tuple(column[op != Op.FREE] for column in columns)
        _touch(self._jit)(self._state, first, *map(read_only, columns))

    @property
    def accesses(self) -> int:
        """Rows that are no FREE."""
        return int(self.ops.sum() - self.ops[Op.FREE])

    @property
    def touches(self) -> np.ndarray:
        """Accesses to each page that was touched, int64."""
        return self._touched(_TOUCHES).astype(np.int64)

    @property
    def last_time(self) -> np.ndarray:
        """When each page that was touched was touched last, uint64, in the order of ``touches``."""
        return self._touched(_LAST_TIME)

    @property
    def pages_written(self) -> int:
        return int(self._state.written.sum())

    @property
    def windows(self) -> Windows:
        return Windows(*self._state.windows)

    def reuses(self, clock: int) -> Gaps:
        """From each touch of a page to the next one."""
        return Gaps(self._state.gaps[clock], self._state.sums[clock])

    def lasts(self, clock: int, end: int) -> Gaps:
        """From the last touch of each page to ``end``, the number or time that comes next."""
        column = (_LAST_ACCESS, _LAST_TIME)[clock]
        gaps = np.uint64(end) - self._touched(column)
        bucket = np.searchsorted(BUCKETS, gaps, side="right") - 1
        n = len(BUCKETS)
        return Gaps(np.bincount(bucket, minlength=n), np.bincount(bucket, gaps.astype(np.float64), n))

    def _touched(self, column: int) -> np.ndarray:
        pages = self._state.pages
        return pages[pages[:, _TOUCHES] > 0, column]

    def _grow(self, n_pages: int) -> None:
        pages, written = (grown(column, n_pages, 0) for column in (self._state.pages, self._state.written))
        self._state = self._state._replace(pages=pages, written=written)
