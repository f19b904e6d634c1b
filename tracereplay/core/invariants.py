"""The laws that must hold after every access (model §10, laws 1, 2 and 6), checked on a live state."""

from __future__ import annotations

import numpy as np

from tracereplay.core.state import (
    COW,
    FRAME_SHARED,
    N_BACKED,
    N_SWAPPED,
    N_ZERO_MAPPED,
    NONE,
    SWAPPED,
    UNBACKED,
    ZERO_MAPPED,
    State,
)
from tracereplay.errors import InvariantError

LAWS = (
    "every guest page frame is free, mapped or ballooned",
    "every guest page frame is unbacked, private, copy-on-write, zero-mapped or host-swapped",
    "page tables agree in both directions",
    "frames in use are private or shared and fit the host's memory; mappers of shared frames add up",
    "sharing saves no more than there are equal copies",
)
"""What ``check`` proves, in words for a report."""


def check(s: State) -> None:
    """Raise InvariantError that names the first law broken; vectorised, O(pages + frames)."""
    _check_guests(s)
    _check_host(s)
    _check_tally(s)
    _check_sharing_bound(s)


def _demand(holds: bool | np.bool_, law: int, detail: str) -> None:
    if not holds:
        raise InvariantError(f"law broken: {LAWS[law]} ({detail}); please report this as a defect")


def _check_guests(s: State) -> None:
    for vm in range(len(s.n_free)):
        low, high = s.base[vm], s.base[vm + 1]
        mapped = np.flatnonzero(s.page_of[low:high] != NONE) + low
        held = np.concatenate(
            [s.stack[low : low + s.n_free[vm]], s.stack[high - s.n_ballooned[vm] : high], mapped]
        )
        whole = np.array_equal(np.sort(held), np.arange(low, high))
        _demand(whole, 0, f"VM {vm}: {len(np.unique(held))} of {high - low} accounted for")
        ballooned = s.stack[high - s.n_ballooned[vm] : high]
        _demand((s.mpn_of[ballooned] == UNBACKED).all(), 1, f"VM {vm}: a ballooned page is still backed")
        _demand((s.ppn_of[s.page_of[mapped]] == mapped).all(), 2, f"VM {vm}: PPN to page and back")
        _demand((s.mpn_of[mapped] != UNBACKED).all(), 1, f"VM {vm}: a mapped page is unbacked")
    n_mapped = int((s.page_of != NONE).sum())
    _demand(int((s.ppn_of >= 0).sum()) == n_mapped, 2, "pages mapped twice")


def _check_host(s: State) -> None:
    odd = (s.mpn_of < 0) & ~np.isin(s.mpn_of, (UNBACKED, SWAPPED, ZERO_MAPPED))
    _demand(not odd.any(), 1, "unknown state")
    backed = np.flatnonzero(s.mpn_of >= 0)
    n_frames = len(s.mappers)
    _demand((s.mpn_of < n_frames).all(), 3, f"a page is backed by a frame beyond the {n_frames}")
    counted = np.bincount(s.mpn_of[backed], minlength=n_frames)
    _demand((counted == s.mappers).all(), 3, "a frame's mappers are not those that map it")
    shared = (s.frame_flags & FRAME_SHARED) != 0
    _demand((s.mappers[~shared] <= 1).all(), 3, "a private frame has several mappers")
    in_use = n_frames - int(s.n_free_frames[0])
    _demand(int((s.mappers > 0).sum()) == in_use, 3, f"{in_use} frames in use")
    free = s.free_frames[: s.n_free_frames[0]]
    _demand((s.mappers[free] == 0).all() and len(np.unique(free)) == len(free), 3, "a free frame is mapped")
    table = s.frame_of[s.frame_of != NONE]
    _demand(len(table) == int(shared.sum()) and shared[table].all(), 3, "table of shared frames")
    if len(table):
        contents = np.flatnonzero(s.frame_of != NONE)
        mapped = backed[shared[s.mpn_of[backed]]]
        content_of_frame = np.full(n_frames, NONE)
        content_of_frame[s.frame_of[contents]] = contents
        _demand((content_of_frame[s.mpn_of[mapped]] == s.content_of[mapped]).all(), 3, "unequal pages merged")


def _check_tally(s: State) -> None:
    """What the kernels count as they go must be what a count from scratch finds."""
    for column, holds in (
        (N_BACKED, s.mpn_of >= 0),
        (N_SWAPPED, s.mpn_of == SWAPPED),
        (N_ZERO_MAPPED, s.mpn_of == ZERO_MAPPED),
    ):
        counted = np.diff(np.searchsorted(np.flatnonzero(holds), s.base))
        _demand((counted == s.tally[:, column]).all(), 1, "the tally is off")
    if len(s.share_flags):
        shared = (s.mpn_of >= 0) & ((s.frame_flags[np.maximum(s.mpn_of, 0)] & FRAME_SHARED) != 0)
        _demand((shared == (s.share_flags == COW)).all(), 1, "marks of copy-on-write pages")


def _check_sharing_bound(s: State) -> None:
    shared = (s.frame_flags & FRAME_SHARED) != 0
    backed = s.mpn_of >= 0
    zero_mapped = int((s.mpn_of == ZERO_MAPPED).sum())
    n_shared = int(s.mappers[shared].sum())
    reclaimed = n_shared - int(shared.sum()) + zero_mapped
    known = s.content_of[(backed | (s.mpn_of == ZERO_MAPPED)) & (s.content_of >= 0)]
    known = np.where(known < s.options.n_domains, 0, known)  # one zero page serves every domain
    copies = np.bincount(known) if len(known) else np.zeros(0, np.int64)
    bound = int((copies[copies > 0] - 1).sum()) + (zero_mapped > 0)
    _demand(reclaimed <= bound, 4, f"reclaimed {reclaimed}, at most {bound}")
