"""Independent references with Zipf popularity: what a cache sees when nothing but frequency matters.

Stresses what a policy makes of frequency: LRU and FIFO keep pages for having been seen, LFU for being seen.
"""

from __future__ import annotations

import math

import numpy as np

from tracereplay.catalog import Accesses, Count, Number, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import shuffled, uniform
from tracereplay.trace.synth._one_vm import PATTERN, PATTERN_2, Load, expect, one_vm


def generate(
    *,
    pages: Pages = 100_000,
    accesses: Accesses = 1_000_000,
    alpha: Number = 1.0,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """The page of rank r has weight r^-``alpha``; page numbers are in random order of popularity."""
    expect(0 <= alpha < math.inf, "alpha", alpha, "a number from 0 on")

    def reference(start: int, n: int) -> np.ndarray:
        rank = np.searchsorted(cumulative, uniform(seed, PATTERN, start, n), side="right")
        return np.asarray(page_of_rank[rank])

    made = one_vm("zipf", Load(pages, accesses, writes, duplicates, seed), reference)
    cumulative = np.cumsum(np.arange(1, pages + 1, dtype=np.float64) ** -alpha)
    cumulative /= cumulative[-1]
    page_of_rank = shuffled(seed, PATTERN_2, pages)
    return made
