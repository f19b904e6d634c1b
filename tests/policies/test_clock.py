"""CLOCK by hand."""

from __future__ import annotations

import numpy as np
from hand_tables import drawn, queue, work

from tracereplay.policies import clock


def test_by_hand():
    """The queue from its tail to the hand, a star = referenced: heads with a star go round without it.

    All referenced: the hand goes round once and takes the one it started from.  A slot that comes back
    comes back without its star.
    """
    work(
        clock,
        4,
        """
        +A    a
        +B    B a
        A     b A*
        +C    C b A*
        !B    A c
        +B    B A c
        C     B a C*
        B     B* a C*
        +D    D B* a C*
        D     D* B* a C*
        A     D* B* A* c*
        !C    D B a
        +C    C D B a
        A     C D b A*
        -B    C d A*
        !D    A c
        A     A* c
        -A    c
        +A    A c
        C     a C*
        !A    c
        C     c*
        !C
        +C    c
        """,
        lambda state, pool: drawn(
            clock, state, pool, queue(state, pool), set(np.flatnonzero(state.referenced).tolist())
        ),
    )
