"""Scans: which policies keep what is used often while many pages are used once."""

from __future__ import annotations

import pytest
from policies.test_textbook import misses

HOT = [0, 1, 2, 3, 4]
BEFORE = [*HOT, *HOT, *HOT, *range(5, 13), *HOT]
"""Used thrice, then once more when eight other pages have been used."""
SCAN = range(13, 113)


@pytest.mark.parametrize("policy", ["arc", "car", "lfu", "lirs", "sieve", "s3fifo", "two_q"])
def test_hot_pages_outlive_a_scan(policy):
    """Ten frames keep five hot pages however many are used once; LRU, FIFO and CLOCK keep none of them."""
    assert missed_after_the_scan(policy) == 0
    assert [missed_after_the_scan(other) for other in ("lru", "fifo", "clock")] == [5, 5, 5]


def missed_after_the_scan(policy: str) -> int:
    """How many of the hot pages are no longer there when the scan is over."""
    during = [*BEFORE, *SCAN]
    return misses(policy, [*during, *HOT], 10) - misses(policy, during, 10)
