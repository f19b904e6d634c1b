"""Doubly linked queues over slots, one or several a pool, for policies that order slots.

Slots of all pools share the rows ``0 … n−1`` of ``links``; the rows from ``n`` on are the anchors of the
queues, pool by pool: an anchor's NEXT is the front of its queue (the next victim), its PREV the back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PREV, NEXT = 0, 1


def empty_links(n_slots: int, n_queues: int) -> np.ndarray:
    """Links of slots on no queue and of empty queues, uint32[slots + queues, 2].

    Both links share a cache line on purpose, and are unsigned so that the compiler need not allow for
    negative indices.
    """
    links = np.zeros((n_slots + n_queues, 2), np.uint32)
    links[n_slots:] = np.arange(n_slots, len(links), dtype=np.uint32)[:, None]
    return links


def fill(links: np.ndarray, anchor: int, rows: Sequence[int] | np.ndarray) -> None:
    """Put ``rows`` into the empty queue of ``anchor``, the first of them at the front."""
    ring = np.array([anchor, *rows], np.int64)
    links[ring, PREV], links[ring, NEXT] = np.roll(ring, 1), np.roll(ring, -1)


def push_back(links, anchor, slot):
    """Append ``slot`` to the queue of ``anchor``."""
    back = np.int64(links[anchor, PREV])
    links[slot, PREV] = back
    links[slot, NEXT] = anchor
    links[back, NEXT] = slot
    links[anchor, PREV] = slot


def unlink(links, slot):
    """Take ``slot`` out of its queue."""
    before = np.int64(links[slot, PREV])
    after = np.int64(links[slot, NEXT])
    links[before, NEXT] = after
    links[after, PREV] = before
