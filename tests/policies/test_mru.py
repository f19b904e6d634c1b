"""MRU by hand and beside OPT."""

from __future__ import annotations

import pytest
from hand_tables import drawn, queue, work
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play
from policies.test_textbook import SAWTOOTH, SILBERSCHATZ, table

from tracereplay.policies import mru


def test_by_hand():
    """From the newest, which is the victim, to the oldest."""
    work(
        mru,
        4,
        """
        +A    a
        +B    b A
        A     a B
        A     a B
        +C    c A B
        B     b C A
        !B    c A
        +D    d C A
        C     c D A
        -C    d A
        -A    d
        +A    a D
        !A    d
        !D
        +B    b
        """,
        lambda state, pool: drawn(mru, state, pool, queue(state, pool)),
    )


@pytest.mark.parametrize(
    ("string", "expected"),
    [(SILBERSCHATZ, [20, 18, 16, 12, 9, 6]), (SAWTOOTH, [25, 20, 15, 10, 5])],
)
def test_textbook(string, expected):
    """Misses on strings that books print, with 1, 2, … frames."""
    assert table("mru", string) == expected


def test_loops():
    """On a loop no policy misses less, however much of it fits; LRU misses every time until all does."""
    loop = list(range(6)) * 10
    assert table("mru", loop) == table("opt", loop)
    assert table("lru", loop) == [60, 60, 60, 60, 60, 6]


class Naive:
    """MRU over a list of pages, the newest last."""

    def __init__(self) -> None:
        self.pages: list[int] = []

    def hit(self, page: int) -> None:
        self.pages.remove(page)
        self.pages.append(page)

    def bring_in(self, page: int, full: bool) -> int | None:
        left = self.shrink() if full else None
        self.pages.append(page)
        return left

    def shrink(self) -> int:
        return self.pages.pop()

    def remove(self, page: int) -> None:
        self.pages.remove(page)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(frames=st.integers(1, 8), todo=operations())
def test_naive(frames, todo):
    """The pages that leave are those of a plain list, whatever is freed and however memory shrinks."""
    assert play(Ours(mru, frames), frames, todo) == play(Naive(), frames, todo)
