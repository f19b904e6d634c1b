"""LIRS: pages with long gaps between accesses pass through a short queue; the others have the rest of memory.

A page that comes back while it is in the stack becomes LIR (low inter-reference recency); if more pages are
LIR then than have room, the one accessed longest ago becomes HIR again.  The HIR pages in memory stand in a
queue, whose front is the victim.  The stack holds what has been accessed since the LIR page accessed longest
ago, pages that have left included: times of accesses say what is in it, no stack is kept.  While fewer pages
are LIR than have room, any that is accessed becomes LIR.
Source: Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement policy to improve
buffer cache performance", SIGMETRICS 2002.  As in their program an access to the page accessed last changes
nothing, at least 2 pages are left for the queue, and pages demoted from LIR go to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.catalog import Count, Share
from tracereplay.core.hooks import load
from tracereplay.policies._ghosts import NONE, Ghosts, add, arrived, find, forget, forget_oldest, no_ghosts
from tracereplay.policies._queue import NEXT, empty_links, push_back, unlink

LIR, HIR = 0, 1
_FEWEST_HIR = 2


class State(NamedTuple):
    links: np.ndarray  # uint32[slots + 2 · pools, 2]: a queue of LIR and one of HIR pages for each pool
    anchor: int  # row of pool 0's LIR queue
    queue_of: np.ndarray  # uint8[slots]
    length: np.ndarray  # int64[pools, 2]
    clock: np.ndarray  # int64[pools]: accesses so far but repetitions
    used_at: np.ndarray  # int64[slots]: clock at the last access
    memory: np.ndarray  # int64[pools]: slots held when the last victim was asked for, or more since
    coming: np.ndarray  # int32[pools]
    came_back: np.ndarray  # bool[pools]: whether the expected page is in the stack
    page_of: np.ndarray  # int32[slots]
    ghosts: Ghosts  # pages that have left and were in the stack then, the lowest first
    ghost_used_at: np.ndarray  # int64[ghosts]
    hir: float
    ghosts_per_page: int


def init(pool_sizes: Sequence[int], streams: np.ndarray, *, hir: Share = 0.01, ghosts: Count = 2) -> State:
    """State of empty pools; ``streams`` (random streams, one a pool) is not used.

    ``hir``: share of the memory for the queue.  ``ghosts``: how many pages that have left stay in the stack,
    in memories at most: one that comes back after more others than that is new.  The authors' program allows
    2,500.
    """
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    room = [ghosts * size for size in pool_sizes]
    return State(
        links=empty_links(pool_sizes, 2),
        anchor=n,
        queue_of=np.zeros(n, np.uint8),
        length=np.zeros((pools, 2), np.int64),
        clock=np.zeros(pools, np.int64),
        used_at=np.zeros(n, np.int64),
        memory=np.array(pool_sizes, np.int64),
        coming=np.full(pools, NONE, np.int32),
        came_back=np.zeros(pools, np.bool_),
        page_of=np.full(n, NONE, np.int32),
        ghosts=no_ghosts(room),
        ghost_used_at=np.zeros(sum(room), np.int64),
        hir=hir,
        ghosts_per_page=ghosts,
    )


def expect(state, pool, page):
    """Note whether the page that comes is still in the stack; it is no ghost any more."""
    state.coming[pool] = page
    ghost = find(state.ghosts, page)
    if ghost != NONE:
        state.came_back[pool] = is_in_stack(state, pool, state.ghost_used_at[ghost])
        forget(state.ghosts, pool, ghost)


def insert(state, pool, slot):
    """Add ``slot``: LIR if its page is in the stack, else at the end of the queue."""
    arrived(state, pool, slot)
    state.memory[pool] = max(state.memory[pool], held(state, pool) + 1)
    access(state, pool, slot, state.came_back[pool])
    state.came_back[pool] = False


def hit(state, pool, slot):
    """Put ``slot`` on top of the stack: LIR if it is in it, else at the end of the queue."""
    if state.used_at[slot] != state.clock[pool]:
        in_stack = state.queue_of[slot] == LIR or is_in_stack(state, pool, state.used_at[slot])
        remove(state, pool, slot)
        access(state, pool, slot, in_stack)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    state.length[pool, state.queue_of[slot]] -= 1
    unlink(state.links, slot)


def victim(state, pool):
    """Take out the front of the queue and return it."""
    state.memory[pool] = held(state, pool)
    demote_surplus(state, pool)
    slot = front(state, pool, HIR)
    remove(state, pool, slot)
    if is_in_stack(state, pool, state.used_at[slot]):
        remember(state, pool, slot)
    return slot


def held(state, pool):
    """How many slots the pool holds."""
    return state.length[pool, LIR] + state.length[pool, HIR]


def access(state, pool, slot, in_stack):
    """Put ``slot``, which is in no queue, on top of the stack, LIR or at the end of the queue."""
    state.clock[pool] += 1
    state.used_at[slot] = state.clock[pool]
    if in_stack or state.length[pool, LIR] < most_lir(state, pool):
        enter(state, pool, LIR, slot)
        demote_surplus(state, pool)
    else:
        enter(state, pool, HIR, slot)


def is_in_stack(state, pool, used_at):
    """Whether a page last accessed then is in the stack: above the LIR page accessed longest ago."""
    return state.length[pool, LIR] > 0 and used_at > state.used_at[front(state, pool, LIR)]


def demote_surplus(state, pool):
    """Put the LIR pages accessed longest ago at the end of the queue until the others have room."""
    while state.length[pool, LIR] > most_lir(state, pool):
        slot = front(state, pool, LIR)
        remove(state, pool, slot)
        enter(state, pool, HIR, slot)


def most_lir(state, pool):
    """How many pages may be LIR: all but the queue's share."""
    memory = state.memory[pool]
    return max(memory - max(np.int64(state.hir * memory), _FEWEST_HIR), 0)


def remember(state, pool, slot):
    """Keep the page in ``slot`` in the stack although it leaves; the lowest go if there are too many."""
    most = state.ghosts_per_page * state.memory[pool]
    while most <= state.ghosts.held[pool, 0] and state.ghosts.held[pool, 0] > 0:
        forget_oldest(state.ghosts, pool, 0)
    page = np.int64(state.page_of[slot])
    if most > 0 and page != NONE:
        state.ghost_used_at[add(state.ghosts, pool, 0, page)] = state.used_at[slot]


def enter(state, pool, which, slot):
    """Put ``slot`` at the back of a queue."""
    state.queue_of[slot] = which
    state.length[pool, which] += 1
    push_back(state.links, state.anchor + 2 * pool + which, slot)


def front(state, pool, which):
    """The slot at the front of a queue, the one accessed longest ago."""
    return np.int64(state.links[state.anchor + 2 * pool + which, NEXT])


def prefetch(state, pool, slot):
    """Start loading the links of ``slot`` and the time of its last access."""
    load(state.links, slot)
    load(state.used_at, slot)
