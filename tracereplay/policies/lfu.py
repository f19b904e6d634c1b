"""Least frequently used: the victim is the slot with the fewest uses since it came in.

Its insert is the first use, and what has left is forgotten.  Of slots with equally many uses the one that was
used least recently goes first.  Slots with as many uses form a group, and the groups of a pool stand in the
order of their uses, so that every operation takes constant time.
Source: Matani, Shah and Mitra, "An O(1) algorithm for implementing the LFU cache eviction scheme", 2010,
which leaves the choice among equals open.  libCacheSim's two LFUs choose as we do and call it first in, first
out: in the order in which slots came by their number of uses, which is that of their last uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._queue import NEXT, PREV, empty_links, fill, push_back, unlink

USES, HELD = 2, 3


class State(NamedTuple):
    """A group is a row of ``groups``: first the anchors of the pools, then one more, of the unused groups."""

    links: np.ndarray  # uint32[slots + groups, 2]: a queue for each group, least recent slot at the front
    group_of: np.ndarray  # uint32[slots]
    groups: np.ndarray  # int64[groups, 4]: PREV and NEXT by rising use, its USES, how many slots are HELD
    anchor: int  # row in links of group 0's anchor
    unused: int  # the group that is the anchor of the unused ones


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    groups = np.zeros((pools + 1 + n, 4), np.int64)
    groups[:, PREV] = groups[:, NEXT] = np.arange(len(groups))
    fill(groups, pools, np.arange(pools + 1, len(groups)))
    return State(empty_links(n, len(groups)), np.zeros(n, np.uint32), groups, n, pools)


def insert(state, pool, slot):
    """Add ``slot`` with its first use."""
    join(state, pool, slot, 1)


def hit(state, pool, slot):
    """Count a use of ``slot``; a group of its own it may keep."""
    group = np.int64(state.group_of[slot])
    uses = state.groups[group, USES] + 1
    if state.groups[group, HELD] == 1 and state.groups[state.groups[group, NEXT], USES] != uses:
        state.groups[group, USES] = uses
    else:
        unlink(state.links, slot)
        join(state, group, slot, uses)
        leave(state, group)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    unlink(state.links, slot)
    leave(state, np.int64(state.group_of[slot]))


def victim(state, pool):
    """Take out the least recent slot of the group with the fewest uses and return it."""
    group = state.groups[pool, NEXT]
    slot = np.int64(state.links[state.anchor + group, NEXT])
    remove(state, pool, slot)
    return slot


def join(state, before, slot, uses):
    """Put ``slot`` at the back of the group of so many uses, which is or will be the one after ``before``."""
    group = state.groups[before, NEXT]
    if state.groups[group, USES] != uses:
        after = group
        group = state.groups[state.unused, PREV]
        unlink(state.groups, group)
        push_back(state.groups, after, group)
        state.groups[group, USES] = uses
    state.groups[group, HELD] += 1
    state.group_of[slot] = group
    push_back(state.links, state.anchor + group, slot)


def leave(state, group):
    """One slot fewer in a group; without any it is unused."""
    state.groups[group, HELD] -= 1
    if state.groups[group, HELD] == 0:
        unlink(state.groups, group)
        push_back(state.groups, state.unused, group)


def prefetch(state, pool, slot):
    """Start loading the group of ``slot``."""
    load(state.group_of, slot)
