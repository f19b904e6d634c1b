"""Two lists of pages in memory and two of ghosts, and a target that learns from them: what ARC and CAR share.

T1 holds pages accessed once of late, T2 those accessed more often; B1 and B2 are the ghosts of pages that
left them.  The target, p, is how long T1 should be: a page that comes back from B1 raises it, one from B2
lowers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._ghosts import NONE, Ghosts, add, arrived, find, forget, forget_oldest, no_ghosts
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink

T1, T2 = 0, 1
B1, B2 = T1, T2


class Lists(NamedTuple):
    links: np.ndarray  # uint32[slots + 2 · pools, 2]: T1 and T2 of each pool, the next to leave at the front
    anchor: int  # row of pool 0's T1
    list_of: np.ndarray  # uint8[slots]
    length: np.ndarray  # int64[pools, 2]
    target: np.ndarray  # float64[pools]
    memory: np.ndarray  # int64[pools]: c, slots held when the last victim was asked for
    came_from: np.ndarray  # int8[pools]: the list of ghosts that the expected page was on, or NONE
    coming: np.ndarray  # int32[pools]
    page_of: np.ndarray  # int32[slots]
    ghosts: Ghosts


def empty_lists(pool_sizes: Sequence[int]) -> Lists:
    """Lists of empty pools."""
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return Lists(
        links=empty_links(pool_sizes, 2),
        anchor=n,
        list_of=np.zeros(n, np.uint8),
        length=np.zeros((pools, 2), np.int64),
        target=np.zeros(pools, np.float64),
        memory=np.array(pool_sizes, np.int64),
        came_from=np.full(pools, NONE, np.int8),
        coming=np.full(pools, NONE, np.int32),
        page_of=np.full(n, NONE, np.int32),
        # one more than stay, as a page becomes a ghost before others are forgotten
        ghosts=no_ghosts([size + 1 for size in pool_sizes], 2),
    )


def recall(lists, pool, page):
    """``page`` is expected; if it was a ghost it is one no longer, and its list is returned, else NONE."""
    lists.coming[pool] = page
    came_from = np.int64(NONE)
    ghost = find(lists.ghosts, page)
    if ghost != NONE:
        came_from = np.int64(lists.ghosts.list_of[ghost])
        forget(lists.ghosts, pool, ghost)
    lists.came_from[pool] = came_from
    return came_from


def step(lists, pool, came_from):
    """By how much a page that has just come back from a list of ghosts moves the target: by 1 or more."""
    own = lists.ghosts.held[pool, came_from] + 1
    other = lists.ghosts.held[pool, 1 - came_from]
    return max(other / own, 1.0)


def bring_in(lists, pool, slot):
    """Put ``slot`` on T2 if its page was a ghost, else on T1."""
    arrived(lists, pool, slot)
    enter(lists, pool, T1 if lists.came_from[pool] == NONE else T2, slot)
    lists.came_from[pool] = NONE


def enter(lists, pool, which, slot):
    """Put ``slot`` at the back of a list."""
    lists.list_of[slot] = which
    lists.length[pool, which] += 1
    push_back(lists.links, lists.anchor + 2 * pool + which, slot)


def leave(lists, pool, slot):
    """Take ``slot`` out of its list."""
    lists.length[pool, lists.list_of[slot]] -= 1
    unlink(lists.links, slot)


def front(lists, pool, which):
    """The slot at the front of a list."""
    return np.int64(lists.links[lists.anchor + 2 * pool + which, NEXT])


def resize(lists, pool):
    """Take note of the size of the memory, which is full, and keep the target within it."""
    memory = lists.length[pool, T1] + lists.length[pool, T2]
    lists.memory[pool] = memory
    lists.target[pool] = min(lists.target[pool], float(memory))


def demote(lists, pool, slot):
    """Make the page in ``slot`` a ghost, and forget the oldest ones that are too many."""
    leave(lists, pool, slot)
    add(lists.ghosts, pool, np.int64(lists.list_of[slot]), np.int64(lists.page_of[slot]))
    which = too_long(lists, pool)
    while which != NONE:
        forget_oldest(lists.ghosts, pool, which)
        which = too_long(lists, pool)


def too_long(lists, pool):
    """The list of ghosts that is too long, or NONE.

    With the page that comes in, T1 and B1 may be as long as the memory, and all lists twice as long.
    """
    memory, held = lists.memory[pool], lists.ghosts.held
    most = memory - 1 if lists.came_from[pool] == NONE else memory
    if held[pool, B1] > 0 and lists.length[pool, T1] + held[pool, B1] > most:
        return B1
    if held[pool, B1] + held[pool, B2] > memory:
        return B2 if held[pool, B2] > 0 else B1
    return NONE
