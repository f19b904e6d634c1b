"""2Q: new pages leave first in, first out, and only those that come back soon enough stay by their recency.

A page comes in on the queue A1in, where hits change nothing; what leaves it is remembered on A1out.  A page
that comes back while it is remembered goes on Am, an LRU queue, and is not remembered when it leaves that.
The victim is the oldest page of A1in if that holds more than Kin pages, else the least recent one of Am.
Source: Johnson and Shasha, "2Q: a low overhead high performance buffer management replacement algorithm",
VLDB 1994, full version.  There Kin is a quarter of memory and Kout, the length of A1out, as many pages as
half of memory holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.catalog import Flag, Share
from tracereplay.core.hooks import load
from tracereplay.policies._ghosts import NONE, arrive, recall
from tracereplay.policies._lists import enter, front, leave, move
from tracereplay.policies._newcomers import MAIN, NEW, Queues, demote, empty_queues, pages


class State(NamedTuple):
    queues: Queues  # NEW is A1in, MAIN is Am, the ghosts are A1out
    hot: float
    ghosts: float
    promote_hits: bool


def init(
    pool_sizes: Sequence[int],
    streams: np.ndarray,
    *,
    hot: Share = 0.75,
    ghosts: Share = 0.5,
    promote_hits: Flag = False,
) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    ``hot``: share of memory that Am may count on; the rest is Kin, at least one page.  ``ghosts``: Kout as a
    share of memory.  Both are rounded to whole pages.  ``promote_hits``: a hit moves a page from A1in to Am,
    as some libraries have it (HashiCorp's golang-lru).
    """
    return State(empty_queues(pool_sizes, ghosts), hot, ghosts, promote_hits)


def expect(state, pool, page):
    """Remember whether ``page`` was on A1out."""
    recall(state.queues.ghosts, pool, page)


def insert(state, pool, slot):
    """Add ``slot`` to Am if its page was on A1out, else to A1in."""
    is_new = arrive(state.queues.ghosts, pool, slot) == NONE
    enter(state.queues.lists, pool, NEW if is_new else MAIN, slot)


def hit(state, pool, slot):
    """Make ``slot`` the most recent of Am if it is there."""
    if state.queues.lists.list_of[slot] == MAIN or state.promote_hits:
        move(state.queues.lists, pool, MAIN, slot)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.queues.lists, pool, slot)


def victim(state, pool):
    """Take out the oldest slot of A1in or the least recent one of Am and return it."""
    lists = state.queues.lists
    new, main = lists.length[pool, NEW], lists.length[pool, MAIN]
    memory = new + main
    if main == 0 or new > max(memory - pages(memory, state.hot), 1):
        slot = front(lists, pool, NEW)
        demote(state.queues, pool, slot, pages(memory, state.ghosts))
    else:
        slot = front(lists, pool, MAIN)
        leave(lists, pool, slot)
    return slot


def prefetch(state, pool, slot):
    """Start loading the links of ``slot``."""
    load(state.queues.lists.links, slot)
