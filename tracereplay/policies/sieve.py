"""SIEVE: a hand goes from the oldest slot to the newest and takes the first that was not visited.

Slots stand in the order in which they came and never move.  A hit marks a slot as visited; the hand clears
the marks that it passes, stays where it has taken a slot, and starts again from the oldest after the newest.
Source: Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is simpler than LRU", NSDI 2024, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink


class State(NamedTuple):
    links: np.ndarray  # uint32[slots + pools, 2], oldest slot at the front
    visited: np.ndarray  # uint8[slots]
    hand: np.ndarray  # int64[pools]: the slot to look at next, the pool's anchor for the oldest
    anchor: int  # row of pool 0's anchor


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    n = int(sum(pool_sizes))
    hands = np.arange(n, n + len(pool_sizes), dtype=np.int64)
    return State(empty_links(n, len(pool_sizes)), np.zeros(n, np.uint8), hands, n)


def insert(state, pool, slot):
    """Add ``slot`` as the newest, not visited."""
    state.visited[slot] = 0
    push_back(state.links, state.anchor + pool, slot)


def hit(state, pool, slot):
    """Mark ``slot`` as visited."""
    state.visited[slot] = 1


def remove(state, pool, slot):
    """Take ``slot`` out; a hand that was there goes on to the next newer one."""
    if state.hand[pool] == slot:
        state.hand[pool] = np.int64(state.links[slot, NEXT])
    unlink(state.links, slot)


def victim(state, pool):
    """Take out the first slot from the hand on that was not visited and return it."""
    anchor = state.anchor + pool
    slot = state.hand[pool]
    while slot == anchor or state.visited[slot]:
        if slot != anchor:
            state.visited[slot] = 0
        slot = np.int64(state.links[slot, NEXT])
    state.hand[pool] = np.int64(state.links[slot, NEXT])
    unlink(state.links, slot)
    return slot


def prefetch(state, pool, slot):
    """Start loading the mark of ``slot``."""
    load(state.visited, slot)
