"""CAR by hand and beside a plain version of it."""

from __future__ import annotations

from hand_tables import work_pages
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play
from policies.test_arc_policy import drawn

from tracereplay.policies import car


def test_by_hand():
    """Both hands, both ghost lists, both bounds, a page freed, and a memory that shrinks and grows.

    F: T1 and B1 together fill the memory, so C is forgotten; H: all lists fill it twice, so B is.  The last
    A from B2: T1 is as long as the target before that learns from A, and G leaves.
    """
    work_pages(
        car,
        3,
        """
        A     A | | | | 0
        B     B A | | | | 0
        A     B A* | | | | 0
        C     C B A* | | | | 0
        D!B   D C | A | B | | 0
        B!C   D | B A | C | | 1
        A     D | B A* | C | | 1
        E!D   E | B A* | D C | | 1
        F!E   F | B A* | E D | | 1
        D!F   | D B A* | F E | | 2
        G!B   G | A D | F E | B | 2
        E!D   G | E A | F | D B | 3
        F!A   G | F E | | A D B | 3
        H!E   H G | F | | E A D | 3
        D!F   H G | D | | F E A | 2
        A!G   H | A D | G | F E | 1
        H     H* | A D | G | F E | 1
        I!D   I | H A | G | D F | 1
        -A    I | H | G | D F | 1
        J     J I | H | G | D F | 1
        !I    J | H | I | D F | 1
        K!J   K | H | J | D | 1
        +     K | H | J | D | 1
        L     L K | H | J | D | 1
        """,
        drawn,
    )


class Naive:
    """The paper's pseudocode over lists of pages with their reference bits, the heads first."""

    def __init__(self, frames: int) -> None:
        self.t1: list[list[int]] = []
        self.t2: list[list[int]] = []
        self.b1: list[int] = []
        self.b2: list[int] = []
        self.p, self.c = 0.0, frames

    def hit(self, page: int) -> None:
        next(entry for entry in self.t1 + self.t2 if entry[0] == page)[1] = 1

    def remove(self, page: int) -> None:
        self.t1 = [entry for entry in self.t1 if entry[0] != page]
        self.t2 = [entry for entry in self.t2 if entry[0] != page]

    def bring_in(self, page: int, full: bool) -> int | None:
        left = self.replace() if full else None
        if full:
            self.discard(page)
        if page in self.b1:
            self.p = min(self.p + max(1, len(self.b2) / len(self.b1)), self.c)
        elif page in self.b2:
            self.p = max(self.p - max(1, len(self.b1) / len(self.b2)), 0)
        is_new = page not in self.b1 + self.b2
        (self.t1 if is_new else self.t2).append([page, 0])
        for ghosts in (self.b1, self.b2):
            if page in ghosts:
                ghosts.remove(page)
        return left

    def shrink(self) -> int:
        left = self.replace()
        self.discard(None)
        return left

    def replace(self) -> int:
        self.c = len(self.t1) + len(self.t2)
        self.p = min(self.p, self.c)
        while True:
            clock, ghosts = (self.t1, self.b1) if len(self.t1) >= max(1, self.p) else (self.t2, self.b2)
            page, referenced = clock.pop(0)
            if not referenced:
                ghosts.append(page)
                return page
            self.t2.append([page, 0])

    def discard(self, coming: int | None) -> None:
        """Forget what is too much beside the page that comes, which is no ghost from now on."""
        b1, b2 = ([page for page in ghosts if page != coming] for ghosts in (self.b1, self.b2))
        is_new = coming not in self.b1 + self.b2
        while b1 and len(self.t1) + len(b1) > self.c - is_new:
            self.b1.remove(b1.pop(0))
        while len(b1) + len(b2) > self.c:
            (self.b2 if b2 else self.b1).remove((b2 or b1).pop(0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(todo=operations(pages=20, fewest=150, most=250), frames=st.integers(1, 8))
def test_naive(todo, frames):
    """The same pages leave, whatever is accessed and freed, while memory shrinks and grows."""
    assert play(Ours(car, frames), frames, todo) == play(Naive(frames), frames, todo)
