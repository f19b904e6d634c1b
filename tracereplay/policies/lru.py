"""Least recently used: the victim is the slot whose last hit or insert is oldest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._queue import NEXT, PREV, empty_links, push_back, unlink


class State(NamedTuple):
    links: np.ndarray  # uint32[slots + pools, 2], least recent slot at the front
    anchor: int  # row of pool 0's anchor


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    n = int(sum(pool_sizes))
    return State(empty_links(n, len(pool_sizes)), n)


def insert(state, pool, slot):
    """Add ``slot`` as the most recent."""
    push_back(state.links, state.anchor + pool, slot)


def hit(state, pool, slot):
    """Make ``slot`` the most recent."""
    if state.links[state.anchor + pool, PREV] != slot:
        unlink(state.links, slot)
        push_back(state.links, state.anchor + pool, slot)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    unlink(state.links, slot)


def victim(state, pool):
    """Take out the least recent slot and return it."""
    slot = np.int64(state.links[state.anchor + pool, NEXT])
    unlink(state.links, slot)
    return slot


def prefetch(state, pool, slot):
    """Start loading the links of ``slot``."""
    load(state.links, slot)
