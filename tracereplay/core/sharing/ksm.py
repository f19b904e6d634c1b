"""Sharing as in Linux KSM: a stable table of shared frames, an unstable one rebuilt at every full scan.

A page must look the same at two visits before it is compared; a shared frame with one mapper stays
shared.  Sources: Arcangeli, Eidus, Wright, "Increasing memory density by using KSM", OLS 2009;
Linux, mm/ksm.c.
"""

from __future__ import annotations

import numpy as np

from tracereplay.core.counters import PAGES_MERGED
from tracereplay.core.host import release_backing, release_frame
from tracereplay.core.sharing._cow import (
    is_private,
    is_shared,
    map_shared,
    merge,
    share,
    unlink_mapper,
    unmap_all,
    unshare,
)
from tracereplay.core.state import (
    COW,
    N_ZERO_MAPPED,
    NEXT_PPN,
    NONE,
    UNSHARED,
    VOLATILE,
    ZERO_MAPPED,
    is_zero,
    shareable,
    vm_of,
)

__all__ = ["drop_mapping", "is_shared", "keeps_frame", "scan", "share_victim", "unmap_all"]


def drop_mapping(s, ppn, mpn):
    """Unmap ``ppn``; only a frame left without mappers leaves the table, and is freed."""
    if s.mappers[mpn] == 1:
        unshare(s, mpn)
        release_frame(s, mpn)
    else:
        unlink_mapper(s, ppn, mpn)


def keeps_frame(s, mpn):
    """The last mapper of a shared frame keeps it: it leaves the table and turns private in place."""
    if s.mappers[mpn] > 1:
        return False
    unshare(s, mpn)
    return True


def share_victim(s, mpn):
    """Merge the victim's page into an equal shared frame, if there is one."""
    ppn = np.int64(s.mapper_of[mpn])
    content = np.int64(s.content_of[ppn])
    if not shareable(s, content) or s.frame_of[content] == NONE:
        return False
    map_shared(s, ppn, np.int64(s.frame_of[content]))
    return True


def visit(s, ppn):
    """Visit one candidate of a scan."""
    if s.share_flags[ppn] == COW:
        return
    s.share_flags[ppn] = 0
    if s.mpn_of[ppn] < 0:
        return
    content = np.int64(s.content_of[ppn])
    if not shareable(s, content):
        return
    if s.frame_of[content] != NONE:
        merge(s, ppn, np.int64(s.frame_of[content]))
    elif s.remembered_of[ppn] != content:
        s.remembered_of[ppn] = content
        s.share_flags[ppn] = VOLATILE
    elif s.options.use_zero_pages and is_zero(s, content):
        map_zero_page(s, ppn)
    else:
        visit_unstable(s, ppn, content)


def map_zero_page(s, ppn):
    """Give up the private frame of a zero page for the kernel's own."""
    vm = vm_of(s, ppn)
    release_backing(s, vm, ppn)
    s.mpn_of[ppn] = ZERO_MAPPED
    s.tally[vm, N_ZERO_MAPPED] += 1
    s.counters[vm, PAGES_MERGED] += 1


def visit_unstable(s, ppn, content):
    """Merge with a valid unstable entry of another page, or become the entry."""
    other = np.int64(s.candidate_of[content])
    if other != NONE and other != ppn and is_private(s, other) and s.content_of[other] == content:
        s.candidate_of[content] = NONE
        merge(s, ppn, share(s, other))
    else:
        s.candidate_of[content] = ppn
        s.share_flags[ppn] = UNSHARED


def scan(s, rate):
    """Visit ``rate`` PPNs in order, wrapping; the unstable table empties before each visit of the first."""
    n = s.base[s.base.shape[0] - 1]
    for _ in range(rate):
        ppn = s.cursor[NEXT_PPN]
        if ppn == 0:
            for content in range(s.candidate_of.shape[0]):
                s.candidate_of[content] = NONE
        visit(s, ppn)
        s.cursor[NEXT_PPN] = 0 if ppn + 1 == n else ppn + 1
