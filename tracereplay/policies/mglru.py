"""Linux's multi-generational LRU: pages stand in up to four generations, the victim comes from the oldest.

A page comes in as one of the youngest generation.  A victim is looked for at the front of the oldest one: a
page that has been accessed, or that aging has found accessed, goes on to the generation where it belongs.
Aging puts all pages whose accessed bit is set into the youngest generation, clears the bits, and opens a new
one.  It runs when a victim is wanted and there are fewer than three generations, or three of which the
youngest holds more than half of the pages or the oldest less than a quarter.
Source: mm/vmscan.c of Linux 6.1 (Yu Zhao, 2022), for mapped anonymous pages.  The kernel also looks at the
pages that lie beside an accessed one, which a policy without addresses cannot: real guests resist loops and
scans better (a loop over 6 % more than memory: 10,684 of 40,000 accesses faulted there, all do here).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.policies._lists import Lists, anchor_of, empty_lists, enter, front, leave, move

MOST, FEWEST = 4, 2
"""Generations."""


class State(NamedTuple):
    lists: Lists  # a list for each generation, by its number modulo 4; aging leaves a slot where it is linked
    accessed: np.ndarray  # uint8[slots], not set of slots that the pool does not hold
    oldest: np.ndarray  # int64[pools]: number of a generation
    youngest: np.ndarray  # int64[pools]
    start: np.ndarray  # int64[pools + 1]: first slot of each pool


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used."""
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return State(
        lists=empty_lists(pool_sizes, MOST),
        accessed=np.zeros(n, np.uint8),
        oldest=np.zeros(pools, np.int64),
        youngest=np.full(pools, MOST - 1, np.int64),
        start=np.concatenate([[0], np.cumsum(pool_sizes)]).astype(np.int64),
    )


def insert(state, pool, slot):
    """Add ``slot`` to the youngest generation, accessed."""
    state.accessed[slot] = 1
    enter(state.lists, pool, state.youngest[pool] % MOST, slot)


def hit(state, pool, slot):
    """Set the accessed bit."""
    state.accessed[slot] = 1


def remove(state, pool, slot):
    """Take ``slot`` out."""
    state.accessed[slot] = 0
    leave(state.lists, pool, slot)


def victim(state, pool):
    """Take out the first slot of the oldest generation that was not accessed and return it."""
    while True:
        make_old(state, pool)
        oldest = state.oldest[pool] % MOST
        slot = front(state.lists, pool, oldest)
        generation = np.int64(state.lists.list_of[slot])
        if generation == oldest and not state.accessed[slot]:
            leave(state.lists, pool, slot)
            return slot
        if generation == oldest:
            state.accessed[slot] = 0
            generation = state.youngest[pool] % MOST
        move(state.lists, pool, generation, slot)


def make_old(state, pool):
    """Age until the oldest generation is queued somewhere and holds its share."""
    while True:
        while state.oldest[pool] + FEWEST <= state.youngest[pool] and is_empty(state, pool):
            state.oldest[pool] += 1
        if needs_aging(state, pool):
            age(state, pool)
        elif not is_empty(state, pool):
            return


def is_empty(state, pool):
    """Whether nothing is queued in the oldest generation, be it of that or of another."""
    oldest = state.oldest[pool] % MOST
    return front(state.lists, pool, oldest) == anchor_of(state.lists, pool, oldest)


def needs_aging(state, pool):
    """Whether there are too few generations, or pages are spread too unevenly over just enough of them."""
    between = state.youngest[pool] - state.oldest[pool]
    if between != FEWEST:
        return between < FEWEST
    total = 0
    for generation in range(MOST):
        total += state.lists.length[pool, generation]
    young = state.lists.length[pool, state.youngest[pool] % MOST]
    old = state.lists.length[pool, state.oldest[pool] % MOST]
    return young * FEWEST > total or old * (FEWEST + 2) < total


def age(state, pool):
    """Put all pages that were accessed into the youngest generation, clear their bits, and open a new one."""
    lists, youngest = state.lists, state.youngest[pool] % MOST
    for slot in range(state.start[pool], state.start[pool + 1]):
        if state.accessed[slot]:
            state.accessed[slot] = 0
            lists.length[pool, lists.list_of[slot]] -= 1
            lists.list_of[slot] = youngest
            lists.length[pool, youngest] += 1
    state.youngest[pool] += 1


def prefetch(state, pool, slot):
    """Start loading the accessed bit of ``slot``."""
    load(state.accessed, slot)
