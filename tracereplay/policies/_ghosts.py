"""Ghosts: pages that have left a pool and are remembered, in lists from the oldest to the newest.

For policies that treat a page that comes back otherwise than a new one.  Such a policy's State has
``coming`` (int32[pools], the page that is expected, or NONE) and ``page_of`` (int32[slots]); it offers
``expect`` and calls ``arrived`` when it inserts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.policies._queue import NEXT, PREV, push_back, unlink

NONE = -1

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_S32 = np.uint64(32)


class Ghosts(NamedTuple):
    """Page numbers are unique over all pools; ``list_of`` and ``page_of`` mean nothing for unused entries."""

    links: (
        np.ndarray
    )  # int32[entries + anchors, 2], oldest ghost at the front; one more list of unused entries
    anchor: int  # row of the anchor of pool 0's list 0
    page_of: np.ndarray  # int32[entries]
    list_of: np.ndarray  # uint8[entries]
    buckets: np.ndarray  # int32[buckets]: an entry or NONE; linear probing
    held: np.ndarray  # int64[pools, lists]: how many ghosts each list holds


def no_ghosts(capacities: Sequence[int], n_lists: int = 1) -> Ghosts:
    """Empty lists, ``n_lists`` a pool, with room for ``capacities[pool]`` ghosts together."""
    n, pools = int(sum(capacities)), len(capacities)
    links = np.zeros((n + pools * (n_lists + 1), 2), np.int32)
    links[n:] = np.arange(n, len(links), dtype=np.int32)[:, None]
    first = 0
    for pool, capacity in enumerate(capacities):
        unused = np.array([n + pool * (n_lists + 1) + n_lists, *range(first, first + capacity)], np.int32)
        links[unused, PREV], links[unused, NEXT] = np.roll(unused, 1), np.roll(unused, -1)
        first += capacity
    buckets = np.full(2 * n + 1, NONE, np.int32)
    held = np.zeros((pools, n_lists), np.int64)
    return Ghosts(links, n, np.full(n, NONE, np.int32), np.zeros(n, np.uint8), buckets, held)


def expect(state, pool, page):
    """Remember which page the next victim makes room for and the next insert brings."""
    state.coming[pool] = page


def arrived(state, pool, slot):
    """Note that ``slot`` holds the expected page, which is returned; NONE if none was expected."""
    page = np.int64(state.coming[pool])
    state.coming[pool] = NONE
    state.page_of[slot] = page
    return page


def find(ghosts, page):
    """The entry of ``page``, or NONE."""
    bucket = home(ghosts.buckets, page)
    while ghosts.buckets[bucket] != NONE and ghosts.page_of[ghosts.buckets[bucket]] != page:
        bucket = following(ghosts.buckets, bucket)
    return np.int64(ghosts.buckets[bucket])


def add(ghosts, pool, which, page):
    """Make ``page`` the newest ghost of list ``which``; there must be room.  Returns its entry.

    NONE is not remembered, and returned.
    """
    entry = np.int64(NONE)
    if page != NONE:
        entry = np.int64(ghosts.links[anchor_of(ghosts, pool, ghosts.held.shape[1]), NEXT])
        ghosts.page_of[entry] = page
        ghosts.list_of[entry] = which
        move(ghosts, pool, which, entry)
        ghosts.held[pool, which] += 1
        bucket = home(ghosts.buckets, page)
        while ghosts.buckets[bucket] != NONE:
            bucket = following(ghosts.buckets, bucket)
        ghosts.buckets[bucket] = entry
    return entry


def full(ghosts, pool):
    """Whether there is no room for another ghost of the pool."""
    unused = anchor_of(ghosts, pool, ghosts.held.shape[1])
    return np.int64(ghosts.links[unused, NEXT]) == unused


def forget(ghosts, pool, entry):
    """Remember the page of ``entry`` no longer."""
    ghosts.held[pool, ghosts.list_of[entry]] -= 1
    move(ghosts, pool, ghosts.held.shape[1], entry)
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
    """Remember the oldest ghost of list ``which`` no longer; the list must not be empty."""
    forget(ghosts, pool, np.int64(ghosts.links[anchor_of(ghosts, pool, which), NEXT]))


def anchor_of(ghosts, pool, which):
    """Row of the anchor of a list; the one after the last list is that of the unused entries."""
    return ghosts.anchor + pool * (ghosts.held.shape[1] + 1) + which


def move(ghosts, pool, which, entry):
    """Put an entry at the newest end of another list."""
    unlink(ghosts.links, entry)
    push_back(ghosts.links, anchor_of(ghosts, pool, which), entry)


def home(buckets, page):
    """The bucket where the search for ``page`` begins."""
    mixed = (np.uint64(page) * _GOLDEN) >> _S32
    return np.int64((mixed * np.uint64(buckets.shape[0])) >> _S32)


def following(buckets, bucket):
    """The next bucket, around the end."""
    return bucket + 1 if bucket + 1 < buckets.shape[0] else np.int64(0)
