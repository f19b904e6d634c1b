"""A hot set in random order, interrupted by an endless scan: what scan resistance is for.

Stresses policies that admit every page: LRU lets the scan wash out hot pages as soon as memory is little
larger than they are; 2Q, ARC, S3-FIFO and SIEVE were made to prevent that.
"""

from __future__ import annotations

import numpy as np

from tracereplay.catalog import Accesses, Count, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import uniform
from tracereplay.trace.synth._one_vm import PATTERN, Load, expect, one_vm


def generate(
    *,
    pages: Pages = 100_000,
    hot: Pages = 10_000,
    scan: Share = 0.2,
    accesses: Accesses = 1_000_000,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """Of every 1 / ``scan`` accesses one goes on with the scan, at regular distances.

    The hot set is the first ``hot`` pages, all alike; the scan goes round the others of ``pages``.
    """
    expect(0 < hot < pages, "hot", hot, f"at least 1 and fewer than the {pages} pages")

    def reference(start: int, n: int) -> np.ndarray:
        scanned = np.floor(np.arange(start, start + n + 1) * scan).astype(np.uint64)
        scans = scanned[1:] > scanned[:-1]
        next_page = np.uint64(hot) + scanned[:-1] % np.uint64(pages - hot)
        return np.where(scans, next_page, (uniform(seed, PATTERN, start, n) * hot).astype(np.uint64))

    return one_vm("scan-plus-hot-set", Load(pages, accesses, writes, duplicates, seed), reference)
