"""Uniform references."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


def test_all_pages_alike():
    """Chi-squared of 100 pages' frequencies lies within four standard deviations of its mean."""
    counts = np.bincount(columns("uniform", pages=100, accesses=100_000).page.astype(int), minlength=100)
    statistic = ((counts - 1000) ** 2 / 1000).sum()
    assert abs(statistic - 99) < 4 * np.sqrt(2 * 99)


@pytest.mark.parametrize("policy", ["lru", "fifo", "clock", "random"])
def test_no_policy_can_do_better(policy):
    """Every one misses 1 - k / n of the accesses, four standard deviations allowed, and its k cold starts."""
    n, accesses = 200, 200_000
    trace = open_trace(table("uniform", pages=n, accesses=accesses, seed=3))
    for frames in (20, 100, 180):
        share = 1 - frames / n
        deviation = 4 * np.sqrt(accesses * share * (1 - share))
        assert abs(count_misses(trace, policy, frames) - accesses * share) < deviation + frames
