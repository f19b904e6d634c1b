"""The same pages in the same order, again and again: LRU's worst case.

Stresses recency: with one frame fewer than ``pages``, LRU, FIFO and CLOCK miss every access, MRU and OPT
about one in a round per frame that is short.  What a scan of a table larger than memory does.
"""

from __future__ import annotations

import numpy as np

from tracereplay.catalog import Accesses, Count, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._one_vm import Load, one_vm


def generate(
    *,
    pages: Pages = 100_000,
    accesses: Accesses = 1_000_000,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """Pages 0, 1, … ``pages`` − 1, 0, 1, …; ``seed`` chooses only which accesses write, and what."""

    def reference(start: int, n: int) -> np.ndarray:
        return np.arange(start, start + n, dtype=np.uint64) % np.uint64(pages)

    return one_vm("loop", Load(pages, accesses, writes, duplicates, seed), reference)
