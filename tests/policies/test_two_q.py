"""2Q by hand, beside plain lists and beside libcachesim."""

from __future__ import annotations

import math

import pytest
from field import both
from hand_tables import newcomers, work_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play

from tracereplay.policies import two_q


def test_by_hand():
    """Four frames, Kin = 2 of them, Kout = 2: every case of the paper, a page freed, memory that shrinks.

    With three frames Kin is 1, as Am may count on 1.5, rounded to 2.  With one frame Kin is 1 and Am empty.
    """
    work_pages(
        two_q,
        4,
        """
        A      A | |
        B      B A | |
        A      B A | |
        C      C B A | |
        D      D C B A | |
        E!A    E D C B | | A
        A!B    E D C | A | B
        F!C    F E D | A | C B
        B!D    F E | B A | D C
        A      F E | A B | D C
        G!B    G F E | A | D C
        C!E    G F | C A | E D
        H!A    H G F | C | E D
        -C     H G F | | E D
        C      C H G F | | E D
        !F     C H G | | F E
        E!G    C H | E | G F
        !H     C | E | H G
        !E     C | | H G
        B!C    B | | C
        +      B | | C
        C      B | C |
        """,
        lambda state, pool: newcomers(state.queues, pool),
        hot=0.5,
        ghosts=0.5,
    )


def test_hits_that_promote():
    """As some libraries have it, a hit moves a page from A1in to Am."""
    work_pages(
        two_q,
        3,
        """
        A      A | |
        B      B A | |
        A      B | A |
        A      B | A |
        C      C B | A |
        B      C | B A |
        D!A    D C | B |
        E!C    E D | B | C
        """,
        lambda state, pool: newcomers(state.queues, pool),
        hot=0.5,
        promote_hits=True,
    )


class Naive:
    """2Q over lists of pages, the oldest first."""

    def __init__(self, hot: float = 0.75, ghosts: float = 0.5) -> None:
        self.hot, self.ghosts = hot, ghosts
        self.a1in: list[int] = []
        self.a1out: list[int] = []
        self.am: list[int] = []

    def hit(self, page: int) -> None:
        if page in self.am:
            self.am.remove(page)
            self.am.append(page)

    def bring_in(self, page: int, full: bool) -> int | None:
        to = self.am if page in self.a1out else self.a1in
        if page in self.a1out:
            self.a1out.remove(page)
        left = self.shrink() if full else None
        to.append(page)
        return left

    def shrink(self) -> int:
        size = len(self.a1in) + len(self.am)
        kin = max(size - math.floor(size * self.hot + 0.5), 1)
        if len(self.a1in) <= kin and self.am:
            return self.am.pop(0)
        left = self.a1in.pop(0)
        self.a1out.append(left)
        self.a1out = self.a1out[max(len(self.a1out) - math.floor(size * self.ghosts + 0.5), 0) :]
        return left

    def remove(self, page: int) -> None:
        (self.a1in if page in self.a1in else self.am).remove(page)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    frames=st.integers(1, 8),
    todo=operations(),
    params=st.fixed_dictionaries(
        {key: st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) for key in ("hot", "ghosts")}
    ),
)
def test_naive(frames, todo, params):
    """The pages that leave are those of plain lists, whatever is freed and however memory shrinks."""
    assert play(Ours(two_q, frames, **params), frames, todo) == play(Naive(**params), frames, todo)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [20, 100, 1_000, 5_000])
def test_libcachesim(frames, tmp_path):
    """As many misses as libcachesim's, in which nothing has to be rounded."""
    ours, theirs = both("two_q", "TwoQ", frames, tmp_path)
    assert ours == theirs
