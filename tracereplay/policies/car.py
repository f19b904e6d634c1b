"""CAR: ARC with a clock in place of each list of pages in memory, so that a hit sets a bit and no more.

The hand of T1's clock turns if T1 is as long as the target and not empty, else that of T2's: a page whose bit
is clear leaves; if it is set it is cleared, and the page goes to the tail of T2.  Ghosts and target are those
of ARC, but the target learns after the victim has been chosen.
Source: Bansal and Modha, "CAR: clock with adaptive replacement", FAST 2004, figure 2.  A balloon takes the
page that would leave for one in no list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._adaptive import (
    B1,
    T1,
    T2,
    Lists,
    bring_in,
    demote,
    empty_lists,
    enter,
    front,
    leave,
    recall,
    resize,
    step,
)
from tracereplay.policies._ghosts import NONE


class State(NamedTuple):
    lists: Lists
    referenced: np.ndarray  # uint8[slots]


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    return State(empty_lists(pool_sizes), np.zeros(int(sum(pool_sizes)), np.uint8))


def expect(state, pool, page):
    """Note from which list of ghosts a page comes back."""
    recall(state.lists, pool, page)


def insert(state, pool, slot):
    """Add ``slot`` at the tail of T1, or of T2 if its page was a ghost; then the target learns from it."""
    lists = state.lists
    came_from = np.int64(lists.came_from[pool])
    if came_from == B1:
        by = step(lists, pool, came_from)
        lists.target[pool] = min(lists.target[pool] + by, float(lists.memory[pool]))
    elif came_from != NONE:
        lists.target[pool] = max(lists.target[pool] - step(lists, pool, came_from), 0.0)
    state.referenced[slot] = 0
    bring_in(lists, pool, slot)


def hit(state, pool, slot):
    """Set the reference bit."""
    state.referenced[slot] = 1


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.lists, pool, slot)


def victim(state, pool):
    """Take out the first slot that was not referenced under the hand that turns and return it."""
    lists = state.lists
    resize(lists, pool)
    slot = under_the_hand(lists, pool)
    while state.referenced[slot]:
        state.referenced[slot] = 0
        leave(lists, pool, slot)
        enter(lists, pool, T2, slot)
        slot = under_the_hand(lists, pool)
    demote(lists, pool, slot)
    return slot


def under_the_hand(lists, pool):
    """The head of T1 if that is as long as it should be, else that of T2."""
    return front(lists, pool, T1 if lists.length[pool, T1] >= max(lists.target[pool], 1.0) else T2)


def prefetch(state, pool, slot):
    """Start loading the reference bit of ``slot``."""
    load(state.referenced, slot)
