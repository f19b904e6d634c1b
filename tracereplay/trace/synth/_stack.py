"""References drawn from an LRU stack: so many accesses at each depth, and new pages at given rows."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.fenwick import add, find
from tracereplay.core.recency import Positions, give_up, is_kept, keep_all, kept_at, room_for

_NOW, _N_PAGES, _N_LEFT = 0, 1, 2
_S11 = np.uint64(11)
_UNIT = 2.0**-53


class State(NamedTuple):
    page_at: np.ndarray  # int64[positions]
    positions: Positions
    first_row: np.ndarray  # int64[pages]: when each page is touched first, in order
    accesses_at: np.ndarray  # int64[pages]: accesses to make at each depth of the stack
    left: np.ndarray  # int64[pages + 1]: Fenwick tree of those left, at depths that the stack has by now
    counts: np.ndarray  # int64[3]: next position, pages touched so far, accesses left


def refer(s, row, draws, pages):
    """Write a page to ``pages`` for every draw (uint64), the first one of which is for ``row``.

    A new page is due by its row, or when no access is left at any depth that there is.
    """
    for i in range(draws.shape[0]):
        if s.counts[_NOW] == s.page_at.shape[0]:
            renumber(s)
        n = s.counts[_N_PAGES]
        due = n < s.first_row.shape[0] and s.first_row[n] <= row + i
        page = new_page(s) if due or s.counts[_N_LEFT] == 0 else known_page(s, draws[i])
        s.page_at[s.counts[_NOW]] = page
        s.counts[_NOW] += 1
        pages[i] = page


def new_page(s):
    """A page never touched; the stack becomes deeper by one, and so can accesses be."""
    page = s.counts[_N_PAGES]
    s.counts[_N_PAGES] += 1
    s.counts[_N_LEFT] += s.accesses_at[page]
    add(s.left, page, s.accesses_at[page])
    return page


def known_page(s, draw):
    """The page at the depth of one of the accesses left, all of which are alike."""
    depth, _ = find(s.left, np.int64(np.float64(draw >> _S11) * _UNIT * s.counts[_N_LEFT]))
    add(s.left, depth, -1)
    s.counts[_N_LEFT] -= 1
    position = kept_at(s.positions, s.counts[_N_PAGES] - 1 - depth)
    give_up(s.positions, position)
    return s.page_at[position]


def renumber(s):
    """Move the pages to the first positions, in their order; those after them are free."""
    n = 0
    for position in range(s.page_at.shape[0]):
        if is_kept(s.positions, position):
            s.page_at[n] = s.page_at[position]
            n += 1
    keep_all(s.positions)
    s.counts[_NOW] = n


class Stack:
    """Pages 0, 1, … in order of their first touch, the ``j``-th of them by row ``first_row[j]``.

    ``accesses_at`` (int64, as long) says how many accesses go to each depth, 0 being the page touched last.
    Accesses at depths that the stack does not have yet wait for it to grow.
    """

    def __init__(self, first_row: np.ndarray, accesses_at: np.ndarray) -> None:
        n_pages = len(first_row)
        free = room_for(n_pages)
        capacity = 64 * len(free.kept)
        left = np.zeros(n_pages + 1, np.int64)
        self._state = State(
            np.empty(capacity, np.int64), free, first_row, accesses_at, left, np.zeros(3, np.int64)
        )
        _kernel("keep_all")(free)

    def refer(self, row: int, draws: np.ndarray) -> np.ndarray:
        """The pages (uint64) of the accesses from ``row`` on, one for each draw; rows must come in order."""
        pages = np.empty(len(draws), np.uint64)
        _kernel("refer")(self._state, row, draws, pages)
        return pages


@functools.cache
def _kernel(name: str) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"refer": refer, "keep_all": keep_all}
    return _jit.specialise(kernels[name])
