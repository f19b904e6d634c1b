"""Several lists a pool, each slot on one of them, for policies that tell kinds of pages apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._queue import NEXT, PREV, empty_links, push_back, unlink


class Lists(NamedTuple):
    links: np.ndarray  # uint32[slots + pools · lists, 2]
    anchor: int  # row of the anchor of pool 0's list 0
    list_of: np.ndarray  # uint8[slots], of slots on none the one they were on
    length: np.ndarray  # int64[pools, lists]


def empty_lists(pool_sizes: Sequence[int], n_lists: int) -> Lists:
    """Empty lists, ``n_lists`` a pool."""
    n, pools = int(sum(pool_sizes)), len(pool_sizes)
    return Lists(
        links=empty_links(n, pools * n_lists),
        anchor=n,
        list_of=np.zeros(n, np.uint8),
        length=np.zeros((pools, n_lists), np.int64),
    )


def enter(lists, pool, which, slot):
    """Put ``slot``, which is on no list, at the back of one."""
    lists.list_of[slot] = which
    lists.length[pool, which] += 1
    push_back(lists.links, anchor_of(lists, pool, which), slot)


def leave(lists, pool, slot):
    """Take ``slot`` out of its list."""
    lists.length[pool, lists.list_of[slot]] -= 1
    unlink(lists.links, slot)


def move(lists, pool, which, slot):
    """Put ``slot`` at the back of the same or another list."""
    if lists.links[anchor_of(lists, pool, which), PREV] != slot:
        leave(lists, pool, slot)
        enter(lists, pool, which, slot)


def front(lists, pool, which):
    """The slot at the front of a list that is not empty."""
    return np.int64(lists.links[anchor_of(lists, pool, which), NEXT])


def anchor_of(lists, pool, which):
    """Row of the anchor of a list."""
    return lists.anchor + lists.length.shape[1] * pool + which
