"""A loop."""

from __future__ import annotations

import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


def test_the_same_pages_in_the_same_order():
    """0, 1, 2, 0, 1, 2, 0."""
    assert columns("loop", pages=3, accesses=7).page.tolist() == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("policy", ["lru", "fifo", "clock"])
def test_one_frame_fewer_and_nothing_hits(policy):
    """The cliff: all accesses miss with n - 1 frames, only first touches with n."""
    trace = open_trace(table("loop", pages=50, accesses=1000))
    assert [count_misses(trace, policy, frames) for frames in (49, 50)] == [1000, 50]
