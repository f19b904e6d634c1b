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
    Directory,
    bring_in,
    demote,
    empty_directory,
    lower_target,
    raise_target,
    resize,
    step,
)
from tracereplay.policies._ghosts import NONE, recall
from tracereplay.policies._lists import front, leave, move


class State(NamedTuple):
    directory: Directory
    referenced: np.ndarray  # uint8[slots]


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    return State(empty_directory(pool_sizes), np.zeros(int(sum(pool_sizes)), np.uint8))


def expect(state, pool, page):
    """Note from which list of ghosts a page comes back."""
    recall(state.directory.ghosts, pool, page)


def insert(state, pool, slot):
    """Add ``slot`` at the tail of T1, or of T2 if its page was a ghost; then the target learns from it."""
    directory = state.directory
    came_from = np.int64(directory.ghosts.came_from[pool])
    if came_from == B1:
        raise_target(directory, pool, step(directory, pool, came_from))
    elif came_from != NONE:
        lower_target(directory, pool, step(directory, pool, came_from))
    state.referenced[slot] = 0
    bring_in(directory, pool, slot)


def hit(state, pool, slot):
    """Set the reference bit."""
    state.referenced[slot] = 1


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.directory.lists, pool, slot)


def victim(state, pool):
    """Take out the first slot that was not referenced under the hand that turns and return it."""
    directory = state.directory
    resize(directory, pool)
    while True:
        slot = under_the_hand(directory, pool)
        if not state.referenced[slot]:
            demote(directory, pool, slot)
            return slot
        state.referenced[slot] = 0
        move(directory.lists, pool, T2, slot)


def under_the_hand(directory, pool):
    """The head of T1 if that is as long as it should be, else that of T2."""
    is_long = directory.lists.length[pool, T1] >= max(directory.target[pool], 1.0)
    return front(directory.lists, pool, T1 if is_long else T2)


def prefetch(state, pool, slot):
    """Start loading the reference bit of ``slot``."""
    load(state.referenced, slot)
