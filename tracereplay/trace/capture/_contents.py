"""Contents of a running program's pages, as the 64-bit ids of a trace."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np

from tracereplay.trace.hashing import page_contents

PAGE_SIZE = 4096
"""Of recordings, in bytes."""
_RUN = 256  # pages read at once, at most


def contents(memory: int, pages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Content ids (uint64[n]) of ascending page numbers, and whether they could be read (bool[n]).

    ``memory`` is a descriptor of /proc/PID/mem.
    """
    ids, known = np.zeros(len(pages), np.uint64), np.zeros(len(pages), np.bool_)
    for start, stop in _runs(pages):
        read = _read(memory, int(pages[start]), stop - start)
        end = start + len(read) // PAGE_SIZE
        ids[start:end], known[start:end] = page_contents(read[: (end - start) * PAGE_SIZE]), True
        for i in range(end + 1, stop):
            ids[i : i + 1], known[i : i + 1] = contents(memory, pages[i : i + 1])
    return ids, known


def _runs(pages: np.ndarray) -> list[tuple[int, int]]:
    """Where runs of consecutive pages start and stop, cut into at most ``_RUN`` pages."""
    gaps = np.flatnonzero(np.diff(pages) != 1) + 1
    edges = [0, *gaps.tolist(), len(pages)]
    return [(i, min(i + _RUN, stop)) for start, stop in pairwise(edges) for i in range(start, stop, _RUN)]


def _read(memory: int, page: int, count: int) -> bytes:
    """As many of the pages as can be read until one cannot."""
    try:
        return os.pread(memory, count * PAGE_SIZE, page * PAGE_SIZE)
    except (OSError, OverflowError):  # the latter in the upper half of all addresses: offsets are signed
        return b""
