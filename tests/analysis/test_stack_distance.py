"""Stack distances against a list, and against simulated LRU memories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.analysis.one_level import count_misses, dense_pages
from tracereplay.analysis.stack_distance import StackDistances, stack_distances
from tracereplay.bundled import trace_path
from tracereplay.core import recency
from tracereplay.trace import open_trace


def naive(pages: list[int]) -> list[int]:
    """The place of each page in a list, to whose front it is moved then."""
    stack: list[int] = []
    found = []
    for page in pages:
        found.append(stack.index(page) if page in stack else -1)
        if page in stack:
            stack.remove(page)
        stack.insert(0, page)
    return found


def test_by_hand():
    """a b c b a a: b comes back over c, a over b and c, then over nothing."""
    assert stack_distances(np.array([5, 2**63, 9, 2**63, 5, 5], np.uint64)).tolist() == [-1, -1, -1, 1, 2, 0]
    assert stack_distances(np.array([], np.uint64)).tolist() == []


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 12), max_size=40), max_size=8), st.booleans())
def test_like_a_list(batches, jit):
    """Any accesses in any batches, compiled or not, with pages that become known on the way."""
    stack, found, known = StackDistances(jit=jit), [], 0
    for batch in batches:
        known = max([known, *(page + 1 for page in batch)])
        found += stack.touch(np.array(batch, np.int32), known).tolist()
    assert found == naive([page for batch in batches for page in batch])


@pytest.mark.parametrize("jit", [False, True])
def test_positions_are_numbered_anew(jit, monkeypatch):
    """With hardly more positions than pages they run out all the time, which changes nothing."""
    monkeypatch.setattr(recency, "_FEWEST_POSITIONS", 1)
    pages = (np.random.default_rng(2).random(6000) ** 3 * 250).astype(np.int32)
    stack, found = StackDistances(jit=jit), []
    for first in range(0, 6000, 500):
        found += stack.touch(pages[first : first + 500], int(pages[: first + 500].max()) + 1).tolist()
    assert found == naive(pages.tolist())


@pytest.mark.parametrize("name", ["sort", "sqlite", "cc1"])
def test_distances_are_misses_at_every_size(name):
    """An LRU memory of k frames misses first touches and distances of k or more, at eight sizes."""
    trace = open_trace(trace_path(name))
    stack = StackDistances()
    found = np.concatenate([stack.touch(pages, known) for pages, known in dense_pages(trace)])
    sizes = np.unique(np.geomspace(1, found.max() + 1, 8).astype(int)).tolist()
    misses = [int((found < 0).sum() + (found >= size).sum()) for size in sizes]
    assert misses == [count_misses(trace, "lru", size) for size in sizes]
