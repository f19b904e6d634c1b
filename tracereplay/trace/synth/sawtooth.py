"""All pages up, then all pages down: LRU's best case, equal to OPT at every size.

Stresses the difference between recency and age: what LRU keeps is just what comes next, FIFO and CLOCK
throw it away.  With k frames of n, LRU misses n − k pages in each sweep after the first.
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
    """Pages 0 … ``pages`` − 1, ``pages`` − 1 … 0, and again; ``seed`` chooses only the writes."""

    def reference(start: int, n: int) -> np.ndarray:
        step = np.arange(start, start + n, dtype=np.uint64) % np.uint64(2 * pages)
        return np.minimum(step, np.uint64(2 * pages - 1) - step)

    return one_vm("sawtooth", Load(pages, accesses, writes, duplicates, seed), reference)
