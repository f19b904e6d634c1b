"""Text formats at tens of millions of lines a minute: one compiled loop, one small kernel per format.

A format's kernel ``line(text, i, stop, rows, n)`` reads the line ``text[i … stop − 1]`` (uint8, without
its end) and writes what it says into ``rows`` from index ``n`` on.  It returns how many records it wrote
(at most ``MOST_PER_LINE``), ``BAD`` for a line that is none of this format, or ``SKIP − k`` for one that is
left out for the reason ``skips[k]``.  Blank lines never reach it.  ``hexadecimal``, ``decimal`` and
``blanks`` help.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.problems import shown
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source

BAD = -1
SKIP = -2
MOST_PER_LINE = 4
MOST_REASONS = 8

_MOST_ROWS = 1 << 18
_AT, _ROWS, _LINE, _STATUS = range(4)
_BLANK, _TAB, _RETURN, _NEWLINE = 32, 9, 13, 10
_MORE, _FULL, _REFUSED = 0, 1, 2
_TENTH = (2**64 - 1) // 10


class Rows(NamedTuple):
    """Where a kernel writes; a format uses the columns that it names to ``records``."""

    time: np.ndarray  # uint64
    address: np.ndarray  # uint64
    size: np.ndarray  # uint64
    op: np.ndarray  # uint8


def line(text, i, stop, rows, n):
    """Hook: reads one line.  Replaced by the format's kernel."""


def scan(text, rows, state, skipped):
    """Read whole lines of ``text`` from ``state[_AT]`` on, until they or the rows are used up, or one is bad.

    ``state`` int64[4]: where the next line begins, rows written, lines read, how it ended.
    """
    at, n, number = state[_AT], np.int64(0), state[_LINE]
    end = text.shape[0]
    room = rows.address.shape[0] - MOST_PER_LINE
    status = _MORE
    while True:
        if n > room:
            status = _FULL
            break
        stop = at
        while stop < end and text[stop] != _NEWLINE:
            stop += 1
        if stop == end:
            break
        number += 1
        first, last = trimmed(text, at, stop)
        if first < last:
            found = line(text, first, last, rows, n)
            if found >= 0:
                n += found
            elif found == BAD:
                status = _REFUSED
                break
            else:
                skipped[SKIP - found] += 1
        at = stop + 1
    state[_AT], state[_ROWS], state[_LINE], state[_STATUS] = at, n, number, status


def trimmed(text, i, stop):
    """The part of a line between blanks at its ends."""
    while i < stop and (text[i] == _BLANK or text[i] == _TAB):
        i += 1
    while stop > i and (text[stop - 1] == _BLANK or text[stop - 1] == _TAB or text[stop - 1] == _RETURN):
        stop -= 1
    return i, stop


def blanks(text, i, stop):
    """Where the next word begins."""
    while i < stop and (text[i] == _BLANK or text[i] == _TAB):
        i += 1
    return i


def hexadecimal(text, i, stop):
    """(value, where it ends) of a hexadecimal number, 0x or not; it ends at ``i`` if there is none."""
    begin = i
    if i + 1 < stop and text[i] == 48 and (text[i + 1] == 120 or text[i + 1] == 88):
        i += 2
    first = i
    value = np.uint64(0)
    while i < stop:
        c = np.int64(text[i])
        if 48 <= c <= 57:
            digit = c - 48
        elif 97 <= c <= 102:
            digit = c - 87
        elif 65 <= c <= 70:
            digit = c - 55
        else:
            break
        if value >> np.uint64(60) != 0:
            return np.uint64(0), begin
        value = (value << np.uint64(4)) | np.uint64(digit)
        i += 1
    if i == first:
        return np.uint64(0), begin
    return value, i


def decimal(text, i, stop):
    """(value, where it ends) of a decimal number below 2^64; it ends at ``i`` if there is none."""
    begin = i
    value = np.uint64(0)
    while i < stop and 48 <= text[i] <= 57:
        digit = np.uint64(np.int64(text[i]) - 48)
        if value > np.uint64(_TENTH) or (value == np.uint64(_TENTH) and digit > np.uint64(5)):
            return np.uint64(0), begin
        value = value * np.uint64(10) + digit
        i += 1
    return value, i


@functools.cache
def _kernel(read_line: Callable[..., int], jit: bool) -> _jit.Kernel:
    return _jit.specialise(scan, {"line": read_line}, tag=read_line.__module__.rpartition(".")[2], jit=jit)


class Scanner:
    """Reads blocks of text with a format's kernel; what the lines say stands in ``rows`` until the next step.

    ``skipped`` counts the lines left out, by reason.
    """

    def __init__(self, read_line: Callable[..., int], *, jit: bool = True) -> None:
        kinds = (np.uint64, np.uint64, np.uint64, np.uint8)
        self.rows = Rows(*(np.zeros(_MOST_ROWS, kind) for kind in kinds))
        self.skipped = np.zeros(MOST_REASONS, np.int64)
        self._kernel = _kernel(read_line, jit)
        self._state = np.zeros(4, np.int64)

    def steps(self, text: np.ndarray) -> Iterator[int]:
        """Rows written in each step, until the lines of ``text`` (read-only uint8) end or one is bad."""
        self._state[_AT] = 0
        self._state[_STATUS] = _FULL
        while self._state[_STATUS] == _FULL:
            self._kernel(text, self.rows, self._state, self.skipped)
            yield int(self._state[_ROWS])

    @property
    def at(self) -> int:
        """Where in the text the first line begins that was not read."""
        return int(self._state[_AT])

    @property
    def line(self) -> int:
        """Lines read, a bad one included."""
        return int(self._state[_LINE])

    @property
    def refused(self) -> bool:
        """Whether the last line read was bad."""
        return bool(self._state[_STATUS] == _REFUSED)


def records(
    sources: Sequence[Source],
    findings: Findings,
    read_line: Callable[..., int],
    columns: Sequence[str],
    expected: str,
    *,
    skips: Sequence[str] = (),
    jit: bool = True,
) -> Iterator[Records]:
    """The records of all lines of ``sources``; ``columns`` of Rows are those that ``read_line`` fills.

    TraceError names file and line of the first that is not ``expected``.
    """
    for source in sources:
        scanner = Scanner(read_line, jit=jit)
        for text in whole_lines(source):
            for n in scanner.steps(text):
                if scanner.refused:
                    source.refuse_line(scanner.line, _quoted(text, scanner.at), expected)
                if n:
                    yield Records(**{name: getattr(scanner.rows, name)[:n].copy() for name in columns})
        for why, count in zip(skips, scanner.skipped, strict=False):
            findings.skip(why, int(count))


def whole_lines(source: Source) -> Iterator[np.ndarray]:
    """Blocks of text that end with a line's end, as read-only uint8 arrays."""
    for block in source.whole_lines():
        yield np.frombuffer(block, np.uint8)


def _quoted(text: np.ndarray, at: int) -> str:
    return shown(bytes(text[at : at + 200]).split(b"\n")[0].decode("utf-8", "replace").strip())
