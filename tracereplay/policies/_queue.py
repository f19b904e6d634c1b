"""Doubly linked queues over slots, one or several a pool, for policies that order slots.

Slots of all pools share the rows ``0 … n−1`` of ``links``; the rows from ``n`` on are the anchors of the
queues, pool by pool: an anchor's NEXT is the front of its queue (the next victim), its PREV the back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PREV, NEXT = 0, 1


def empty_links(pool_sizes: Sequence[int], n_queues: int = 1) -> np.ndarray:
    """Links of empty queues, ``n_queues`` a pool, uint32[n + pools · queues, 2].

    Both links share a cache line on purpose, and are unsigned so that the compiler need not allow for
    negative indices.
    """
    n = int(sum(pool_sizes))
    links = np.zeros((n + len(pool_sizes) * n_queues, 2), np.uint32)
    links[n:] = np.arange(n, len(links), dtype=np.uint32)[:, None]
    return links


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
