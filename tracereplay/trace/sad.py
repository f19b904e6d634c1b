"""Which references of one VM may be left out: *safely allowed drop* (SAD), online and in constant time.

Kaplan, Smaragdakis and Wilson, "Flexible reference trace reduction for VM simulations", ACM TOMACS 13(1),
2003.  A reference is dropped when fewer than K other pages are referenced (or freed) between its page's kept
reference before it and its page's next one; a list of the K + 1 most recent pages tells whether they are.
What a dropped reference did to its page, the next kept one of that page does: ``merged``.  Where that could
not do it, both are kept: ``reveals``.
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
_FIRST, _LAST, _SIZE, _RUN = range(4)


class References(NamedTuple):
    """References of one VM, arrays of equal length; ``row`` is the number of each in the trace."""

    row: np.ndarray  # int64
    time: np.ndarray  # uint64
    page: np.ndarray  # uint64
    op: np.ndarray  # uint8
    content: np.ndarray  # uint64
    known: np.ndarray  # bool, whether there is a content


class _State(NamedTuple):
    """What is known of each page, by dense id, and of the list of the most recent ones.

    Consecutive references to one page that make one are the *run*.  A page's latest reference may *wait*:
    whether it is dropped depends on the next one.  Only pages in the list have one that waits.
    """

    newer: np.ndarray  # int32[pages]: neighbour in the list, _NONE at its end, _OUT if not in it
    older: np.ndarray  # int32[pages]
    latest: np.ndarray  # int64[pages]: row of the latest reference
    kept: np.ndarray  # int64[pages]: row of the latest kept one; _NONE: the next one is kept
    waiting: References  # [pages]: the reference that waits, op _NOTHING where none does
    run: References  # [1]: the run
    list: np.ndarray  # int64[4]: first and last page, size, page of the run


class _Out(NamedTuple):
    """Where kept references go, in the order in which they are decided."""

    rows: References
    used: np.ndarray  # int64[1]: how many


def reduce_references(s, out, above, rows, ids):
    """Take references in order; ``above`` is K."""
    for i in range(ids.shape[0]):
        index = np.int64(ids[i])
        is_free = rows.op[i] == _FREE
        if not is_free and index == s.list[_RUN] and joined(s, rows, i):
            continue
        end_run(s, out, above)
        if is_free:
            keep_waiting(s, out, index)
            emit(out, rows, i)
            to_front(s, out, above, index)
            s.latest[index] = rows.row[i]
            s.kept[index] = _NONE
        else:
            s.list[_RUN] = index
            put(s.run, 0, rows, i)


def settle_all(s, out, above):
    """Keep every reference that waits, and the run."""
    end_run(s, out, above)
    index = s.list[_FIRST]
    while index != _NONE:
        keep_waiting(s, out, index)
        index = np.int64(s.older[index])


def oldest_open(s):
    """The row of the oldest reference that is not decided; _NONE when all are."""
    index = s.list[_LAST]
    while index != _NONE:
        if s.waiting.op[index] != _NOTHING:
            return s.latest[index]
        index = np.int64(s.newer[index])
    return np.int64(_NONE) if s.list[_RUN] == _NONE else s.run.row[0]


def joined(s, rows, i):
    """Let row ``i`` become part of the run, unless a fault that the run begins with would be another one."""
    one = (np.int64(s.run.op[0]), s.run.content[0], s.run.known[0])
    other = (np.int64(rows.op[i]), rows.content[i], rows.known[i])
    both = merged(one, other)
    if reveals(one, other) or is_from_file(one) != is_from_file(both):
        return False
    s.run.op[0], s.run.content[0], s.run.known[0] = both
    return True


def is_from_file(reference):
    """Whether a page that is touched so for the first time comes from a file."""
    op, content, known = reference
    return op != _WRITE and known and content != 0


def reveals(one, other):
    """Whether two reads of a page find different contents, which tells of a write that nobody recorded."""
    op, content, known = one
    later, found, is_found = other
    return op != _WRITE and later != _WRITE and known and is_found and content != found


def merged(one, other):
    """What two references to a page in memory do together: operation, content, whether it is known.

    A write if one is, a fetch if both are; the content is the later one's where that is known or written.
    """
    op, content, known = one
    later, found, is_found = other
    if op == _WRITE or later == _WRITE:
        op = _WRITE
    elif op != later:
        op = _READ
    if later == _WRITE or is_found:
        content, known = found, is_found
    return op, content, known


def end_run(s, out, above):
    """Take the run as one reference, in the place of its first."""
    index = s.list[_RUN]
    if index == _NONE:
        return
    s.list[_RUN] = _NONE
    to_front(s, out, above, index)
    if s.kept[index] == _NONE:
        emit(out, s.run, 0)
        s.kept[index] = s.run.row[0]
    else:
        wait(s, out, above, index)
    s.latest[index] = s.run.row[0]


def wait(s, out, above, index):
    """Let the run wait; what waited before is dropped, and part of it now, or kept."""
    w = s.waiting
    now = (np.int64(s.run.op[0]), s.run.content[0], s.run.known[0])
    if w.op[index] != _NOTHING:
        before = (np.int64(w.op[index]), w.content[index], w.known[index])
        if is_droppable(s, above, index) and not reveals(before, now):
            now = merged(before, now)
        else:
            keep_waiting(s, out, index)
    put(w, index, s.run, 0)
    w.op[index], w.content[index], w.known[index] = now


def is_droppable(s, above, index):
    """Whether fewer than ``above`` other pages were referenced since the kept reference of the first page."""
    return s.list[_SIZE] <= above or s.latest[s.list[_LAST]] < s.kept[index]


def keep_waiting(s, out, index):
    """Keep the reference of a page that waits, if there is one."""
    if s.waiting.op[index] != _NOTHING:
        emit(out, s.waiting, index)
        s.kept[index] = s.latest[index]
        s.waiting.op[index] = _NOTHING


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


def emit(out, rows, i):
    """Keep row ``i`` of ``rows``."""
    put(out.rows, out.used[0], rows, i)
    out.used[0] += 1


def put(target, at, rows, i):
    """Copy row ``i`` of ``rows`` to row ``at`` of ``target``."""
    target.row[at] = rows.row[i]
    target.time[at] = rows.time[i]
    target.page[at] = rows.page[i]
    target.op[at] = rows.op[i]
    target.content[at] = rows.content[i]
    target.known[at] = rows.known[i]


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {
        "reduce_references": reduce_references,
        "settle_all": settle_all,
        "oldest_open": oldest_open,
    }
    return _jit.specialise(kernels[name], jit=jit)


class SafeDrop:
    """Drops references of one VM as they come; memory grows with the footprint alone."""

    def __init__(self, exact_above: int, *, jit: bool = True) -> None:
        self.exact_above = exact_above
        self._jit = jit
        self._ids = Ids()
        self._state = _state(0)

    def add(self, rows: References) -> References:
        """Take the next references; return those of all so far that are kept for certain now, in no order."""
        ids = self._ids.encode(rows.page)
        if len(self._ids) > len(self._state.latest):
            self._grow(len(self._ids) * 3 // 2)
        taken = References(*map(read_only, rows))
        return self._decided("reduce_references", len(ids), taken, read_only(ids))

    def settle(self) -> References:
        """Keep all that may still be dropped, at most K + 2 references more than were needed."""
        return self._decided("settle_all", 0)

    def oldest_open(self) -> int | None:
        """The row of the oldest reference that may still be dropped: of those before it, all are decided."""
        row = int(_kernel("oldest_open", self._jit)(self._state))
        return None if row == _NONE else row

    def _decided(self, kernel: str, n: int, *arguments: object) -> References:
        """What a kernel keeps: of ``n`` new references, of those that wait, and the run."""
        out = _Out(_references(n + min(self.exact_above + 1, len(self._ids)) + 1), np.zeros(1, np.int64))
        _kernel(kernel, self._jit)(self._state, out, self.exact_above, *arguments)
        return References(*(column[: out.used[0]].copy() for column in out.rows))

    def _grow(self, pages: int) -> None:
        """Room for more pages."""
        old, new = self._state, _state(pages)
        for before, after in zip((*old[:4], *old.waiting), (*new[:4], *new.waiting), strict=True):
            after[: len(before)] = before
        self._state = new._replace(run=old.run, list=old.list)


def _references(n: int) -> References:
    """Room for ``n`` references."""
    kinds = (np.int64, np.uint64, np.uint64, np.uint8, np.uint64, np.bool_)
    return References(*(np.empty(n, kind) for kind in kinds))


def _state(pages: int) -> _State:
    """The state of pages that were never referenced."""
    return _State(
        newer=np.full(pages, _OUT, np.int32),
        older=np.full(pages, _NONE, np.int32),
        latest=np.zeros(pages, np.int64),
        kept=np.full(pages, _NONE, np.int64),
        waiting=_references(pages)._replace(op=np.full(pages, _NOTHING, np.uint8)),
        run=_references(1),
        list=np.array([_NONE, _NONE, 0, _NONE], np.int64),
    )
