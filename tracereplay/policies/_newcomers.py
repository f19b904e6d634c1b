"""A queue of new pages, the main queue, and ghosts of new pages that left: what 2Q and S3-FIFO share.

A page comes in on the queue NEW, one that is remembered on MAIN.  What leaves NEW is remembered, what leaves
MAIN is not.  A page that comes back is forgotten as a ghost before another leaves for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._ghosts import Ghosts, forget_oldest, no_ghosts, remember
from tracereplay.policies._lists import Lists, empty_lists, leave

NEW, MAIN = 0, 1


class Queues(NamedTuple):
    lists: Lists  # NEW and MAIN of each pool, the next to leave at the front
    ghosts: Ghosts


def empty_queues(pool_sizes: Sequence[int], ghosts: float) -> Queues:
    """Queues of empty pools that remember up to ``ghosts`` times as many pages as they have slots."""
    # one more than stay, as a page becomes a ghost before the oldest is forgotten
    capacities = [1 + pages(size, ghosts) for size in pool_sizes]
    return Queues(empty_lists(pool_sizes, 2), no_ghosts(pool_sizes, capacities))


def pages(memory, share):
    """That share of so many pages, to the nearest whole number, halves up."""
    return np.int64(memory * share + 0.5)


def demote(queues, pool, slot, most):
    """Take ``slot`` out of NEW and make its page the newest ghost of at most so many."""
    leave(queues.lists, pool, slot)
    remember(queues.ghosts, pool, 0, slot)
    while queues.ghosts.lists.length[pool, 0] > most:
        forget_oldest(queues.ghosts, pool, 0)
