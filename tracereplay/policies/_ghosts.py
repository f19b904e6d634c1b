"""Ghosts: pages that have left a pool and are remembered, in lists from the oldest to the newest.

For policies that treat a page that comes back otherwise than a new one.  Such a policy calls ``recall`` when
a page is expected, ``arrive`` when it is inserted and ``remember`` when it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._lists import Lists, anchor_of, empty_lists, front, move
from tracereplay.policies._queue import fill

NONE = -1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S32 = np.uint64(32)


class Ghosts(NamedTuple):
    """A ghost is an entry of ``lists``; the last list of each pool holds the unused ones."""

    lists: Lists
    page_of: np.ndarray  # int32[entries]: pages, unique over all pools
    buckets: np.ndarray  # int32[buckets]: an entry or NONE; linear probing
    page_in: np.ndarray  # int32[slots]: the page that came last, or NONE
    coming: np.ndarray  # int32[pools]: the page that is expected, or NONE
    came_from: np.ndarray  # int8[pools]: the list that it was on, or NONE


def no_ghosts(pool_sizes: Sequence[int], capacities: Sequence[int], n_lists: int = 1) -> Ghosts:
    """Empty lists, ``n_lists`` a pool, with room for ``capacities[pool]`` ghosts together."""
    n = int(sum(capacities))
    lists = empty_lists(capacities, n_lists + 1)
    lists.list_of[:], lists.length[:, n_lists] = n_lists, capacities
    ends = np.cumsum(capacities)
    for pool, (end, capacity) in enumerate(zip(ends, capacities, strict=True)):
        fill(lists.links, anchor_of(lists, pool, n_lists), np.arange(end - capacity, end))
    return Ghosts(
        lists=lists,
        page_of=np.full(n, NONE, np.int32),
        buckets=np.full(2 * n + 1, NONE, np.int32),
        page_in=np.full(int(sum(pool_sizes)), NONE, np.int32),
        coming=np.full(len(capacities), NONE, np.int32),
        came_from=np.full(len(capacities), NONE, np.int8),
    )


def recall(ghosts, pool, page):
    """``page`` is expected and no ghost any more; the entry that it had, or NONE."""
    ghosts.coming[pool] = page
    entry = find(ghosts, page)
    if entry == NONE:
        ghosts.came_from[pool] = NONE
    else:
        ghosts.came_from[pool] = ghosts.lists.list_of[entry]
        forget(ghosts, pool, entry)
    return entry


def arrive(ghosts, pool, slot):
    """``slot`` holds the page that was expected; the list of ghosts that it was on, or NONE."""
    came_from = np.int64(ghosts.came_from[pool])
    ghosts.page_in[slot] = ghosts.coming[pool]
    ghosts.coming[pool] = ghosts.came_from[pool] = NONE
    return came_from


def remember(ghosts, pool, which, slot):
    """Make the page in ``slot`` the newest ghost of a list, for which there must be room; its entry.

    A page that came without being expected is not remembered; NONE then.
    """
    page = np.int64(ghosts.page_in[slot])
    return np.int64(NONE) if page == NONE else add(ghosts, pool, which, page)


def find(ghosts, page):
    """The entry of ``page``, or NONE."""
    bucket = home(ghosts.buckets, page)
    while ghosts.buckets[bucket] != NONE and ghosts.page_of[ghosts.buckets[bucket]] != page:
        bucket = following(ghosts.buckets, bucket)
    return np.int64(ghosts.buckets[bucket])


def add(ghosts, pool, which, page):
    """Make ``page`` the newest ghost of a list, for which there must be room; its entry."""
    entry = front(ghosts.lists, pool, unused(ghosts))
    move(ghosts.lists, pool, which, entry)
    ghosts.page_of[entry] = page
    bucket = home(ghosts.buckets, page)
    while ghosts.buckets[bucket] != NONE:
        bucket = following(ghosts.buckets, bucket)
    ghosts.buckets[bucket] = entry
    return entry


def full(ghosts, pool):
    """Whether there is no room for another ghost of the pool."""
    return ghosts.lists.length[pool, unused(ghosts)] == 0


def forget(ghosts, pool, entry):
    """Remember the page of ``entry`` no longer."""
    move(ghosts.lists, pool, unused(ghosts), entry)
    hole = home(ghosts.buckets, np.int64(ghosts.page_of[entry]))
    while ghosts.buckets[hole] != entry:
        hole = following(ghosts.buckets, hole)
    n = ghosts.buckets.shape[0]
    bucket = following(ghosts.buckets, hole)
    while ghosts.buckets[bucket] != NONE:  # close the gap that look-ups would stop at
        wanted = home(ghosts.buckets, np.int64(ghosts.page_of[ghosts.buckets[bucket]]))
        if (bucket - wanted + n) % n >= (bucket - hole + n) % n:
            ghosts.buckets[hole] = ghosts.buckets[bucket]
            hole = bucket
        bucket = following(ghosts.buckets, bucket)
    ghosts.buckets[hole] = NONE


def forget_oldest(ghosts, pool, which):
    """Remember the oldest ghost of a list no longer; the list must not be empty."""
    forget(ghosts, pool, front(ghosts.lists, pool, which))


def unused(ghosts):
    """Number of the list of unused entries."""
    return ghosts.lists.length.shape[1] - 1


def home(buckets, page):
    """The bucket where the search for ``page`` begins."""
    mixed = (np.uint64(page) * _GOLDEN) >> _S32
    return np.int64((mixed * np.uint64(buckets.shape[0])) >> _S32)


def following(buckets, bucket):
    """The next bucket, around the end."""
    return bucket + 1 if bucket + 1 < buckets.shape[0] else np.int64(0)
