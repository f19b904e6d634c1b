"""Two lists of pages in memory and two of ghosts, and a target that learns from them: what ARC and CAR share.

T1 holds pages accessed once of late, T2 those accessed more often; B1 and B2 are the ghosts of pages that
left them.  The target, p, is how long T1 should be: a page that comes back from B1 raises it, one from B2
lowers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._ghosts import NONE, Ghosts, arrive, forget_oldest, no_ghosts, remember
from tracereplay.policies._lists import Lists, empty_lists, enter, leave

T1, T2 = 0, 1
B1, B2 = T1, T2


class Directory(NamedTuple):
    lists: Lists  # T1 and T2 of each pool, the next to leave at the front
    ghosts: Ghosts  # B1 and B2
    target: np.ndarray  # float64[pools]
    memory: np.ndarray  # int64[pools]: c, slots held when the last victim was asked for


def empty_directory(pool_sizes: Sequence[int]) -> Directory:
    """The directory of empty pools."""
    return Directory(
        lists=empty_lists(pool_sizes, 2),
        # one more than stay, as a page becomes a ghost before others are forgotten
        ghosts=no_ghosts(pool_sizes, [size + 1 for size in pool_sizes], 2),
        target=np.zeros(len(pool_sizes), np.float64),
        memory=np.zeros(len(pool_sizes), np.int64),
    )


def raise_target(directory, pool, by):
    """Let T1 be longer, but no longer than the memory."""
    directory.target[pool] = min(directory.target[pool] + by, float(directory.memory[pool]))


def lower_target(directory, pool, by):
    """Let T1 be shorter."""
    directory.target[pool] = max(directory.target[pool] - by, 0.0)


def step(directory, pool, came_from):
    """By how much a page that has just come back from a list of ghosts moves the target: by 1 or more."""
    held = directory.ghosts.lists.length
    return max(held[pool, 1 - came_from] / (held[pool, came_from] + 1), 1.0)


def bring_in(directory, pool, slot):
    """Put ``slot`` on T2 if its page was a ghost, else on T1."""
    is_new = arrive(directory.ghosts, pool, slot) == NONE
    enter(directory.lists, pool, T1 if is_new else T2, slot)


def resize(directory, pool):
    """Take note of the size of the memory, which is full, and keep the target within it."""
    length = directory.lists.length
    memory = length[pool, T1] + length[pool, T2]
    directory.memory[pool] = memory
    directory.target[pool] = min(directory.target[pool], float(memory))


def demote(directory, pool, slot):
    """Make the page in ``slot`` a ghost, and forget the oldest ones that are too many."""
    leave(directory.lists, pool, slot)
    remember(directory.ghosts, pool, np.int64(directory.lists.list_of[slot]), slot)
    which = too_long(directory, pool)
    while which != NONE:
        forget_oldest(directory.ghosts, pool, which)
        which = too_long(directory, pool)


def too_long(directory, pool):
    """The list of ghosts that is too long, or NONE.

    With the page that comes in, T1 and B1 may be as long as the memory, and all lists twice as long.
    """
    memory, held = directory.memory[pool], directory.ghosts.lists.length
    most = memory - 1 if directory.ghosts.came_from[pool] == NONE else memory
    if held[pool, B1] > 0 and directory.lists.length[pool, T1] + held[pool, B1] > most:
        return B1
    if held[pool, B1] + held[pool, B2] > memory:
        return B2 if held[pool, B2] > 0 else B1
    return NONE
