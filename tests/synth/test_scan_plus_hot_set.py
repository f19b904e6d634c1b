"""A hot set and a scan."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


@pytest.mark.parametrize("scan", [0.0, 0.25, 0.3, 1.0])
def test_the_scan(scan):
    """Its share of every stretch is as asked, to one access; it goes round the pages beyond the hot ones."""
    page = columns("scan-plus-hot-set", pages=100, hot=20, scan=scan, accesses=10_000).page
    scanned = page >= 20
    for first, last in ((0, 10), (1234, 5678), (0, 10_000)):
        assert abs(scanned[first:last].sum() - scan * (last - first)) <= 1
    assert page[scanned].tolist() == [20 + i % 80 for i in range(scanned.sum())]


def test_the_hot_set():
    """Chi-squared of its 20 pages' frequencies lies within four standard deviations of its mean."""
    page = columns("scan-plus-hot-set", pages=100, hot=20, scan=0.2, accesses=50_000).page
    counts = np.bincount(page[page < 20].astype(int), minlength=20)
    assert counts.sum() == 40_000
    assert abs(((counts - 2000) ** 2 / 2000).sum() - 19) < 4 * np.sqrt(2 * 19)


def test_the_scan_washes_out_hot_pages():
    """LRU misses as many hot pages as Che's approximation says, though memory has room for all of them.

    A page stays for the T accesses that touch as many pages as there are frames:
    0.3 T + 100 (1 - exp(-0.7 T / 100)).
    """
    trace = open_trace(table("scan-plus-hot-set", pages=2000, hot=100, scan=0.3, accesses=100_000))
    for frames, stay in ((150, 232.25), (1000, 3000)):
        assert 0.3 * stay + 100 * (1 - np.exp(-0.007 * stay)) == pytest.approx(frames, abs=0.05)
        expected = 30_000 + 70_000 * np.exp(-0.007 * stay)
        assert count_misses(trace, "lru", frames) == pytest.approx(expected, rel=0.01)
