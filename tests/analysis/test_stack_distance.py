"""Stack distances against a list, and against simulated LRU memories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.analysis.one_level import count_misses, dense_rows
from tracereplay.analysis.stack_distance import FIRST_TOUCH, FREED, StackDistances, stack_distances
from tracereplay.bundled import trace_path
from tracereplay.core import recency
from tracereplay.trace import open_trace
from tracereplay.trace.schema import Op


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


class Memories:
    """LRU memories of every size up to ``largest`` as lists, the most recent page first."""

    def __init__(self, largest: int) -> None:
        self.memories: list[list[int]] = [[] for _ in range(largest)]

    def access(self, page: int) -> list[bool]:
        """Whether each memory misses; a miss evicts only where no frame is free."""
        missed = [page not in memory for memory in self.memories]
        for size, memory in enumerate(self.memories, start=1):
            self._drop(memory, page)
            memory.insert(0, page)
            del memory[size:]
        return missed

    def free(self, page: int) -> None:
        for memory in self.memories:
            self._drop(memory, page)

    @staticmethod
    def _drop(memory: list[int], page: int) -> None:
        if page in memory:
            memory.remove(page)

    def depth(self, page: int) -> int:
        """In how many memories the page is not; −1 if it is in none."""
        absent = sum(page not in memory for memory in self.memories)
        return -1 if absent == len(self.memories) else absent


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


def test_frees_by_hand():
    """a, b, c come and b is freed: a memory of 2 has room for a then and keeps c, one of 3 has room for d."""
    pages, free = np.array([0, 1, 2, 1, 0, 3, 2, 1], np.int32), int(Op.FREE)
    stack = StackDistances(jit=False)
    found = stack.touch(pages, 4, np.array([0, 1, 3, free, 0, 0, 0, 0], np.uint8))
    assert found.tolist() == [FIRST_TOUCH] * 3 + [FREED, 2, FIRST_TOUCH, 2, FIRST_TOUCH]
    assert stack.depths().tolist() == [3, 0, 1, 2]


def check_with_frees(stack: StackDistances, batches: list[list[tuple[int, int]]], n_pages: int) -> None:
    """Each access misses in just the memories of its distance or less; depths are where memories begin."""
    memories, sizes = Memories(n_pages), range(1, n_pages + 1)
    for batch in batches:
        pages = np.array([page for page, _ in batch], np.int32)
        ops = np.array([op for _, op in batch], np.uint8)
        for (page, op), distance in zip(batch, stack.touch(pages, n_pages, ops).tolist(), strict=True):
            if op == Op.FREE:
                memories.free(page)
                assert distance == FREED
            else:
                missed = [distance == FIRST_TOUCH or size <= distance for size in sizes]
                assert memories.access(page) == missed
        assert stack.depths().tolist() == [memories.depth(page) for page in range(n_pages)]


OPS = [int(Op.READ)] * 3 + [int(Op.WRITE), int(Op.FETCH), int(Op.FREE)]
ROWS = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(OPS)), max_size=30)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(ROWS, max_size=4))
def test_frees_leave_frames_in_memories_of_every_size(batches):
    """Any rows in any batches, with frees of pages in memory, out of it and never touched."""
    check_with_frees(StackDistances(jit=False), batches, 8)


@pytest.mark.parametrize("jit", [False, True])
def test_holes_are_numbered_anew(jit, monkeypatch):
    """So do many rows, compiled or not, during which the positions run out now and then."""
    monkeypatch.setattr(recency, "_FEWEST_POSITIONS", 1)
    rng = np.random.default_rng(3)
    rows = list(zip(rng.integers(0, 16, 500).tolist(), rng.choice(OPS, 500).tolist(), strict=True))
    check_with_frees(StackDistances(jit=jit), [rows[:100], rows[100:]], 16)


@pytest.mark.parametrize("name", ["sort", "sqlite", "cc1"])
def test_distances_are_misses_at_every_size(name):
    """An LRU memory of k frames misses first touches and distances of k or more, at eight sizes."""
    trace = open_trace(trace_path(name))
    stack = StackDistances()
    found = np.concatenate([stack.touch(rows.pages, rows.n_pages) for rows in dense_rows(trace)])
    sizes = np.unique(np.geomspace(1, found.max() + 1, 8).astype(int)).tolist()
    misses = [int((found < 0).sum() + (found >= size).sum()) for size in sizes]
    assert misses == [count_misses(trace, "lru", size) for size in sizes]
