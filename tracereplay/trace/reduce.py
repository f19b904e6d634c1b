"""Fewer references, the same faults: exact reduction of a trace for LRU memories from a given size on.

Kaplan, Smaragdakis and Wilson, "Flexible reference trace reduction for VM simulations", ACM TOMACS 13(1),
2003: *safely allowed drop* (SAD).  A reference is dropped when fewer than K other pages are referenced
between its page's kept reference before it and its page's next one: no LRU memory of K pages or more can
have evicted the page meanwhile.  Online, in constant time an access: a list of the K + 1 most recently
referenced pages tells whether it may be.

What holds for a memory of any K or more pages under LRU: the faults are those of the whole trace, one by
one, and so are evictions and, since a dropped write makes the next kept reference of its page a write,
write-backs.  What does not hold: anything of smaller memories (more faults or fewer) or of other policies
(FIFO, CLOCK, random see other references), and counts of reads, writes and fetches.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.schema import Op

_READ, _WRITE, _FREE = int(Op.READ), int(Op.WRITE), int(Op.FREE)
_NOTHING = 255
_NONE, _OUT = -1, -2
_FIRST, _LAST, _SIZE, _POSITION, _RUN, _RUN_OP = range(6)


class Kept(NamedTuple):
    """Kept references in order: ``time`` and ``page`` uint64, ``op`` uint8."""

    time: np.ndarray
    page: np.ndarray
    op: np.ndarray


class _State(NamedTuple):
    """What is known of each page, by dense id, and of the list of the most recent ones.

    Consecutive references to one page are one, the *run*.  A page's latest reference may *wait*: whether
    it is dropped depends on the next one.  Only pages in the list have one that waits.
    """

    number: np.ndarray  # uint64[pages]: page number
    newer: np.ndarray  # int32[pages]: neighbour in the list, _NONE at its end, _OUT if not in it
    older: np.ndarray  # int32[pages]
    latest: np.ndarray  # int64[pages]: position of the latest reference
    kept: np.ndarray  # int64[pages]: position of the latest kept one; _NONE: the next one is kept
    time: np.ndarray  # uint64[pages]: of the reference that waits
    op: np.ndarray  # uint8[pages]: of the reference that waits, or _NOTHING
    run_time: np.ndarray  # uint64[1]
    list: np.ndarray  # int64[6]: first and last page, size, next position, page and op of the run


class _Out(NamedTuple):
    """Where kept references go, in the order in which they are decided."""

    position: np.ndarray  # int64
    time: np.ndarray  # uint64
    page: np.ndarray  # uint64
    op: np.ndarray  # uint8
    used: np.ndarray  # int64[1]: how many


def reduce_accesses(s, out, above, time, page, op, ids):
    """Take accesses in order; ``above`` is K."""
    for i in range(ids.shape[0]):
        index = np.int64(ids[i])
        kind = np.int64(op[i])
        if kind == _FREE:
            end_run(s, out, above)
            free(s, out, index, time[i], page[i])
        elif index == s.list[_RUN]:
            s.list[_RUN_OP] = merged(s.list[_RUN_OP], kind)
        else:
            end_run(s, out, above)
            s.list[_RUN] = index
            s.list[_RUN_OP] = kind
            s.run_time[0] = time[i]
            s.number[index] = page[i]


def settle_all(s, out, above):
    """Keep every reference that waits, and the run."""
    end_run(s, out, above)
    index = s.list[_FIRST]
    while index != _NONE:
        keep_waiting(s, out, index)
        index = np.int64(s.older[index])


def merged(one, other):
    """What two references to one page are together: a write if one is, a fetch if both are."""
    if one == other:
        return one
    return _WRITE if one == _WRITE or other == _WRITE else _READ


def end_run(s, out, above):
    """Take the run as one reference at the time of its first."""
    index = s.list[_RUN]
    if index == _NONE:
        return
    s.list[_RUN] = _NONE
    to_front(s, out, above, index)
    op = s.list[_RUN_OP]
    position = s.list[_POSITION]
    if s.kept[index] == _NONE:
        emit(out, position, s.run_time[0], s.number[index], op)
        s.kept[index] = position
    else:
        if s.op[index] != _NOTHING:
            if is_droppable(s, above, index):
                op = merged(np.int64(s.op[index]), op)
            else:
                keep_waiting(s, out, index)
        s.op[index] = op
        s.time[index] = s.run_time[0]
    s.latest[index] = position
    s.list[_POSITION] += 1


def is_droppable(s, above, index):
    """Whether fewer than ``above`` other pages were referenced since the kept reference of the first page."""
    return s.list[_SIZE] <= above or s.latest[s.list[_LAST]] < s.kept[index]


def keep_waiting(s, out, index):
    """Keep the reference of a page that waits, if there is one."""
    if s.op[index] != _NOTHING:
        emit(out, s.latest[index], s.time[index], s.number[index], s.op[index])
        s.kept[index] = s.latest[index]
        s.op[index] = _NOTHING


def free(s, out, index, time, page):
    """Keep a FREE and what waits before it; the page's next reference is like its first."""
    keep_waiting(s, out, index)
    emit(out, s.list[_POSITION], time, page, _FREE)
    s.kept[index] = _NONE
    s.list[_POSITION] += 1


