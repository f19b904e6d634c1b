"""Ranges of blocks as in the ARC paper's traces (.lis): first block, count, ignored, request number.

Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, SKIP, blanks, decimal
from tracereplay.trace.formats._records import MOST_PAGES, Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "37412 8 0 1"

_LINE = re.compile(rb"[0-9]{1,20}([ \t]+[0-9]{1,20}){3}")


def looks_like(head: bytes) -> bool:
    """Whether the first lines are four numbers each."""
    return all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One page read per block of each range."""
    findings.blocks = True
    expected = f"first block, count (at most {MOST_PAGES}), two more numbers, such as {SAMPLE}"
    yield from _lines.records(
        sources, findings, line, ("address", "size"), expected, skips=("ranges of no blocks",)
    )


def line(text, i, stop, rows, n):
    """``37412 8 0 1``."""
    words = 0
    while i < stop:
        number, end = decimal(text, i, stop)
        i = blanks(text, end, stop)
        if end == stop or i > end:
            words += 1
        else:
            return BAD
        if words == 1:
            rows.address[n] = number
        elif words == 2:
            rows.size[n] = number
    if words != 4 or rows.size[n] > np.uint64(MOST_PAGES):
        return BAD
    return 1 if rows.size[n] > 0 else SKIP
