"""ARC: a list of pages accessed once, one of pages accessed often, and a target between them that learns.

A page comes in on T1, one that comes back from the ghosts B1 or B2 on T2, where every hit puts a page, too.
The victim is the least recent page of T1 if that is longer than the target, else that of T2.  The target
rises when a page comes back from B1 and falls when one does from B2, by 1 or, if that is more, by the ratio
of the other list of ghosts to its own.
Source: Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003, figure 4.  A
balloon takes the page that would leave for one in no list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.catalog import Flag
from tracereplay.core.hooks import load
from tracereplay.policies._adaptive import (
    B1,
    B2,
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
    whole_steps: bool
    fall_to_zero: bool


def init(
    pool_sizes: Sequence[int],
    streams: np.ndarray,
    *,
    whole_steps: Flag = False,
    fall_to_zero: Flag = False,
) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    The paper leaves open whether the target is a whole number: with ``whole_steps`` ratios are rounded down,
    as some programs do.  With ``fall_to_zero`` a page from B2 sets the target to 0, as in the ARC beside
    Zhong's LIRS2 of 2021, which takes the smaller of 0 and an unsigned difference.
    """
    return State(empty_directory(pool_sizes), whole_steps, fall_to_zero)


def expect(state, pool, page):
    """Let the target learn from a page that comes back."""
    directory = state.directory
    if recall(directory.ghosts, pool, page) == NONE:
        return
    came_from = np.int64(directory.ghosts.came_from[pool])
    by = step(directory, pool, came_from)
    if state.whole_steps:
        by = np.floor(by)
    if came_from == B1:
        raise_target(directory, pool, by)
    elif state.fall_to_zero:
        directory.target[pool] = 0
    else:
        lower_target(directory, pool, by)


def insert(state, pool, slot):
    """Add ``slot`` as the most recent of T1, or of T2 if its page was a ghost."""
    bring_in(state.directory, pool, slot)


def hit(state, pool, slot):
    """Make ``slot`` the most recent of T2."""
    move(state.directory.lists, pool, T2, slot)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.directory.lists, pool, slot)


def victim(state, pool):
    """Take out the least recent slot of the list that is too long and return it."""
    directory = state.directory
    resize(directory, pool)
    slot = front(directory.lists, pool, T1 if is_too_long(directory, pool) else T2)
    demote(directory, pool, slot)
    return slot


def is_too_long(directory, pool):
    """Whether T1 gives the next victim: above its target, or at it for a page from B2."""
    length, target = directory.lists.length[pool, T1], directory.target[pool]
    above = length > target or (length == target and directory.ghosts.came_from[pool] == B2)
    return directory.lists.length[pool, T2] == 0 or (length > 0 and above)


def prefetch(state, pool, slot):
    """Start loading the links of ``slot``."""
    load(state.directory.lists.links, slot)
