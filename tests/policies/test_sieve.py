"""SIEVE by hand, beside a plain list and beside libcachesim."""

from __future__ import annotations

from typing import Any

import pytest
from field import both
from hand_tables import drawn as slots
from hand_tables import queue, work
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play

from tracereplay.policies import sieve


def drawn(state: Any, pool: int) -> str:
    """Slots from the newest to the oldest; * visited, < under the hand; the next victim in lower case."""
    order = queue(state, pool)
    words = slots(sieve, state, pool, order, {slot for slot in order if state.visited[slot]}).split()
    under_the_hand = (slot == state.hand[pool] for slot in order)
    return " ".join(word + "<" * bool(there) for word, there in zip(words, under_the_hand, strict=True))


def test_by_hand():
    """The hand keeps its place among the others, goes on when its slot is removed, and comes round."""
    work(
        sieve,
        4,
        """
        +A    a
        +B    B a
        +C    C B a
        +D    D C B a
        A     D C b A*
        B     D c B* A*
        !C    d< B A
        +C    C d< B A
        D     c D*< B A
        !C    D B a
        +C    C D B a
        A     C D b A*
        -A    C D b
        !B    C d<
        -D    c<
        +D    D c<
        C     d C*<
        D     D* c*<
        !C    d<
        -D
        +A    a
        """,
        drawn,
    )


class Naive:
    """SIEVE over a list of pages, the newest last; ``hand`` is a place in it."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.visited: set[int] = set()
        self.hand = 0

    def hit(self, page: int) -> None:
        self.visited.add(page)

    def bring_in(self, page: int, full: bool) -> int | None:
        left = self.shrink() if full else None
        # past the newest the hand is back at the oldest before another page comes in
        self.hand %= max(len(self.pages), 1)
        self.pages.append(page)
        return left

    def shrink(self) -> int:
        self.hand %= len(self.pages)
        while self.pages[self.hand] in self.visited:
            self.visited.remove(self.pages[self.hand])
            self.hand = (self.hand + 1) % len(self.pages)
        return self.pages.pop(self.hand)

    def remove(self, page: int) -> None:
        place = self.pages.index(page)
        self.pages.pop(place)
        self.visited.discard(page)
        if place < self.hand:
            self.hand -= 1


@settings(max_examples=150, deadline=None, derandomize=True)
@given(frames=st.integers(1, 8), todo=operations())
def test_naive(frames, todo):
    """The pages that leave are those of a plain list, whatever is freed and however memory shrinks."""
    assert play(Ours(sieve, frames), frames, todo) == play(Naive(), frames, todo)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [20, 100, 1_000, 5_000])
def test_libcachesim(frames, tmp_path):
    """As many misses as libcachesim's."""
    ours, theirs = both("sieve", "Sieve", frames, tmp_path)
    assert ours == theirs
