"""The log of a program under lackey, read from a pipe while it is written, as arrays of accesses."""

from __future__ import annotations

import fcntl
import os
from typing import Protocol

import numpy as np

from tracereplay.trace.capture._contents import PAGE_SIZE
from tracereplay.trace.capture._syscalls import SystemCalls
from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, SKIP
from tracereplay.trace.formats._records import Records, pages_touched
from tracereplay.trace.formats.lackey import access, is_system_call
from tracereplay.trace.ids import read_only

_BYTES = 1 << 22
_SYSTEM_CALL = 255


class Sink(Protocol):
    """Where accesses go, in order: ``time`` and ``page`` uint64, ``op`` uint8."""

    def add(self, time: np.ndarray, page: np.ndarray, op: np.ndarray) -> None: ...


class Log:
    """Reads lackey's lines from ``pipe`` into ``sink``, one entry for each page that an access touches.

    ``time`` is the number of the access; what a system call reads or writes has that of the access after it.
    ``accesses`` counts those so far; ``capacity`` is how many bytes the pipe holds.
    """

    def __init__(self, pipe: int, sink: Sink) -> None:
        os.set_blocking(pipe, False)
        self.capacity = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
        self.accesses = 0
        self._pipe = pipe
        self._sink = sink
        self._text = np.empty(_BYTES, np.uint8)
        self._filled = 0
        self._scanner = _lines.Scanner(line)
        self._calls = SystemCalls()

    def pump(self) -> int:
        """Take what the pipe holds; returns how many bytes, 0 when there are none now."""
        try:
            count = os.readv(self._pipe, [self._text[self._filled :].data])
        except BlockingIOError:
            return 0
        self._filled += count
        text = read_only(self._text[: self._filled])
        for n in self._scanner.steps(text):
            self._take(text, n)
        rest = text[self._scanner.at :].copy()
        self._text[: len(rest)] = rest
        self._filled = len(rest)
        return count

    def drain(self) -> None:
        """Take all that the pipe holds."""
        while self.pump():
            pass

    def _take(self, text: np.ndarray, n: int) -> None:
        """Pass ``n`` rows of the scanner on, with what system calls accessed in the places of their lines."""
        address, size, op = (column[:n] for column in self._scanner.rows[1:])
        own = op != _SYSTEM_CALL
        made = self._made_by_calls(text, np.flatnonzero(~own), np.cumsum(own))
        time = np.arange(self.accesses, self.accesses + int(own.sum()), dtype=np.uint64)
        self.accesses += len(time)
        columns = [time, address[own], size[own], op[own]]
        if made:
            at, *inserted = (np.array(column, np.uint64) for column in zip(*made, strict=True))
            inserted.insert(0, at + np.uint64(self.accesses - len(time)))
            columns = [np.insert(c, at.astype(np.int64), i) for c, i in zip(columns, inserted, strict=True)]
        self._pass_on(*columns)

    def _made_by_calls(
        self, text: np.ndarray, rows: np.ndarray, own_before: np.ndarray
    ) -> list[tuple[int, int, int, int]]:
        """(How many of the program's own accesses come before, address, size, op) of what calls accessed."""
        address, size = self._scanner.rows.address, self._scanner.rows.size
        found: list[tuple[int, int, int, int]] = []
        for row in rows.tolist():
            begin, end = int(address[row]), int(address[row] + size[row])
            said = bytes(text[begin:end]).decode("utf-8", "replace")
            found += [(int(own_before[row]), *made) for made in self._calls.accesses(said)]
        return found

    def _pass_on(self, time: np.ndarray, address: np.ndarray, size: np.ndarray, op: np.ndarray) -> None:
        """Split accesses that cross pages."""
        page, of_access = pages_touched(Records(address, size), PAGE_SIZE)
        if of_access is not None:
            time, op = time[of_access], op[of_access]
        self._sink.add(time, page, op)


def line(text, i, stop, rows, n):
    """An access, or of a system call's line where it stands; any other line says nothing of memory."""
    found = access(text, i, stop, rows, n)
    if found != BAD:
        return found
    if stop - i > 1 and is_system_call(text, i):
        rows.address[n] = i
        rows.size[n] = stop - i
        rows.op[n] = _SYSTEM_CALL
        return 1
    return SKIP
