"""Independent references to all pages alike: the floor that no policy can beat.

Stresses nothing but size: every online policy misses 1 − frames / pages of the accesses, so whatever differs
between two policies here is a fault of one of them.
"""

from __future__ import annotations

import numpy as np

from tracereplay.catalog import Accesses, Count, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import uniform
from tracereplay.trace.synth._one_vm import PATTERN, Load, one_vm


def generate(
    *,
    pages: Pages = 100_000,
    accesses: Accesses = 1_000_000,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """Every access goes to any of ``pages`` pages with equal probability."""

    def reference(start: int, n: int) -> np.ndarray:
        return (uniform(seed, PATTERN, start, n) * pages).astype(np.uint64)

    return one_vm("uniform", Load(pages, accesses, writes, duplicates, seed), reference)
