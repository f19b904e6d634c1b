"""Shared frames: the table from content to frame, and the list of PPNs mapped to each."""

from __future__ import annotations

import numpy as np

from tracereplay.core.counters import PAGES_MERGED
from tracereplay.core.host import mark_swapped, release_frame
from tracereplay.core.state import COW, FRAME_DIRTY, FRAME_SHARED, NONE, vm_of


def is_shared(s, mpn):
    """Whether frame ``mpn`` is write-protected and in the table of shared frames."""
    return (s.frame_flags[mpn] & FRAME_SHARED) != 0


def is_private(s, ppn):
    """Whether ``ppn`` is backed by a frame of its own."""
    return s.mpn_of[ppn] >= 0 and s.share_flags[ppn] != COW


def share(s, ppn):
    """Put the private frame behind ``ppn`` into the table; return it."""
    mpn = np.int64(s.mpn_of[ppn])
    s.frame_flags[mpn] |= FRAME_SHARED
    s.frame_of[s.content_of[ppn]] = mpn
    s.share_flags[ppn] = COW
    s.next_mapper[ppn] = NONE
    s.prev_mapper[ppn] = NONE
    return mpn


def unshare(s, mpn):
    """Take a frame out of the table; it stays in use, private to the one mapper that it has."""
    ppn = np.int64(s.mapper_of[mpn])
    s.frame_flags[mpn] &= FRAME_DIRTY
    s.frame_of[s.content_of[ppn]] = NONE
    s.share_flags[ppn] = 0


def map_shared(s, ppn, mpn):
    """Map ``ppn``, whose own frame is gone or going, to the shared frame ``mpn``."""
    first = np.int64(s.mapper_of[mpn])
    s.mpn_of[ppn] = mpn
    s.next_mapper[ppn] = first
    s.prev_mapper[ppn] = NONE
    s.prev_mapper[first] = ppn
    s.mapper_of[mpn] = ppn
    s.mappers[mpn] += 1
    s.share_flags[ppn] = COW
    s.counters[vm_of(s, ppn), PAGES_MERGED] += 1


def merge(s, ppn, mpn):
    """Merge the private page ``ppn`` into the shared frame ``mpn``; its own frame is freed."""
    own = np.int64(s.mpn_of[ppn])
    map_shared(s, ppn, mpn)
    release_frame(s, own)


def unlink_mapper(s, ppn, mpn):
    """Take ``ppn`` off the list of the shared frame ``mpn``, which has other mappers."""
    before = np.int64(s.prev_mapper[ppn])
    after = np.int64(s.next_mapper[ppn])
    if before == NONE:
        s.mapper_of[mpn] = after
    else:
        s.next_mapper[before] = after
    if after != NONE:
        s.prev_mapper[after] = before
    s.share_flags[ppn] = 0
    s.mappers[mpn] -= 1


def unmap_all(s, mpn):
    """Leave the table and mark every mapper host-swapped; return the lowest of them."""
    unshare(s, mpn)
    ppn = np.int64(s.mapper_of[mpn])
    lowest = ppn
    while ppn != NONE:
        s.share_flags[ppn] = 0
        mark_swapped(s, ppn)
        lowest = min(lowest, ppn)
        ppn = np.int64(s.next_mapper[ppn])
    return lowest
