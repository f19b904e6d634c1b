"""LFU by hand, beside a plain dict and beside libcachesim."""

from __future__ import annotations

from typing import Any

import pytest
from field import both
from hand_tables import BASE, letter, work
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play
from policies.test_textbook import misses

from tracereplay.policies import lfu
from tracereplay.policies._queue import PREV
from tracereplay.policies.lfu import USES


def drawn(state: Any, pool: int) -> str:
    """Slots with their uses, from the most used and most recent to the next victim."""
    words, group = [], state.groups[pool, PREV]
    while group != pool:
        slot = state.links[state.anchor + group, PREV]
        while slot != state.anchor + group:
            words.append(f"{letter(slot - BASE)}{state.groups[group, USES]}")
            slot = state.links[slot, PREV]
        group = state.groups[group, PREV]
    return " ".join(words)


def test_by_hand():
    """A slot moves alone, joins others, keeps a group of its own, leaves one behind, and comes back new."""
    work(
        lfu,
        4,
        """
        +A    A1
        +B    B1 A1
        A     A2 B1
        B     B2 A2
        +C    B2 A2 C1
        C     C2 B2 A2
        C     C3 B2 A2
        C     C4 B2 A2
        B     C4 B3 A2
        B     B4 C4 A2
        +D    B4 C4 A2 D1
        -A    B4 C4 D1
        !D    B4 C4
        +A    B4 C4 A1
        C     C5 B4 A1
        -B    C5 A1
        A     C5 A2
        A     C5 A3
        !A    C5
        !C
        +C    C1
        """,
        drawn,
    )


def test_scans():
    """A page used twice outlives any number of pages used once; LRU forgets it."""
    string = [0, 0, 1, 1, *range(2, 50), 0, 1]
    assert (misses("lfu", string, 3), misses("lru", string, 3)) == (50, 52)


class Naive:
    """LFU over a dict of pages: how often each was used, and when last."""

    def __init__(self) -> None:
        self.used: dict[int, tuple[int, int]] = {}
        self.time = 0

    def hit(self, page: int) -> None:
        self.time += 1
        self.used[page] = (self.used[page][0] + 1, self.time)

    def bring_in(self, page: int, full: bool) -> int | None:
        left = self.shrink() if full else None
        self.time += 1
        self.used[page] = (1, self.time)
        return left

    def shrink(self) -> int:
        left = min(self.used, key=lambda page: self.used[page])
        self.remove(left)
        return left

    def remove(self, page: int) -> None:
        del self.used[page]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(frames=st.integers(1, 8), todo=operations())
def test_naive(frames, todo):
    """The pages that leave are those of a plain dict, whatever is freed and however memory shrinks."""
    assert play(Ours(lfu, frames), frames, todo) == play(Naive(), frames, todo)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [20, 100, 1_000, 5_000])
def test_libcachesim(frames, tmp_path):
    """As many misses as libcachesim's."""
    ours, theirs = both("lfu", "LFU", frames, tmp_path)
    assert ours == theirs
