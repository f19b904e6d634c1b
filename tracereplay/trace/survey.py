"""Everything that one pass over a trace's rows can count: for ``info`` and ``check``."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.reader import Batch, Trace
from tracereplay.trace.schema import Op

_WRITE, _FREE = int(Op.WRITE), int(Op.FREE)
_TOUCHED, _KNOWN, _FREED = 1, 2, 4
FIRST_TOUCHES, FILE_FILLS, EMPTY_READS, UNTRACED_WRITES, READS_AFTER_FREE = range(5)
_N_EVENTS = 5


class Seen(NamedTuple):
    """Some rows that have something in common: how many, and the first of them (None of none)."""

    number: int
    row: int | None


@dataclass(frozen=True)
class Survey:
    """What the rows of a sound trace are; counts are of rows, unless named otherwise.

    ``events`` are as in the replay of a machine that never evicts a page, by FIRST_TOUCHES and so on: first
    touches of a page; those that read a content, which came from a file; those that read what is not known,
    which is taken to be empty; reads that tell of a write that nobody recorded; reads of a page after its
    FREE and before anything wrote it.
    ``known`` and ``zero`` count known contents and those of the zero page.
    """

    ops: dict[Op, int]
    footprints: tuple[int, ...]
    rows_of_vm: tuple[int, ...]
    first_time: int
    last_time: int
    longest_gap: int
    gap_row: int | None
    hottest_page_rows: int
    lowest_page: int
    highest_page: int
    page_bits: int
    known: int
    zero: int
    events: tuple[Seen, ...]


def survey(trace: Trace) -> Survey:
    """Read all rows, checksums included; TraceError at the first that is wrong."""
    clerk = _Clerk(trace)
    for batch in trace.batches():
        clerk.add(batch)
    return clerk.survey()


class _Clerk:
    """Counts batch by batch; memory is that of the footprint."""

    def __init__(self, trace: Trace) -> None:
        self._ids = Ids(trace.n_vms, expected=sum(vm.pages or 0 for vm in trace.metadata.vms))
        self._pages = Pages(np.zeros(0, np.uint64), np.zeros(0, np.uint8), np.zeros(0, np.int64))
        self._tally = Tally(np.zeros(_N_EVENTS, np.int64), np.zeros(_N_EVENTS, np.int64))
        self._ops = np.zeros(len(Op), np.int64)
        self._rows_of_vm = np.zeros(trace.n_vms, np.int64)
        self._times: list[int] = []
        self._gap: tuple[int, int | None] = (0, None)
        self._lowest, self._highest, self._bits = 2**64 - 1, 0, 0
        self._known = self._zero = 0

    def add(self, batch: Batch) -> None:
        number = self._ids.encode(batch.page, batch.vm)
        self._pages = Pages(*(grown(column, len(self._ids), 0) for column in self._pages))
        rows = Rows(number, *map(read_only, (batch.op, batch.content, batch.known)))
        _follow()(self._pages, rows, batch.row, self._tally)
        self._ops += np.bincount(batch.op, minlength=len(Op))
        self._rows_of_vm += np.bincount(batch.vm, minlength=len(self._rows_of_vm))
        self._known += int(batch.known.sum())
        self._zero += int((batch.known & (batch.content == 0)).sum())
        self._lowest = min(self._lowest, int(batch.page.min()))
        self._highest = max(self._highest, int(batch.page.max()))
        self._bits |= int(np.bitwise_or.reduce(batch.page))
        self._measure(batch)

    def _measure(self, batch: Batch) -> None:
        """Note the ends of the clock and the longest time between two rows."""
        first, last = int(batch.time[0]), int(batch.time[-1])
        before = self._times[-1] if self._times else first
        gaps = np.diff(batch.time, prepend=np.uint64(before))
        at = int(gaps.argmax())
        if gaps[at] > self._gap[0]:
            self._gap = int(gaps[at]), batch.row + at
        self._times = [self._times[0] if self._times else first, last]

    def survey(self) -> Survey:
        return Survey(
            ops={op: int(self._ops[op]) for op in Op},
            footprints=tuple(int(n) for n in self._ids.counts),
            rows_of_vm=tuple(int(n) for n in self._rows_of_vm),
            first_time=self._times[0],
            last_time=self._times[1],
            longest_gap=self._gap[0],
            gap_row=self._gap[1],
            hottest_page_rows=int(self._pages.rows.max()),
            lowest_page=self._lowest,
            highest_page=self._highest,
            page_bits=self._bits,
            known=self._known,
            zero=self._zero,
            events=tuple(Seen(int(n), int(row) if n else None) for n, row in zip(*self._tally, strict=True)),
        )


class Pages(NamedTuple):
    """What is known of each page by its dense id."""

    content: Any  # uint64, meant where known
    state: Any  # uint8: _TOUCHED, _KNOWN, _FREED
    rows: Any  # int64: rows so far


class Rows(NamedTuple):
    """Rows for the kernel, arrays of equal length."""

    page: Any  # int32, dense id over all VMs
    op: Any  # uint8
    content: Any  # uint64
    known: Any  # bool


class Tally(NamedTuple):
    """How often each event happened, and in which row first; int64[events]."""

    counts: Any
    first_rows: Any


def follow(pages, rows, start, tally):
    """Advance ``pages`` by rows of a trace, the first of which is number ``start``; count their events."""
    for i in range(rows.page.shape[0]):
        page, op, content, known = rows.page[i], rows.op[i], rows.content[i], rows.known[i]
        state = pages.state[page]
        pages.rows[page] += 1
        if op == _FREE:
            pages.state[page] = _FREED
        elif op == _WRITE:
            if not state & _TOUCHED:
                note(tally, FIRST_TOUCHES, start + i)
            set_content(pages, page, content, known)
        elif not state & _TOUCHED:
            note(tally, FIRST_TOUCHES, start + i)
            if known and content != 0:
                note(tally, FILE_FILLS, start + i)
            if not known:
                note(tally, EMPTY_READS, start + i)
            if state & _FREED:
                note(tally, READS_AFTER_FREE, start + i)
            # what no file filled is filled with zeros
            set_content(pages, page, content if known else np.uint64(0), True)
        elif known:
            if state & _KNOWN and content != pages.content[page]:
                note(tally, UNTRACED_WRITES, start + i)
            set_content(pages, page, content, True)


def set_content(pages, page, content, known):
    """The page is touched and holds ``content``, if that is known."""
    pages.content[page] = content
    pages.state[page] = _TOUCHED | _KNOWN if known else _TOUCHED


def note(tally, event, row):
    """Count an event and keep its first row."""
    if tally.counts[event] == 0:
        tally.first_rows[event] = row
    tally.counts[event] += 1


@functools.cache
def _follow() -> _jit.Kernel:
    return _jit.specialise(follow)
