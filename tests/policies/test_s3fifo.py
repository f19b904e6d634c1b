"""S3-FIFO by hand, beside plain lists and beside libcachesim."""

from __future__ import annotations

import math
from typing import Any

import pytest
from field import both
from hand_tables import newcomers, work_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play

from tracereplay import policies
from tracereplay.policies import s3fifo


def drawn(state: Any, pool: int) -> str:
    """The queues, a page with how often it was hit."""
    return newcomers(state.queues, pool, state.hits)


def test_by_hand():
    """Four frames, half of them for S, two ghosts: every case of the paper, a page freed, memory shrinking.

    B and later I, J and K are promoted.  A and D come back while they are remembered.  H finds S too short.
    With three frames S may still hold two, 1.5 rounded.
    """
    work_pages(
        s3fifo,
        4,
        """
        A      A | |
        B      B A | |
        B      B1 A | |
        C      C B1 A | |
        D      D C B1 A | |
        E!A    E D C B1 | | A
        B      E D C B2 | | A
        F!C    F E D | B | C A
        A!D    F E | A B | D C
        B      F E | A B1 | D C
        A      F E | A1 B1 | D C
        G!E    G F | A1 B1 | E D
        D!F    G | D A1 B1 | F E
        H!D    H G | A B | F E
        -G     H | A B | F E
        I      I H | A B | F E
        !H     I | A B | H F
        J!B    J I | A | H F
        +      J I | A | H F
        K      K J I | A | H F
        I      K J I1 | A | H F
        I      K J I2 | A | H F
        J      K J1 I2 | A | H F
        J      K J2 I2 | A | H F
        K      K1 J2 I2 | A | H F
        K      K2 J2 I2 | A | H F
        B!A    B | K J I | H F
        B      B1 | K J I | H F
        B      B2 | K J I | H F
        B      B3 | K J I | H F
        B      B3 | K J I | H F
        """,
        drawn,
        small=0.5,
        ghosts=0.5,
    )


def test_variants():
    """One hit may be enough for M, and M may take what S has no room for before anything has left."""
    work_pages(
        s3fifo,
        4,
        """
        A      A | |
        B      B A | |
        C      B A | C |
        -B     A | C |
        B      B A | C |
        A      B A1 | C |
        D      B A1 | D C |
        E!B    E | A D C | B
        F!C    F E | A D | B
        G!E    G F | A D | E B
        """,
        drawn,
        small=0.5,
        promote_at=1,
        fill_main=True,
    )


def test_counters_have_two_bits():
    """A promotion after more hits than are counted is an error that says so."""
    with pytest.raises(ValueError, match='promote_at of policy s3fifo: found "4"; expected a number up to 3'):
        policies.parse("s3fifo:promote_at=4")


class Naive:
    """S3-FIFO over lists of pages, the oldest first."""

    def __init__(self, small: float = 0.1, ghosts: float = 0.9, promote_at: int = 2) -> None:
        self.small_share, self.ghost_share, self.promote_at = small, ghosts, promote_at
        self.small: list[int] = []
        self.main: list[int] = []
        self.ghosts: list[int] = []
        self.freq: dict[int, int] = {}

    def hit(self, page: int) -> None:
        self.freq[page] = min(self.freq[page] + 1, 3)

    def bring_in(self, page: int, full: bool) -> int | None:
        to = self.main if page in self.ghosts else self.small
        if page in self.ghosts:
            self.ghosts.remove(page)
        left = self.shrink() if full else None
        to.append(page)
        self.freq[page] = 0
        return left

    def shrink(self) -> int:
        size = len(self.small) + len(self.main)
        if len(self.small) >= max(math.floor(size * self.small_share + 0.5), 1) or not self.main:
            while self.small:
                page = self.small.pop(0)
                if self.freq[page] < self.promote_at:
                    self.ghosts.append(page)
                    most = math.floor(size * self.ghost_share + 0.5)
                    self.ghosts = self.ghosts[max(len(self.ghosts) - most, 0) :]
                    return page
                self.main.append(page)
                self.freq[page] = 0
        while self.freq[self.main[0]] > 0:
            page = self.main.pop(0)
            self.freq[page] -= 1
            self.main.append(page)
        return self.main.pop(0)

    def remove(self, page: int) -> None:
        (self.small if page in self.small else self.main).remove(page)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    frames=st.integers(1, 8),
    todo=operations(),
    params=st.fixed_dictionaries(
        {
            "small": st.sampled_from([0.0, 0.1, 0.5, 1.0]),
            "ghosts": st.sampled_from([0.0, 0.5, 0.9]),
            "promote_at": st.integers(0, 3),
        }
    ),
)
def test_naive(frames, todo, params):
    """The pages that leave are those of plain lists, whatever is freed and however memory shrinks."""
    assert play(Ours(s3fifo, frames, **params), frames, todo) == play(Naive(**params), frames, todo)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [20, 100, 1_000, 5_000])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("s3fifo:fill_main=true", {}),
        ("s3fifo:fill_main=true,promote_at=1", {"move_to_main_threshold": 1}),
        ("s3fifo:fill_main=true,small=0.3,ghosts=0.2", {"small_size_ratio": 0.3, "ghost_size_ratio": 0.2}),
    ],
)
def test_libcachesim(frames, ours, theirs, tmp_path):
    """As many misses as libcachesim's, which fills M while memory fills."""
    found, expected = both(ours, "S3FIFO", frames, tmp_path, **theirs)
    assert found == expected
