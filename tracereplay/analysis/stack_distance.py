"""LRU stack distances, exact, in one pass: the miss ratio curve of LRU at every size at once.

The distance of an access is the number of other pages touched since the same page was touched last: an LRU
memory of k frames hits just the accesses with a distance below k.
Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal
1970.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.hooks import load
from tracereplay.core.recency import Positions, give_up, keep_all, kept_before, positions, room_for
from tracereplay.trace.ids import Ids

FIRST_TOUCH = -1
"""In place of a distance."""
_AHEAD = 16  # accesses between the prefetch of a page's entry and its use
_NOW, _N_PAGES = 0, 1


class State(NamedTuple):
    position_of: np.ndarray  # int64[pages], or FIRST_TOUCH
    positions: Positions
    counts: np.ndarray  # int64[2]: the next position, and the pages touched so far


def measure(s, pages, distances):
    """Write the distance of each access to ``pages`` (int32, in order)."""
    n = pages.shape[0]
    capacity = 64 * s.positions.kept.shape[0]
    for i in range(n):
        load(s.position_of, np.int64(pages[min(i + _AHEAD, n - 1)]))
        page = np.int64(pages[i])
        if s.counts[_NOW] == capacity:
            renumber(s)
        position = s.position_of[page]
        if position == FIRST_TOUCH:
            s.counts[_N_PAGES] += 1
            distances[i] = FIRST_TOUCH
        else:
            distances[i] = s.counts[_N_PAGES] - 1 - kept_before(s.positions, position)
            give_up(s.positions, position)
        s.position_of[page] = s.counts[_NOW]
        s.counts[_NOW] += 1


def renumber(s):
    """Move the positions of all pages together, in their order; those after them are free."""
    for page in range(s.position_of.shape[0]):
        if s.position_of[page] != FIRST_TOUCH:
            s.position_of[page] = kept_before(s.positions, s.position_of[page])
    keep_all(s.positions)
    s.counts[_NOW] = s.counts[_N_PAGES]


class StackDistances:
    """An unbounded LRU stack, empty at first; memory is some 12 bytes for each distinct page."""

    def __init__(self, *, jit: bool = True) -> None:
        self._jit = jit
        self._state = State(np.empty(0, np.int64), positions(0), np.zeros(2, np.int64))

    def touch(self, pages: np.ndarray, n_pages: int) -> np.ndarray:
        """Distances (int64) of accesses to dense page ids (int32) below ``n_pages``, in order."""
        if n_pages > len(self._state.position_of):
            self._grow(n_pages)
        distances = np.empty(len(pages), np.int64)
        _kernel("measure", self._jit)(self._state, pages, distances)
        return distances

    def _grow(self, n_pages: int) -> None:
        """Room for more pages, and positions enough that renumbering stays rare."""
        old = self._state
        _kernel("renumber", self._jit)(old)
        position_of = np.full(max(n_pages, len(old.position_of) * 3 // 2), FIRST_TOUCH, np.int64)
        position_of[: len(old.position_of)] = old.position_of
        more = room_for(len(position_of))
        _kernel("keep_all", self._jit)(more)
        self._state = State(position_of, more, old.counts)


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"measure": measure, "renumber": renumber, "keep_all": keep_all}
    return _jit.specialise(kernels[name], jit=jit)


def stack_distances(pages: np.ndarray) -> np.ndarray:
    """Distances (int64) of accesses to any page numbers, in order; −1 for the first touch of a page."""
    ids = Ids()
    dense = ids.encode(np.asarray(pages, np.uint64))
    return StackDistances().touch(dense, len(ids))
