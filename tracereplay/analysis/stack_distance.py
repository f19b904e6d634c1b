"""LRU stack distances, exact, in one pass: the miss ratio curve of LRU at every size at once.

The distance of an access is the number of other pages touched since the same page was touched last: an LRU
memory of k frames hits just the accesses with a distance below k.
Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal
1970.

A page that is freed leaves a *hole* at its depth: a free frame of every memory that held the page.  As a miss
takes a free frame before it evicts, the next page that comes from below the topmost hole, or from outside,
uses that hole up; where it comes from inside a larger memory, it leaves a hole there in turn.
Source: Thompson and Smith, "Efficient (stack) algorithms for analysis of write-back and sector memories", ACM
Transactions on Computer Systems 1989.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.core.heap import drop_greatest, push, replace_greatest
from tracereplay.core.hooks import load
from tracereplay.core.recency import (
    Positions,
    count_before,
    count_kept,
    give_up,
    keep_all,
    kept_before,
    positions,
    room_for,
)
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.schema import Op

FIRST_TOUCH = -1
"""In place of the distance of an access to a page that is not in the stack."""
FREED = -2
"""In place of the distance of a FREE row."""
ABSENT = -1
"""Position of a page that is not in the stack."""
_AHEAD = 16  # accesses between the prefetch of a page's entry and its use
_NOW, SIZE, _HOLES = 0, 1, 2
_FREE = int(Op.FREE)


class State(NamedTuple):
    position_of: np.ndarray  # int64[pages], or ABSENT
    positions: Positions
    counts: np.ndarray  # int64[3]: the next position, pages and holes in the stack, holes alone
    holes: np.ndarray  # int64: heap of the positions of holes


def measure(s, pages, distances):
    """Write the distance of each access to ``pages`` (int32, in order) while there are no holes."""
    n = pages.shape[0]
    for i in range(n):
        load(s.position_of, np.int64(pages[min(i + _AHEAD, n - 1)]))
        make_room(s)
        page = np.int64(pages[i])
        position = s.position_of[page]
        distances[i] = depth(s, position)
        if position == ABSENT:
            s.counts[SIZE] += 1
        else:
            give_up(s.positions, position)
        put_on_top(s, page)


def measure_with_frees(s, pages, ops, distances):
    """As ``measure``, where ``ops`` (uint8) says which rows free their page."""
    n = pages.shape[0]
    for i in range(n):
        load(s.position_of, np.int64(pages[min(i + _AHEAD, n - 1)]))
        make_room(s)
        page = np.int64(pages[i])
        position = s.position_of[page]
        if ops[i] == _FREE:
            distances[i] = FREED
            leave_hole(s, page)
        else:
            distances[i] = depth(s, position)
            close_up(s, position)
            put_on_top(s, page)


def make_room(s):
    """See to it that there is a next position."""
    if s.counts[_NOW] == 64 * s.positions.kept.shape[0]:
        renumber(s)


def renumber(s):
    """Move the positions of all pages and holes together, in their order; those after them are free."""
    count_kept(s.positions)
    for page in range(s.position_of.shape[0]):
        if s.position_of[page] != ABSENT:
            s.position_of[page] = count_before(s.positions, s.position_of[page])
    for hole in range(s.counts[_HOLES]):
        s.holes[hole] = count_before(s.positions, s.holes[hole])
    keep_all(s.positions)
    s.counts[_NOW] = s.counts[SIZE]


def depth(s, position):
    """How many pages and holes are above a position; FIRST_TOUCH for none."""
    if position == ABSENT:
        return np.int64(FIRST_TOUCH)
    return s.counts[SIZE] - 1 - kept_before(s.positions, position)


def put_on_top(s, page):
    """Give a page the next position."""
    s.position_of[page] = s.counts[_NOW]
    s.counts[_NOW] += 1


def close_up(s, position):
    """A page leaves ``position`` for the top: the topmost hole goes if it is above, else that position."""
    n = s.counts[_HOLES]
    if n > 0 and s.holes[0] > position:
        give_up(s.positions, s.holes[0])
        if position == ABSENT:
            drop_greatest(s.holes, n)
            s.counts[_HOLES] -= 1
        else:
            replace_greatest(s.holes, n, position)
    elif position == ABSENT:
        s.counts[SIZE] += 1
    else:
        give_up(s.positions, position)


def leave_hole(s, page):
    """A page is freed: where it was in the stack, there is a hole."""
    position = s.position_of[page]
    if position != ABSENT:
        push(s.holes, s.counts[_HOLES], position)
        s.counts[_HOLES] += 1
        s.position_of[page] = ABSENT


def drop(s, page):
    """Take a page out of the stack without a trace."""
    position = s.position_of[page]
    if position != ABSENT:
        give_up(s.positions, position)
        s.counts[SIZE] -= 1
        s.position_of[page] = ABSENT


class StackDistances:
    """An unbounded LRU stack, empty at first; memory is some 12 bytes for each distinct page.

    With FREE rows it is 8 bytes more.
    """

    def __init__(self, *, jit: bool = True) -> None:
        self._jit = jit
        self._n_pages = 0
        nothing = np.empty(0, np.int64)
        self._state = State(nothing, positions(0), np.zeros(3, np.int64), nothing)

    def __len__(self) -> int:
        """Pages and holes in the stack: the most pages that were in use at a time."""
        return int(self._state.counts[SIZE])

    def touch(self, pages: np.ndarray, n_pages: int, ops: np.ndarray | None = None) -> np.ndarray:
        """Distances (int64) of accesses to dense page ids (int32) below ``n_pages``, in order.

        ``ops`` (uint8) says which rows free their page; they are FREED in the result.  Without it none do.
        """
        self._n_pages = max(n_pages, self._n_pages)
        if n_pages > len(self._state.position_of):
            self._grow(n_pages)
        distances = np.empty(len(pages), np.int64)
        frees = ops is not None and bool((ops == _FREE).any())
        if frees or self._state.counts[_HOLES]:
            self._touch_with_frees(pages, np.zeros(len(pages), np.uint8) if ops is None else ops, distances)
        else:
            _kernel("measure", self._jit)(self._state, pages, distances)
        return distances

    def depths(self) -> np.ndarray:
        """Pages and holes above each page now, int64[n_pages]; −1 for a page that is not in the stack."""
        _kernel("renumber", self._jit)(self._state)
        position = self._state.position_of[: self._n_pages]
        return np.where(position == ABSENT, -1, self._state.counts[SIZE] - 1 - position)

    def reorder(self, pages: np.ndarray) -> None:
        """Put ``pages``, which were touched last, each once, into this order: the last one on top."""
        now = self._state.counts[_NOW]
        self._state.position_of[pages] = np.arange(now - len(pages), now)

    def _touch_with_frees(self, pages: np.ndarray, ops: np.ndarray, distances: np.ndarray) -> None:
        holes = self._state.holes
        if len(holes) < len(self._state.position_of):
            room = np.zeros(len(self._state.position_of) - len(holes), np.int64)
            self._state = self._state._replace(holes=np.concatenate([holes, room]))
        _kernel("measure_with_frees", self._jit)(self._state, pages, read_only(ops), distances)

    def _grow(self, n_pages: int) -> None:
        """Room for more pages, and positions enough that renumbering stays rare."""
        old = self._state
        _kernel("renumber", self._jit)(old)
        position_of = grown(old.position_of, n_pages, ABSENT)
        more = room_for(len(position_of))
        _kernel("keep_all", self._jit)(more)
        self._state = old._replace(position_of=position_of, positions=more)


_KERNELS: dict[str, _jit.Kernel] = {
    kernel.__name__: kernel for kernel in (measure, measure_with_frees, renumber, keep_all)
}


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    return _jit.specialise(_KERNELS[name], jit=jit)


def stack_distances(pages: np.ndarray) -> np.ndarray:
    """Distances (int64) of accesses to any page numbers, in order; −1 for the first touch of a page."""
    ids = Ids()
    dense = ids.encode(np.asarray(pages, np.uint64))
    return StackDistances().touch(dense, len(ids))
