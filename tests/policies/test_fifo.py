"""FIFO by hand."""

from __future__ import annotations

from hand_tables import drawn, queue, work

from tracereplay.policies import fifo


def test_by_hand():
    """Arrivals from the newest to the victim: hits change nothing, a slot that comes back is new."""
    work(
        fifo,
        4,
        """
        +A    a
        +B    B a
        A     B a
        +C    C B a
        A     C B a
        !A    C b
        +A    A C b
        B     A C b
        -C    A b
        +D    D A b
        +C    C D A b
        !B    C D a
        -C    D a
        -A    d
        !D
        +A    a
        """,
        lambda state, pool: drawn(fifo, state, pool, queue(state, pool)),
    )
