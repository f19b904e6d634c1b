"""Phases."""

from __future__ import annotations

import numpy as np
from synthetic import columns


def test_each_phase_has_its_set():
    """Ten pages in three sets (0-2, 3-5, 6-9), 500 accesses each in turn, all pages of a set alike."""
    page = columns("phase-shift", pages=10, sets=3, phase=500, accesses=3200).page.astype(int)
    sets = [(0, 3), (3, 6), (6, 10), (0, 3), (3, 6), (6, 10), (0, 3)]
    for k, (low, high) in enumerate(sets):
        phase = page[500 * k : 500 * (k + 1)]
        assert set(phase.tolist()) == set(range(low, high))
        expected = len(phase) / (high - low)
        counts = np.bincount(phase - low)
        assert np.abs(counts - expected).max() < 4 * np.sqrt(expected)
    assert len(page) == 3200


def test_sets_of_any_number():
    """The last of 100,000 sets is the last of 2^48 pages' 100,000 parts."""
    page = columns("phase-shift", pages=2**48, sets=100_000, phase=1, accesses=100_000).page.tolist()
    ends = [turn * 2**48 // 100_000 for turn in range(100_001)]
    assert all(low <= p < high for low, p, high in zip(ends[:-1], page, ends[1:], strict=True))
