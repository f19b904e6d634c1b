"""Linux's active and inactive lists by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from hand_tables import letter, on_list, work

from tracereplay.policies import linux
from tracereplay.policies.linux import ACCESSED, ACTIVE, INACTIVE, REFERENCED


def drawn(state: Any, pool: int) -> str:
    """Inactive list | active list, each from back to front; + found accessed once, * accessed since."""
    words = [
        " ".join(
            letter(slot - 2)
            + "+" * bool(state.flags[slot] & REFERENCED)
            + "*" * bool(state.flags[slot] & ACCESSED)
            for slot in on_list(state.lists, pool, which)
        )
        for which in (INACTIVE, ACTIVE)
    ]
    return " | ".join(words) if words[1] else words[0]


def test_by_hand():
    """Accessed once: another round; accessed twice: active; the active list gives up what is too much."""
    work(
        linux,
        4,
        """
        +A    A*
        +B    B* A*
        +C    C* B* A*
        !A    C+ B+
        +A    A* C+ B+
        C     A* C+* B+
        B     A* C+* B+*
        !B    A+ | C
        +B    B* A+ | C
        A     B* A+* | C
        -C    B* A+*
        !B    | A
        !A
        """,
        drawn,
    )


@np.errstate(over="ignore")
def test_refault_distance():
    """A page that comes back after fewer evictions and activations than there are active pages is active."""
    state = linux.init([4], np.zeros(1, np.uint64))

    def bring(page: int, slot: int) -> str:
        linux.expect(state, 0, page)
        if slot < 0:
            slot = int(linux.victim(state, 0))
        linux.insert(state, 0, slot)
        return f"{page} in {slot}, {'active' if state.lists.list_of[slot] == ACTIVE else 'inactive'}"

    told = [bring(page, slot=page) for page in range(4)]
    told.append(bring(4, -1))  # 0 leaves: age 1
    linux.hit(state, 0, 1)
    linux.hit(state, 0, 2)
    told.append(bring(0, -1))  # 1 and 2 become active, 3 leaves: age 4, 0 is back at distance 3 > 2
    told.append(bring(3, -1))  # 4 leaves: age 5, 3 is back at distance 1
    assert told == [
        "0 in 0, inactive",
        "1 in 1, inactive",
        "2 in 2, inactive",
        "3 in 3, inactive",
        "4 in 0, inactive",
        "0 in 3, inactive",
        "3 in 0, active",
    ]
