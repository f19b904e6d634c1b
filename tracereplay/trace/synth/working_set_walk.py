"""A working set that walks through memory, page by page: slow drift instead of sudden phases.

Stresses the tracking of a working set whose size never changes: LRU with ``window`` frames follows it
almost without loss, LFU falls behind; idle memory grows at its tail and is worth reclaiming.
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
    window: Pages = 10_000,
    step: Accesses = 20,
    accesses: Accesses = 1_000_000,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """The window moves on by one page every ``step`` accesses, from the last page to the first.

    Inside the window of ``window`` pages all are alike.
    """
    expect(1 <= window <= pages, "window", window, f"at least 1 and at most the {pages} pages")
    expect(step > 0, "step", step, "at least 1")

    def reference(start: int, n: int) -> np.ndarray:
        tail = np.arange(start, start + n, dtype=np.uint64) // np.uint64(step)
        inside = (uniform(seed, PATTERN, start, n) * window).astype(np.uint64)
        return (tail + inside) % np.uint64(pages)

    return one_vm("working-set-walk", Load(pages, accesses, writes, duplicates, seed), reference)
