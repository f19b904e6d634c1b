"""Sharing as in VMware ESX: one table of shared frames and of hints, one random or sequential scan.

A shared frame whose last but one mapper goes turns private again.
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002, section 4.
"""

from __future__ import annotations

import numpy as np

from tracereplay.core.hooks import load
from tracereplay.core.rng import below
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
from tracereplay.core.state import NEXT_PPN, NONE, shareable

__all__ = [
    "drop_mapping",
    "is_shared",
    "keeps_frame",
    "scan_all",
    "scan_random",
    "scan_sequential",
    "share_victim",
    "unmap_all",
]


def drop_mapping(s, ppn, mpn):
    """Unmap ``ppn``; a frame left with one mapper turns private."""
    unlink_mapper(s, ppn, mpn)
    if s.mappers[mpn] == 1:
        unshare(s, mpn)


def keeps_frame(s, mpn):
    """A shared frame has two mappers or more: the writer always takes another frame."""
    return False


def share_victim(s, mpn):
    """Merge the victim's page into a shared frame or a valid hint; a stale hint stays."""
    ppn = np.int64(s.mapper_of[mpn])
    content = np.int64(s.content_of[ppn])
    if not shareable(s, content):
        return False
    frame = np.int64(s.frame_of[content])
    if frame == NONE:
        hint = np.int64(s.candidate_of[content])
        if hint == ppn or not hint_holds(s, hint, content):
            return False
        s.candidate_of[content] = NONE
        frame = share(s, hint)
    map_shared(s, ppn, frame)
    return True


def hint_holds(s, hint, content):
    """Whether a hint still names a private backed page of this content."""
    return hint != NONE and is_private(s, hint) and s.content_of[hint] == content


def visit(s, ppn):
    """Visit one candidate of a scan."""
    if not is_private(s, ppn):
        return
    content = np.int64(s.content_of[ppn])
    if not shareable(s, content):
        return
    frame = np.int64(s.frame_of[content])
    if frame == NONE:
        hint = np.int64(s.candidate_of[content])
        if hint == ppn or not hint_holds(s, hint, content):
            s.candidate_of[content] = ppn
            return
        s.candidate_of[content] = NONE
        frame = share(s, hint)
    merge(s, ppn, frame)


def scan_random(s, rate):
    """Visit ``rate`` PPNs drawn uniformly over all VMs' memory."""
    n = s.base[s.base.shape[0] - 1]
    drawn = s.drawn
    for first in range(0, rate, drawn.shape[0]):
        count = min(drawn.shape[0], rate - first)
        for i in range(count):  # draw some ahead, so that their memory is loaded when they are visited
            ppn = below(s.scan_stream, 0, n)
            drawn[i] = ppn
            load(s.mpn_of, ppn)
            load(s.share_flags, ppn)
            load(s.content_of, ppn)
        for i in range(count):
            visit(s, drawn[i])


def scan_sequential(s, rate):
    """Visit ``rate`` PPNs in order, wrapping."""
    n = s.base[s.base.shape[0] - 1]
    for _ in range(rate):
        ppn = s.cursor[NEXT_PPN]
        visit(s, ppn)
        s.cursor[NEXT_PPN] = 0 if ppn + 1 == n else ppn + 1


def scan_all(s, rate):
    """One full pass in order that starts and ends without hints; ``rate`` does not apply."""
    for content in range(s.candidate_of.shape[0]):
        s.candidate_of[content] = NONE
    for ppn in range(s.base[s.base.shape[0] - 1]):
        visit(s, ppn)
    for content in range(s.candidate_of.shape[0]):
        s.candidate_of[content] = NONE
