"""RANDOM by hand."""

from __future__ import annotations

from hand_tables import drawn, work

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
