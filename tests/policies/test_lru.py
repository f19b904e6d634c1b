"""LRU by hand."""

from __future__ import annotations

from hand_tables import drawn, queue, work

from tracereplay.policies import lru


def test_by_hand():
    """Recency from the newest to the victim, through hits, removals at every place and an empty queue."""
    work(
        lru,
        4,
        """
        +A    a
        A     a
        +B    B a
        +C    C B a
        A     A C b
        A     A C b
        C     C A b
        +D    D C A b
        !B    D C a
        -D    C a
        +B    B C a
        -C    B a
        -A    b
        !B
        +D    d
        +A    A d
        D     D a
        """,
        lambda state, pool: drawn(lru, state, pool, queue(state, pool)),
    )
