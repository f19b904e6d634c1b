"""S3-FIFO: new pages pass through a small FIFO queue, and those that are hit there or come back soon stay.

A page comes in on the small queue S; what leaves it unpromoted is remembered as a ghost, and a page that
comes back while it is remembered goes on the main queue M at once.  A page's counter counts its hits up to 3.
While S holds its share of memory the victim is the first page from its front on with fewer than
``promote_at`` hits; those before it move to M with their counters cleared.  Else it is the first page of M
with a counter of 0; those before it go once more to the back, with 1 less.
Source: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023,
algorithm 1.  There a move that makes M too long takes a page from M at once; here, as in libCacheSim, by its
authors, the search in S goes on, and M gives the victims that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeAlias

import numpy as np

from tracereplay.catalog import Flag, Kind, Share
from tracereplay.core.hooks import load
from tracereplay.policies._ghosts import NONE, arrive, recall
from tracereplay.policies._lists import enter, front, leave, move
from tracereplay.policies._newcomers import MAIN, NEW, Queues, demote, empty_queues, pages
from tracereplay.units import parse_count

MOST = 3
"""Hits that are counted: two bits."""
UNLIMITED = np.iinfo(np.int64).max
Hits: TypeAlias = Annotated[int, Kind("count", lambda value: parse_count(value, MOST))]


class State(NamedTuple):
    queues: Queues  # NEW is S, MAIN is M
    hits: np.ndarray  # uint8[slots]
    room: np.ndarray  # int64[pools]: pages that S may hold before the first victim, UNLIMITED later
    small: float
    ghosts: float
    promote_at: int


def init(
    pool_sizes: Sequence[int],
    streams: np.ndarray,
    *,
    small: Share = 0.1,
    ghosts: Share = 0.9,
    promote_at: Hits = 2,
    fill_main: Flag = False,
) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    ``small``: share of memory that S has, at least one page.  ``ghosts``: how many are remembered, as a share
    of memory.  Both are rounded to whole pages.  ``promote_at``: hits on S that promote a page: 2 in the
    paper's algorithm and its authors' simulator, 1 in other programs.  ``fill_main``: before the first
    victim what S has no room for goes on M instead, as in later versions of libCacheSim; S then has its share
    of all slots, those in a balloon included.
    """
    room = [max(pages(size, small), 1) if fill_main else UNLIMITED for size in pool_sizes]
    return State(
        queues=empty_queues(pool_sizes, ghosts),
        hits=np.zeros(int(sum(pool_sizes)), np.uint8),
        room=np.array(room, np.int64),
        small=small,
        ghosts=ghosts,
        promote_at=promote_at,
    )


def expect(state, pool, page):
    """Remember whether ``page`` was a ghost."""
    recall(state.queues.ghosts, pool, page)


def insert(state, pool, slot):
    """Add ``slot`` to M if its page was a ghost, else to S."""
    state.hits[slot] = 0
    lists = state.queues.lists
    is_new = arrive(state.queues.ghosts, pool, slot) == NONE
    has_room = lists.length[pool, NEW] < state.room[pool]
    enter(lists, pool, NEW if is_new and has_room else MAIN, slot)


def hit(state, pool, slot):
    """Count the hit."""
    if state.hits[slot] < MOST:
        state.hits[slot] += 1


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.queues.lists, pool, slot)


def victim(state, pool):
    """Take out the first slot of S or M that was not hit often enough and return it."""
    lists = state.queues.lists
    new, main = lists.length[pool, NEW], lists.length[pool, MAIN]
    memory = new + main
    state.room[pool] = UNLIMITED
    slot = np.int64(NONE)
    if main == 0 or new >= max(pages(memory, state.small), 1):
        slot = first_unpromoted(state, pool)
    if slot == NONE:
        slot = first_without_hits(state, pool)
        leave(lists, pool, slot)
    else:
        demote(state.queues, pool, slot, pages(memory, state.ghosts))
    return slot


def first_unpromoted(state, pool):
    """The first slot of S that was not hit often enough for M, or NONE; those before it move there."""
    lists = state.queues.lists
    while lists.length[pool, NEW] > 0:
        slot = front(lists, pool, NEW)
        if state.hits[slot] < state.promote_at:
            return slot
        state.hits[slot] = 0
        move(lists, pool, MAIN, slot)
    return np.int64(NONE)


def first_without_hits(state, pool):
    """The first slot of M whose counter is 0; those before it go to the back."""
    lists = state.queues.lists
    slot = front(lists, pool, MAIN)
    while state.hits[slot] > 0:
        state.hits[slot] -= 1
        move(lists, pool, MAIN, slot)
        slot = front(lists, pool, MAIN)
    return slot


def prefetch(state, pool, slot):
    """Start loading the counter of ``slot``."""
    load(state.hits, slot)
