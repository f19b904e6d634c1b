"""Linux's classic lists: an inactive and an active queue, accessed bits, and refault distances.

A page comes in on the inactive list with its accessed bit set.  The scan for a victim takes the inactive
list's front: unless its accessed bit is set it leaves; if it is, the bit is cleared and the page goes to the
back once, the second time onto the active list.  While the active list is longer than ``active_ratio`` times
the inactive one, its front moves to the inactive list's back, its bits cleared.  A page that comes back is
put on the active list at once if its refault distance (evictions and activations since it left) is at most
that list's length.
Source: mm/vmscan.c and mm/workingset.c of Linux 6.1, for anonymous pages alone; there the ratio is
√(10 · GiB of memory), at least 1, and pages are scanned in batches of 32 instead of one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.catalog import Count
from tracereplay.core.hooks import load
from tracereplay.policies._ghosts import (
    NONE,
    Ghosts,
    add,
    arrived,
    expect,
    find,
    forget,
    forget_oldest,
    full,
    no_ghosts,
)
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink

__all__ = ["State", "expect", "hit", "init", "insert", "prefetch", "remove", "victim"]

INACTIVE, ACTIVE = 0, 1
ACCESSED, REFERENCED = 1, 2


class State(NamedTuple):
    links: np.ndarray  # uint32[slots + 2 · pools, 2]: an inactive and an active list for each pool
    anchor: int  # row of pool 0's inactive list
    flags: np.ndarray  # uint8[slots]: ACCESSED by the program, REFERENCED: found accessed once before
    list_of: np.ndarray  # uint8[slots]
    length: np.ndarray  # int64[pools, 2]
    age: np.ndarray  # int64[pools]: evictions and activations so far
    left_at: np.ndarray  # int64[ghosts]: age when the page left
    page_of: np.ndarray  # int32[slots]
    coming: np.ndarray  # int32[pools]
    ghosts: Ghosts
    active_ratio: int


def init(pool_sizes: Sequence[int], streams: np.ndarray, *, active_ratio: Count = 1) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    ``active_ratio``: how many times as long as the inactive list the active one may be, at least 1.
    """
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return State(
        links=empty_links(pool_sizes, 2),
        anchor=n,
        flags=np.zeros(n, np.uint8),
        list_of=np.zeros(n, np.uint8),
        length=np.zeros((pools, 2), np.int64),
        age=np.zeros(pools, np.int64),
        left_at=np.zeros(n, np.int64),
        page_of=np.full(n, NONE, np.int32),
        coming=np.full(pools, NONE, np.int32),
        ghosts=no_ghosts(pool_sizes),
        active_ratio=max(active_ratio, 1),
    )


def insert(state, pool, slot):
    """Add ``slot`` to the active list if its page left so lately that it would have fitted there."""
    page = arrived(state, pool, slot)
    which = INACTIVE
    ghost = find(state.ghosts, page) if page != NONE else np.int64(NONE)
    if ghost != NONE:
        if state.age[pool] - state.left_at[ghost] <= state.length[pool, ACTIVE]:
            which = ACTIVE
            state.age[pool] += 1
        forget(state.ghosts, pool, ghost)
    state.flags[slot] = ACCESSED
    enter(state, pool, which, slot)


def hit(state, pool, slot):
    """Set the accessed bit."""
    state.flags[slot] |= ACCESSED


def remove(state, pool, slot):
    """Take ``slot`` out."""
    state.length[pool, state.list_of[slot]] -= 1
    unlink(state.links, slot)


def victim(state, pool):
    """Take out the first slot of the inactive list that was not accessed and return it."""
    slot = oldest_inactive(state, pool)
    while state.flags[slot] & ACCESSED:
        remove(state, pool, slot)
        if state.flags[slot] & REFERENCED:
            state.flags[slot] = 0
            state.age[pool] += 1
            enter(state, pool, ACTIVE, slot)
        else:
            state.flags[slot] = REFERENCED
            enter(state, pool, INACTIVE, slot)
        slot = oldest_inactive(state, pool)
    remove(state, pool, slot)
    remember(state, pool, np.int64(state.page_of[slot]))
    return slot


def oldest_inactive(state, pool):
    """The front of the inactive list, after the active list has given up what it has too many of."""
    inactive, active = state.length[pool, INACTIVE], state.length[pool, ACTIVE]
    while inactive == 0 or inactive * state.active_ratio < active:
        slot = np.int64(state.links[state.anchor + 2 * pool + ACTIVE, NEXT])
        remove(state, pool, slot)
        state.flags[slot] = 0
        enter(state, pool, INACTIVE, slot)
        inactive, active = inactive + 1, active - 1
    return np.int64(state.links[state.anchor + 2 * pool + INACTIVE, NEXT])


def enter(state, pool, which, slot):
    """Put ``slot`` at the back of a list."""
    state.list_of[slot] = which
    state.length[pool, which] += 1
    push_back(state.links, state.anchor + 2 * pool + which, slot)


def remember(state, pool, page):
    """Note when a page leaves; so many pages are remembered as the pool can hold at most."""
    state.age[pool] += 1
    if page != NONE:
        if full(state.ghosts, pool):
            forget_oldest(state.ghosts, pool, 0)
        state.left_at[add(state.ghosts, pool, 0, page)] = state.age[pool]


def prefetch(state, pool, slot):
    """Start loading the bits of ``slot``."""
    load(state.flags, slot)
