"""Belady's MIN: the victim is the slot whose page is used again last, or never; it has to know the future.

No policy misses less.  Among pages that are never used again any may leave, which changes no miss but which
pages are written back.  Without foresight every use counts as the last.
Source: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal 1966.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.hooks import load

NEEDS = frozenset({"future"})
NEVER = np.iinfo(np.int64).max
"""Next use of a page that is not used again."""


class State(NamedTuple):
    heap: np.ndarray  # int32[slots]: from start[pool] on a pool's slots, that with the latest next use first
    place_of: np.ndarray  # int32[slots], where a slot stands in its pool's heap, from 0
    next_of: np.ndarray  # int64[slots], next use of the page in a slot
    start: np.ndarray  # int64[pools]
    size: np.ndarray  # int64[pools]
    foreseen: np.ndarray  # int64[accesses]: next use after each of the coming hits and inserts of all pools
    cursor: np.ndarray  # int64[1]: how many of them have come


def init(pool_sizes: Sequence[int], streams: np.ndarray) -> State:
    """State of empty pools without foresight; ``streams`` (random streams, one a pool) is not used."""
    n = int(sum(pool_sizes))
    start = np.concatenate([[0], np.cumsum(pool_sizes)[:-1]]).astype(np.int64)
    return State(
        heap=np.zeros(n, np.int32),
        place_of=np.zeros(n, np.int32),
        next_of=np.zeros(n, np.int64),
        start=start,
        size=np.zeros(len(pool_sizes), np.int64),
        foreseen=np.zeros(0, np.int64),
        cursor=np.zeros(1, np.int64),
    )


def foresee(state: State, next_uses: np.ndarray) -> State:
    """The state that knows, for each of the coming hits and inserts, when its page is used next (int64).

    Times may be of any kind that grows from access to access, NEVER where there is no next use.
    """
    state.cursor[0] = 0
    return state._replace(foreseen=next_uses)


def insert(state, pool, slot):
    """Add ``slot`` where its page's next use belongs."""
    state.next_of[slot] = next_use(state)
    state.size[pool] += 1
    rise(state, pool, slot, state.size[pool] - 1)


def hit(state, pool, slot):
    """The next use of the page in ``slot`` is later from now on."""
    state.next_of[slot] = next_use(state)
    rise(state, pool, slot, np.int64(state.place_of[slot]))


def remove(state, pool, slot):
    """Take ``slot`` out; the last one of the heap takes its place and goes where it belongs."""
    state.size[pool] -= 1
    place = np.int64(state.place_of[slot])
    last = np.int64(state.heap[state.start[pool] + state.size[pool]])
    if last != slot:
        sink(state, pool, last, place)
        rise(state, pool, last, np.int64(state.place_of[last]))


def victim(state, pool):
    """Take out the slot whose page is used again last and return it."""
    slot = np.int64(state.heap[state.start[pool]])
    remove(state, pool, slot)
    return slot


def prefetch(state, pool, slot):
    """Start loading where ``slot`` stands."""
    load(state.place_of, slot)


def next_use(state):
    """Next use after the access that comes now."""
    now = state.cursor[0]
    state.cursor[0] += 1
    return state.foreseen[now] if now < state.foreseen.shape[0] else np.int64(NEVER)


def rise(state, pool, slot, place):
    """Put ``slot`` at ``place`` or as far above as its next use is later than those there."""
    start, time = state.start[pool], state.next_of[slot]
    while place > 0:
        above = np.int64(state.heap[start + (place - 1) // 2])
        if state.next_of[above] >= time:
            break
        put(state, start, above, place)
        place = (place - 1) // 2
    put(state, start, slot, place)


def sink(state, pool, slot, place):
    """Put ``slot`` at ``place`` or as far below as its next use is earlier than those there."""
    start, time, size = state.start[pool], state.next_of[slot], state.size[pool]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        below = np.int64(state.heap[start + child])
        if child + 1 < size:
            other = np.int64(state.heap[start + child + 1])
            if state.next_of[other] > state.next_of[below]:
                child, below = child + 1, other
        if state.next_of[below] <= time:
            break
        put(state, start, below, place)
        place = child
    put(state, start, slot, place)


def put(state, start, slot, place):
    """Let ``slot`` stand at ``place``."""
    state.heap[start + place] = slot
    state.place_of[slot] = place
