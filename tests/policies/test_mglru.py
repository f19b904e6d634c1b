"""Linux's multi-generational LRU by hand."""

from __future__ import annotations

from typing import Any

from hand_tables import letter, on_list, work

from tracereplay.policies import mglru
from tracereplay.policies.mglru import MOST


def drawn(state: Any, pool: int) -> str:
    """Slots from the oldest queue's front on, with the number of their generation; * accessed."""
    words = []
    for number in range(int(state.oldest[pool]), int(state.youngest[pool]) + 1):
        for slot in reversed(on_list(state.lists, pool, number % MOST)):
            behind = (state.youngest[pool] - state.lists.list_of[slot]) % MOST
            words.append(
                f"{letter(slot - 2)}{state.youngest[pool] - behind}{'*' * int(state.accessed[slot])}"
            )
    return " ".join(words)


def test_by_hand():
    """Generations are counted from 0; a pool begins with the youngest as number 3.

    First victim: two agings, for 3 is the only generation; the first clears all bits.  B was accessed and
    goes on to 5.  Before D leaves, 5 holds three of four pages, so A and C are looked at and 6 is opened.
    Before the next A leaves, 3 and 4 are empty, and two generations are too few: D is looked at, 7 opened.
    """
    work(
        mglru,
        4,
        """
        +A    A3*
        +B    A3* B3*
        +C    A3* B3* C3*
        +D    A3* B3* C3* D3*
        !A    B3 C3 D3
        +A    B3 C3 D3 A5*
        B     B3* C3 D3 A5*
        !C    D3 A5* B5
        +C    D3 A5* B5 C5*
        !D    A5 B5 C5
        +D    A5 B5 C5 D6*
        !A    B5 C5 D6
        D     B5 C5 D6*
        B     B5* C5 D6*
        !C    D6* B7
        -D    B7
        !B
        """,
        drawn,
    )
