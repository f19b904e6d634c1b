"""Intel Pin's pinatrace: the instruction, R or W, the address; newer kits add size and value.

Only instructions that access memory are recorded, so their own addresses are no trace of the code and are
not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, SKIP, blanks, decimal, hexadecimal
from tracereplay.trace.formats._records import MOST_PAGES, Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "0x7f1e0a3c2b14: W 0x7ffc5d3e1a88"

_LINE = re.compile(rb"0x[0-9a-fA-F]+:[ \t]+[RW][ \t]+0x[0-9a-fA-F]+([ \t]+[0-9]+([ \t].*)?)?|#.*")
_R, _W, _HASH, _COLON = 82, 87, 35, 58


def looks_like(head: bytes) -> bool:
    """Whether the first lines are such accesses or comments, and some are accesses."""
    return b": " in head and all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One access a line; without a size it is of one byte."""
    expected = f"instruction, R or W and address, such as {SAMPLE}"
    yield from _lines.records(
        sources, findings, line, ("address", "size", "op"), expected, skips=("lines that begin with #",)
    )


def line(text, i, stop, rows, n):
    """``0x7f1e0a3c2b14: W 0x7ffc5d3e1a88 8 0x1``: the last two may be missing."""
    if text[i] == _HASH:
        return SKIP
    _, colon = hexadecimal(text, i, stop)
    if colon == i or text[colon] != _COLON:
        return BAD
    letter = blanks(text, colon + 1, stop)
    first = blanks(text, letter + 1, stop)
    address, end = hexadecimal(text, first, stop)
    if end == first or first == letter + 1 or (text[letter] != _R and text[letter] != _W):
        return BAD
    size = np.uint64(0)
    if end < stop:
        digits = blanks(text, end, stop)
        size, after = decimal(text, digits, stop)
        if digits == end or after == digits or (after < stop and blanks(text, after, stop) == after):
            return BAD
        if size > np.uint64(MOST_PAGES):
            return BAD
    rows.address[n] = address
    rows.size[n] = size
    rows.op[n] = text[letter] == _W
    return 1
