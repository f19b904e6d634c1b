"""UCSD's address traces: load or store, address, instructions since the line before.

The variant with two miss penalties at the end of each line is read, too; the penalties are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, blanks, decimal, hexadecimal
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "s 0x1fffff78 1"

_LINE = re.compile(rb"[ls][ \t]+0x[0-9a-fA-F]{1,16}[ \t]+[0-9]{1,20}([ \t]+[0-9.]+){0,2}")
_L, _S = 108, 115
_POINT, _NINE, _SLASH = 46, 57, 47


def looks_like(head: bytes) -> bool:
    """Whether the first lines are l or s, an address with 0x, and a count."""
    return all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One access a line; times are the instructions so far."""
    findings.time_unit = "instructions"
    expected = f"l or s, an address in hexadecimal and a count of instructions, such as {SAMPLE}"
    so_far = np.uint64(0)
    for records in _lines.records(sources, findings, line, ("time", "address", "op"), expected):
        assert records.time is not None
        time = so_far + np.cumsum(records.time)
        so_far = time[-1]
        yield records._replace(time=time)


def line(text, i, stop, rows, n):
    """``s 0x1fffff78 1``, or with two penalties, as in ``s 0x1fffff78 1 0.5 12.25``."""
    first = blanks(text, i + 1, stop)
    address, end = hexadecimal(text, first, stop)
    since = blanks(text, end, stop)
    count, after = decimal(text, since, stop)
    if first == i + 1 or end == first or since == end or after == since or not penalties(text, after, stop):
        return BAD
    if text[i] != _L and text[i] != _S:
        return BAD
    rows.time[n] = count
    rows.address[n] = address
    rows.op[n] = text[i] == _S
    return 1


def penalties(text, i, stop):
    """Whether nothing follows, or two words of digits and points."""
    words = 0
    while i < stop:
        first = blanks(text, i, stop)
        end = first
        while end < stop and (text[end] == _POINT or _SLASH < text[end] <= _NINE):
            end += 1
        if first == i or end == first:
            return False
        words += 1
        i = end
    return words == 0 or words == 2
