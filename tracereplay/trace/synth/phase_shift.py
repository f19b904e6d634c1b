"""Phases, each with pages of its own: working sets that are swapped for one another at once.

Stresses how fast a policy forgets: what was frequent a phase ago is dead weight, which LFU keeps; and
whoever divides memory by past activity is late at each shift.
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
    sets: Count = 4,
    phase: Accesses = 100_000,
    accesses: Accesses = 1_000_000,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """``pages`` fall into ``sets`` equal working sets, each in use for ``phase`` accesses at a time, in turn.

    Inside a phase all pages of its set are alike.
    """
    expect(1 <= sets <= pages, "sets", sets, f"at least 1 and at most the {pages} pages")
    expect(phase > 0, "phase", phase, "at least 1")
    size, larger = divmod(pages, sets)

    def reference(start: int, n: int) -> np.ndarray:
        chosen = np.arange(start, start + n) // phase % sets
        # chosen · pages // sets, which would overflow
        low, high = (turn * size + turn * larger // sets for turn in (chosen, chosen + 1))
        return low.astype(np.uint64) + (uniform(seed, PATTERN, start, n) * (high - low)).astype(np.uint64)

    return one_vm("phase-shift", Load(pages, accesses, writes, duplicates, seed), reference)
