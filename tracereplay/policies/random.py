"""Uniformly random among the slots of the pool, from the run's own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.core.rng import below, peek_below


class State(NamedTuple):
    members: np.ndarray  # uint32[slots], the pool's slots are dense from start[pool] on
    index_of: np.ndarray  # uint32[slots], where a slot stands in members
    start: np.ndarray  # int64[pools]
    size: np.ndarray  # int64[pools]
    streams: np.ndarray  # uint64[pools], states of the random streams


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` holds the state of one random stream a pool (uint64)."""
    n = int(sum(pool_sizes))
    start = np.concatenate([[0], np.cumsum(pool_sizes)[:-1]]).astype(np.int64)
    size = np.zeros(len(pool_sizes), np.int64)
    return State(np.zeros(n, np.uint32), np.zeros(n, np.uint32), start, size, streams.copy())


def insert(state, pool, slot):
    """Append ``slot``."""
    index = index_at(state, pool, state.size[pool])
    state.members[index] = slot
    state.index_of[slot] = index
    state.size[pool] += 1


def hit(state, pool, slot):
    """Change nothing."""


def remove(state, pool, slot):
    """Take ``slot`` out; the last member moves into the hole."""
    fill(state, pool, np.int64(state.index_of[slot]))


def victim(state, pool):
    """Draw a member, take it out and return it."""
    index = index_at(state, pool, below(state.streams, pool, state.size[pool]))
    slot = np.int64(state.members[index])
    fill(state, pool, index)
    return slot


def likely_victim(state, pool, ahead):
    """The member that stands where the draw after ``ahead`` others will fall in a pool of this size."""
    size = state.size[pool]
    load(state.members, index_at(state, pool, peek_below(state.streams, pool, size, ahead + 1)))
    return np.int64(state.members[index_at(state, pool, peek_below(state.streams, pool, size, ahead))])


def fill(state, pool, hole):
    """Move the last member to the index ``hole``."""
    state.size[pool] -= 1
    last = np.int64(state.members[index_at(state, pool, state.size[pool])])
    state.members[hole] = last
    state.index_of[last] = hole


def index_at(state, pool, place):
    """Where member ``place`` of a pool stands; unsigned, so that the compiler need not allow for others."""
    return np.int64(np.uint32(state.start[pool] + place))
