"""RANDOM by hand."""

from __future__ import annotations

import numpy as np
from hand_tables import drawn, work

from tracereplay.core.rng import stream_state
from tracereplay.policies import random


def members(state, pool):
    """The dense array of a pool."""
    start = state.start[pool]
    return state.members[start : start + state.size[pool]].tolist()


def test_by_hand():
    """The array in its order: the draws of seed 7, stream 1 are .445 .288 .736 .374 .580 of its length.

    Of four: index 1; of three: 0; of four: 2; of two: 0; of one: 0.  The last slot moves into the hole;
    hits and removals draw nothing.
    """
    work(
        random,
        4,
        """
        +A    a
        +B    a B
        +C    A b C
        +D    A b C D
        B     A b C D
        !B    a D C
        A     a D C
        !A    C d
        +A    C D a
        +B    C D a B
        !A    C d B
        -D    c B
        B     c B
        !C    b
        !B
        +D    d
        """,
        lambda state, pool: drawn(random, state, pool, members(state, pool)),
    )


@np.errstate(over="ignore")
def test_victims_are_known_beforehand():
    """Of six slots, each replaced when it goes: .445 .288 .736 .374 of six are the indices 2 1 4 2.

    A victim leaves its hole to the last slot, and comes back as the last: the third draw ahead meets 4, as
    nobody has moved there; the fourth is looked for at index 2, where 5 stands once 2 has gone.
    """
    state = random.init([6], np.array([stream_state(7, 1)], np.uint64))
    for slot in range(6):
        random.insert(state, 0, slot)
    assert [int(random.likely_victim(state, 0, ahead)) for ahead in range(4)] == [2, 1, 4, 2]
    victims = []
    for _ in range(4):
        victims.append(int(random.victim(state, 0)))
        random.insert(state, 0, victims[-1])
    assert victims == [2, 1, 4, 5]
