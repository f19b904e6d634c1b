"""Valgrind lackey's ``--trace-mem=yes``: every load, store and instruction fetch of one program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, SKIP, blanks, decimal, hexadecimal
from tracereplay.trace.formats._records import MOST_PAGES, Findings, Records
from tracereplay.trace.formats._source import Source, first_lines
from tracereplay.trace.schema import Op

SAMPLE = " L 1fff000770,8"

_LINE = re.compile(rb"[ILSM] +[0-9a-fA-F]{8,16},[0-9]{1,5}")
_OTHER = re.compile(rb"(==|--|\*\*)[0-9]+\1.*|SYSCALL\[.*|-->.*")
_SKIPS = ("lines of Valgrind itself", "lines of system calls")
_READ, _WRITE, _FETCH = int(Op.READ), int(Op.WRITE), int(Op.FETCH)
_I, _L, _S, _M = 73, 76, 83, 77
_Y, _COMMA, _DASH, _EQUALS, _STAR, _GREATER = 89, 44, 45, 61, 42, 62


def looks_like(head: bytes) -> bool:
    """Whether the first lines are accesses, Valgrind's banner or system calls, and some are accesses."""
    lines = first_lines(head, 50)
    accesses = [line for line in lines if _LINE.fullmatch(line)]
    return bool(accesses) and all(map(_OTHER.fullmatch, (line for line in lines if line not in accesses)))


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One access a line; ``M`` (modify) is one access that writes.  ``time`` is the number of the access."""
    expected = (
        f"an access such as {SAMPLE.strip()}; the program's own output does not belong here: "
        "record with valgrind --log-file=FILE"
    )
    columns = ("address", "size", "op")
    done = 0
    for records in _lines.records(sources, findings, line, columns, expected, skips=_SKIPS):
        end = done + len(records.address)
        yield records._replace(time=np.arange(done, end, dtype=np.uint64))
        done = end


def line(text, i, stop, rows, n):
    """An access, or a line that is left out."""
    found = access(text, i, stop, rows, n)
    if found != BAD or stop - i < 3:
        return found
    if is_system_call(text, i) or (text[i] == _DASH and text[i + 1] == _DASH and text[i + 2] == _GREATER):
        return SKIP - 1
    if text[i] == text[i + 1] and (text[i] == _EQUALS or text[i] == _DASH or text[i] == _STAR):
        return SKIP
    return BAD


def access(text, i, stop, rows, n):
    """``I  0401ab70,3``, `` L 1fff000770,8``, `` S …`` or `` M …``: address in hexadecimal, size in bytes.

    A size beyond ``MOST_PAGES`` is none of an access, and would not do whatever the pages.
    """
    letter = text[i]
    if letter == _I:
        op = _FETCH
    elif letter == _L:
        op = _READ
    elif letter in (_S, _M):
        op = _WRITE
    else:
        return BAD
    first = blanks(text, i + 1, stop)
    address, comma = hexadecimal(text, first, stop)
    if first == i + 1 or comma in (first, stop) or text[comma] != _COMMA:
        return BAD
    size, end = decimal(text, comma + 1, stop)
    if end != stop or end == comma + 1 or size > np.uint64(MOST_PAGES):
        return BAD
    rows.address[n] = address
    rows.size[n] = size
    rows.op[n] = op
    return 1


def is_system_call(text, i):
    """Whether a line of at least two bytes is one of ``--trace-syscalls=yes``: ``SYSCALL[…``."""
    return text[i] == _S and text[i + 1] == _Y