def to_front(s, out, above, index):
    """Make a page the first of the list; the one that is then too many leaves it."""
    if s.list[_FIRST] == index:
        return
    if s.newer[index] == _OUT:
        s.list[_SIZE] += 1
    else:
        unlink(s, index)
    first = s.list[_FIRST]
    s.newer[index] = _NONE
    s.older[index] = first
    if first == _NONE:
        s.list[_LAST] = index
    else:
        s.newer[first] = index
    s.list[_FIRST] = index
    if s.list[_SIZE] > above + 1:
        last = s.list[_LAST]
        unlink(s, last)
        s.list[_SIZE] -= 1
        keep_waiting(s, out, last)
        s.newer[last] = _OUT
        s.kept[last] = _NONE


def unlink(s, index):
    """Take a page that is not the first out of its place."""
    newer, older = np.int64(s.newer[index]), np.int64(s.older[index])
    s.older[newer] = older
    if older == _NONE:
        s.list[_LAST] = newer
    else:
        s.newer[older] = newer


def emit(out, position, time, page, op):
    """Keep a reference."""
    n = out.used[0]
    out.position[n] = position
    out.time[n] = time
    out.page[n] = page
    out.op[n] = op
    out.used[0] = n + 1


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"reduce_accesses": reduce_accesses, "settle_all": settle_all}
    return _jit.specialise(kernels[name], jit=jit)


class Reduction:
    """Reduces the accesses of one VM as they come; exact for LRU memories of ``exact_above`` or more pages.

    FREE rows are kept.  Memory grows with the footprint and with what is kept between two calls of
    ``settle``, each of which keeps up to ``exact_above`` + 1 references more than were needed.
    """

    def __init__(self, exact_above: int, *, jit: bool = True) -> None:
        if exact_above < 1:
            raise ValueError(f"exact_above: found {exact_above}; expected at least 1 page")
        self.exact_above = exact_above
        self._jit = jit
        self._ids = Ids()
        self._state = _state(0)
        self._kept: list[tuple[np.ndarray, ...]] = []

    def add(self, time: np.ndarray, page: np.ndarray, op: np.ndarray) -> None:
        """The next accesses: arrays as a trace has them (uint64, uint64, uint8)."""
        ids = self._ids.encode(page)
        if len(self._ids) > len(self._state.number):
            self._grow(len(self._ids) * 3 // 2)
        out = self._room(len(ids))
        arrays = map(read_only, (time, page, op, ids))
        _kernel("reduce_accesses", self._jit)(self._state, out, self.exact_above, *arrays)
        self._collect(out)

    def settle(self) -> Kept:
        """All references kept since the last call, in order; what may still be dropped is kept."""
        out = self._room(0)
        _kernel("settle_all", self._jit)(self._state, out, self.exact_above)
        self._collect(out)
        columns = [np.concatenate(column) for column in zip(*self._kept, strict=True)]
        self._kept.clear()
        order = np.argsort(columns[0])
        return Kept(*(column[order] for column in columns[1:]))

    def _room(self, accesses: int) -> _Out:
        """Room for what may be decided: of each access, of the list and the run."""
        n = accesses + min(self.exact_above + 1, len(self._ids)) + 1
        position, time, page = (np.empty(n, kind) for kind in (np.int64, np.uint64, np.uint64))
        return _Out(position, time, page, np.empty(n, np.uint8), np.zeros(1, np.int64))

    def _collect(self, out: _Out) -> None:
        n = int(out.used[0])
        self._kept.append(tuple(column[:n].copy() for column in out[:-1]))

    def _grow(self, pages: int) -> None:
        """Room for more pages."""
        old, new = self._state, _state(pages)
        for before, after in zip(old[:-2], new[:-2], strict=True):
            after[: len(before)] = before
        self._state = new._replace(run_time=old.run_time, list=old.list)


def _state(pages: int) -> _State:
    """The state of pages that were never referenced."""
    return _State(
        number=np.zeros(pages, np.uint64),
        newer=np.full(pages, _OUT, np.int32),
        older=np.full(pages, _NONE, np.int32),
        latest=np.zeros(pages, np.int64),
        kept=np.full(pages, _NONE, np.int64),
        time=np.zeros(pages, np.uint64),
        op=np.full(pages, _NOTHING, np.uint8),
        run_time=np.zeros(1, np.uint64),
        list=np.array([_NONE, _NONE, 0, 0, _NONE, 0], np.int64),
    )
