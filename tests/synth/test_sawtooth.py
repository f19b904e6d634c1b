"""A sawtooth."""

from __future__ import annotations

import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


def test_up_and_down():
    """The turning points come twice."""
    assert columns("sawtooth", pages=3, accesses=9).page.tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2]


MISSES = {"lru": [25, 20, 15, 10, 5], "fifo": [25, 20, 17, 16, 5], "clock": [25, 20, 19, 18, 5]}
"""For 1 to 5 frames: (0 … 4, 4 … 0) × 3 as worked out by programs that share no code with ours."""


@pytest.mark.parametrize("policy", MISSES)
def test_misses(policy):
    """LRU as good as OPT at every size; FIFO and CLOCK not."""
    trace = open_trace(table("sawtooth", pages=5, accesses=30))
    assert [count_misses(trace, policy, frames) for frames in range(1, 6)] == MISSES[policy]
