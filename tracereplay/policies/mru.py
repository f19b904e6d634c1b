"""Most recently used: the victim is the slot whose last hit or insert is newest.

The best choice for a loop over more pages than memory holds, where LRU never hits.  When memory is full the
page that came last leaves first, so what was there before stays.
"""

from __future__ import annotations

import numpy as np

from tracereplay.policies._queue import PREV, unlink
from tracereplay.policies.lru import State, hit, init, insert, prefetch, remove

__all__ = ["State", "hit", "init", "insert", "prefetch", "remove", "victim"]


def victim(state, pool):
    """Take out the most recent slot and return it."""
    slot = np.int64(state.links[state.anchor + pool, PREV])
    unlink(state.links, slot)
    return slot
