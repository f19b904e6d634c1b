"""Order statistics against lists: Fenwick trees, and the positions of an LRU stack."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.core import fenwick, recency


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_fenwick_trees_are_prefix_sums(counts):
    """Every prefix, and for every unit the count in which it lies; empty counts hold none."""
    tree = np.zeros(len(counts) + 1, np.int64)
    for index, count in enumerate(counts):
        fenwick.add(tree, index, count)
    assert [fenwick.sum_before(tree, i) for i in range(len(counts) + 1)] == [0, *np.cumsum(counts)]
    sums = tree.copy()
    fenwick.add_up(sums)
    assert sums.tolist() == [0, *np.cumsum(counts)]
    units = [(index, unit) for index, count in enumerate(counts) for unit in range(count)]
    assert [fenwick.find(tree, target) for target in range(sum(counts))] == units


@pytest.mark.parametrize("capacity", [1, 64, 65, 200])
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_kept_positions(capacity):
    """A third given up at random: what is kept, how many before any position, and which comes at any rank."""
    positions = recency.positions(capacity)
    recency.keep_all(positions)
    kept = list(range(64 * len(positions.kept)))
    assert len(kept) >= capacity
    for gone in np.random.default_rng(capacity).permutation(kept)[: len(kept) // 3].tolist():
        recency.give_up(positions, gone)
        kept.remove(gone)
    everything = range(64 * len(positions.kept))
    assert [i for i in everything if recency.is_kept(positions, i)] == kept
    before = [sum(k < i for k in kept) for i in everything]
    assert [recency.kept_before(positions, i) for i in everything] == before
    assert [recency.kept_at(positions, rank) for rank in range(len(kept))] == kept
    recency.count_kept(positions)
    assert [recency.count_before(positions, i) for i in everything] == before
