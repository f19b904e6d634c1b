"""A working set that walks."""

from __future__ import annotations

import numpy as np
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


def test_the_window():
    """Access i goes to any of the 50 pages from i // 20 on; past the last page come the first."""
    page = columns("working-set-walk", pages=300, window=50, step=20, accesses=20_000).page.astype(int)
    inside = (page - np.arange(20_000) // 20) % 300
    assert inside.max() < 50
    counts = np.bincount(inside, minlength=50)
    assert abs(((counts - 400) ** 2 / 400).sum() - 49) < 4 * np.sqrt(2 * 49)
    assert set(page.tolist()) == set(range(300))


def test_lru_follows_it():
    """With frames for window and tail LRU misses just the new pages: one in 20 accesses."""
    trace = open_trace(table("working-set-walk", pages=3000, window=50, step=20, accesses=40_000))
    assert count_misses(trace, "lru", 100) < 1.02 * (40_000 / 20 + 50)
