"""CLOCK, second chance: a FIFO queue whose referenced heads go once more to the tail.

The reference bit is clear after an insert and set by a hit; the search for a victim clears it.
Source: Corbató, "A paging experiment with the Multics system", 1968; many textbooks set the bit on
load instead, which gives other fault counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink


class State(NamedTuple):
    links: np.ndarray  # uint32[slots + pools, 2], the hand at the front
    referenced: np.ndarray  # uint8[slots]
    anchor: int  # row of pool 0's anchor


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    n = int(sum(pool_sizes))
    return State(empty_links(n, len(pool_sizes)), np.zeros(n, np.uint8), n)


def insert(state, pool, slot):
    """Add ``slot`` at the tail, not referenced."""
    state.referenced[slot] = 0
    push_back(state.links, state.anchor + pool, slot)


def hit(state, pool, slot):
    """Set the reference bit."""
    state.referenced[slot] = 1


def remove(state, pool, slot):
    """Take ``slot`` out."""
    unlink(state.links, slot)


def victim(state, pool):
    """Take out the first slot from the hand on that was not referenced and return it."""
    anchor = state.anchor + pool
    slot = np.int64(state.links[anchor, NEXT])
    while state.referenced[slot]:
        state.referenced[slot] = 0
        unlink(state.links, slot)
        push_back(state.links, anchor, slot)
        slot = np.int64(state.links[anchor, NEXT])
    unlink(state.links, slot)
    return slot


def prefetch(state, pool, slot):
    """Start loading the reference bit of ``slot``."""
    load(state.referenced, slot)
