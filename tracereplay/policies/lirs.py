"""LIRS: pages with long gaps between accesses pass through a short queue; the others have the rest of memory.

A page that comes back while it is in the stack becomes LIR (low inter-reference recency); if more pages are
LIR then than have room, the one accessed longest ago becomes HIR again.  The HIR pages in memory stand in a
queue, whose front is the victim.  The stack holds what has been accessed since the LIR page accessed longest
ago, pages that have left included: times of accesses say what is in it, no stack is kept.  While fewer pages
are LIR than have room, any that is accessed becomes LIR.  Until the first victim a VM's memory counts as a
whole: a balloon that is there before is noticed then, so that it differs from a VM of so much less memory.
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
from tracereplay.policies._ghosts import NONE, Ghosts, arrive, forget_oldest, no_ghosts, recall, remember
from tracereplay.policies._lists import Lists, empty_lists, enter, front, leave, move

LIR, HIR = 0, 1
_FEWEST_HIR = 2


class State(NamedTuple):
    lists: Lists  # LIR and HIR, the one accessed longest ago and the next victim in front
    clock: np.ndarray  # int64[pools]: accesses so far but repetitions
    used_at: np.ndarray  # int64[slots]: clock at the last access
    memory: np.ndarray  # int64[pools]: slots held when the last victim was asked for or since, all at first
    came_back: np.ndarray  # bool[pools]: whether the expected page is in the stack
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
    room = [ghosts * size + 1 for size in pool_sizes]  # one more than stay
    return State(
        lists=empty_lists(pool_sizes, 2),
        clock=np.zeros(pools, np.int64),
        used_at=np.zeros(n, np.int64),
        memory=np.array(pool_sizes, np.int64),
        came_back=np.zeros(pools, np.bool_),
        ghosts=no_ghosts(pool_sizes, room),
        ghost_used_at=np.zeros(sum(room), np.int64),
        hir=hir,
        ghosts_per_page=ghosts,
    )


def expect(state, pool, page):
    """Note whether the page that comes is still in the stack."""
    ghost = recall(state.ghosts, pool, page)
    state.came_back[pool] = ghost != NONE and is_in_stack(state, pool, state.ghost_used_at[ghost])


def insert(state, pool, slot):
    """Add ``slot``: LIR if its page is in the stack, else at the end of the queue."""
    arrive(state.ghosts, pool, slot)
    state.memory[pool] = max(state.memory[pool], held(state, pool) + 1)
    access(state, pool, slot, state.came_back[pool])
    state.came_back[pool] = False


def hit(state, pool, slot):
    """Put ``slot`` on top of the stack: LIR if it is in it, else at the end of the queue."""
    if state.used_at[slot] != state.clock[pool]:
        in_stack = state.lists.list_of[slot] == LIR or is_in_stack(state, pool, state.used_at[slot])
        leave(state.lists, pool, slot)
        access(state, pool, slot, in_stack)


def remove(state, pool, slot):
    """Take ``slot`` out."""
    leave(state.lists, pool, slot)


def victim(state, pool):
    """Take out the front of the queue and return it."""
    state.memory[pool] = held(state, pool)
    demote_surplus(state, pool)
    slot = front(state.lists, pool, HIR)
    leave(state.lists, pool, slot)
    if is_in_stack(state, pool, state.used_at[slot]):
        keep(state, pool, slot)
    return slot


def held(state, pool):
    """How many slots the pool holds."""
    return state.lists.length[pool, LIR] + state.lists.length[pool, HIR]


def access(state, pool, slot, in_stack):
    """Put ``slot``, which is in no queue, on top of the stack, LIR or at the end of the queue."""
    state.clock[pool] += 1
    state.used_at[slot] = state.clock[pool]
    if in_stack or state.lists.length[pool, LIR] < most_lir(state, pool):
        enter(state.lists, pool, LIR, slot)
        demote_surplus(state, pool)
    else:
        enter(state.lists, pool, HIR, slot)


def is_in_stack(state, pool, used_at):
    """Whether a page last accessed then is in the stack: above the LIR page accessed longest ago."""
    return state.lists.length[pool, LIR] > 0 and used_at > state.used_at[front(state.lists, pool, LIR)]


def demote_surplus(state, pool):
    """Put the LIR pages accessed longest ago at the end of the queue until the others have room."""
    while state.lists.length[pool, LIR] > most_lir(state, pool):
        move(state.lists, pool, HIR, front(state.lists, pool, LIR))


def most_lir(state, pool):
    """How many pages may be LIR: all but the queue's share."""
    memory = state.memory[pool]
    return max(memory - max(np.int64(state.hir * memory), _FEWEST_HIR), 0)


def keep(state, pool, slot):
    """Keep the page in ``slot`` in the stack although it leaves; the lowest go if there are too many."""
    ghost = remember(state.ghosts, pool, 0, slot)
    if ghost != NONE:
        state.ghost_used_at[ghost] = state.used_at[slot]
    while state.ghosts.lists.length[pool, 0] > state.ghosts_per_page * state.memory[pool]:
        forget_oldest(state.ghosts, pool, 0)


def prefetch(state, pool, slot):
    """Start loading the links of ``slot`` and the time of its last access."""
    load(state.lists.links, slot)
    load(state.used_at, slot)
