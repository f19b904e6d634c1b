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
    arrive,
    forget_oldest,
    full,
    no_ghosts,
    recall,
    remember,
)
from tracereplay.policies._lists import Lists, empty_lists, enter, front, leave, move

INACTIVE, ACTIVE = 0, 1
ACCESSED, REFERENCED = 1, 2


class State(NamedTuple):
    lists: Lists  # INACTIVE and ACTIVE, the next to be looked at in front
    flags: np.ndarray  # uint8[slots]: ACCESSED by the program, REFERENCED: found accessed once before
    age: np.ndarray  # int64[pools]: evictions and activations so far
    ghosts: Ghosts
    left_at: np.ndarray  # int64[ghosts]: age when the page left
    coming_left_at: np.ndarray  # int64[pools]: age when the expected page left, if it was a ghost
    active_ratio: int


def init(pool_sizes: Sequence[int], streams: np.ndarray, *, active_ratio: Count = 1) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    ``active_ratio``: how many times as long as the inactive list the active one may be, at least 1.
    """
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return State(
        lists=empty_lists(pool_sizes, 2),
        flags=np.zeros(n, np.uint8),
        age=np.zeros(pools, np.int64),
        ghosts=no_ghosts(pool_sizes, pool_sizes),
        left_at=np.zeros(n, np.int64),
        coming_left_at=np.zeros(pools, np.int64),
        active_ratio=max(active_ratio, 1),
    )


def expect(state, pool, page):
    """Note when ``page`` left."""
    ghost = recall(state.ghosts, pool, page)
    if ghost != NONE:
        state.coming_left_at[pool] = state.left_at[ghost]


def insert(state, pool, slot):
    """Add ``slot`` to the active list if its page left so lately that it would have fitted there."""
    is_new = arrive(state.ghosts, pool, slot) == NONE
    which = INACTIVE
    if not is_new and state.age[pool] - state.coming_left_at[pool] <= state.lists.length[pool, ACTIVE]:
        which = ACTIVE
        state.age[pool] += 1
    state.flags[slot] = ACCESSED
    enter(state.lists, pool, which, slot)


def hit(state, pool, slot):
    """Set the accessed bit."""
    state.flags[slot] |= ACCESSED


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.lists, pool, slot)


def victim(state, pool):
    """Take out the first slot of the inactive list that was not accessed and return it."""
    while True:
        slot = oldest_inactive(state, pool)
        flags = state.flags[slot]
        if not flags & ACCESSED:
            leave(state.lists, pool, slot)
            note(state, pool, slot)
            return slot
        if flags & REFERENCED:
            which = ACTIVE
            state.flags[slot] = 0
            state.age[pool] += 1
        else:
            which = INACTIVE
            state.flags[slot] = REFERENCED
        move(state.lists, pool, which, slot)


def oldest_inactive(state, pool):
    """The front of the inactive list, after the active list has given up what it has too many of."""
    inactive, active = state.lists.length[pool, INACTIVE], state.lists.length[pool, ACTIVE]
    while inactive == 0 or inactive * state.active_ratio < active:
        slot = front(state.lists, pool, ACTIVE)
        state.flags[slot] = 0
        move(state.lists, pool, INACTIVE, slot)
        inactive, active = inactive + 1, active - 1
    return front(state.lists, pool, INACTIVE)


def note(state, pool, slot):
    """Note when the page in ``slot`` leaves.

    One forgotten because there are as many ghosts as slots would not become active any more: as many pages
    have left since.
    """
    state.age[pool] += 1
    if full(state.ghosts, pool):
        forget_oldest(state.ghosts, pool, 0)
    ghost = remember(state.ghosts, pool, 0, slot)
    if ghost != NONE:
        state.left_at[ghost] = state.age[pool]


def prefetch(state, pool, slot):
    """Start loading the bits of ``slot``."""
    load(state.flags, slot)
