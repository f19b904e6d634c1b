"""A queue of new pages, the main queue, and ghosts of new pages that left: what 2Q and S3-FIFO share.

A page comes in on the queue NEW, one that is remembered on MAIN.  What leaves NEW is remembered, what leaves
MAIN is not.  A page that comes back is forgotten as a ghost before another leaves for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._ghosts import NONE, Ghosts, add, arrived, find, forget, forget_oldest, no_ghosts
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink

NEW, MAIN = 0, 1


class Queues(NamedTuple):
    links: (
        np.ndarray
    )  # uint32[slots + 2 · pools, 2]: NEW and MAIN of each pool, the next to leave at the front
    anchor: int  # row of pool 0's NEW
    queue_of: np.ndarray  # uint8[slots]
    length: np.ndarray  # int64[pools, 2]
    page_of: np.ndarray  # int32[slots]
    coming: np.ndarray  # int32[pools]
    is_back: np.ndarray  # bool[pools]: whether the expected page was a ghost
    ghosts: Ghosts


def empty_queues(pool_sizes: Sequence[int], ghosts: float) -> Queues:
    """Queues of empty pools that remember up to ``ghosts`` times as many pages as they have slots."""
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return Queues(
        links=empty_links(pool_sizes, 2),
        anchor=n,
        queue_of=np.zeros(n, np.uint8),
        length=np.zeros((pools, 2), np.int64),
        page_of=np.full(n, NONE, np.int32),
        coming=np.full(pools, NONE, np.int32),
        is_back=np.zeros(pools, np.bool_),
        # one more than stay, as a page becomes a ghost before the oldest is forgotten
        ghosts=no_ghosts([1 + pages(size, ghosts) for size in pool_sizes]),
    )


def pages(memory, share):
    """That share of so many pages, to the nearest whole number, halves up."""
    return np.int64(memory * share + 0.5)


def recall(queues, pool, page):
    """``page`` is expected; if it was a ghost it is one no longer."""
    queues.coming[pool] = page
    ghost = find(queues.ghosts, page)
    queues.is_back[pool] = ghost != NONE
    if ghost != NONE:
        forget(queues.ghosts, pool, ghost)


def arrive(queues, pool, slot):
    """``slot`` holds the expected page; whether that was a ghost."""
    arrived(queues, pool, slot)
    is_back = queues.is_back[pool]
    queues.is_back[pool] = False
    return is_back


def enter(queues, pool, which, slot):
    """Put ``slot`` at the back of a queue."""
    queues.queue_of[slot] = which
    queues.length[pool, which] += 1
    push_back(queues.links, queues.anchor + 2 * pool + which, slot)


def leave(queues, pool, slot):
    """Take ``slot`` out of its queue."""
    queues.length[pool, queues.queue_of[slot]] -= 1
    unlink(queues.links, slot)


def front(queues, pool, which):
    """The slot at the front of a queue."""
    return np.int64(queues.links[queues.anchor + 2 * pool + which, NEXT])


def remember(queues, pool, slot, most):
    """Make the page in ``slot`` the newest ghost of at most so many."""
    add(queues.ghosts, pool, 0, np.int64(queues.page_of[slot]))
    while queues.ghosts.held[pool, 0] > most:
        forget_oldest(queues.ghosts, pool, 0)
