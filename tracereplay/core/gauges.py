"""Gauges: what the memory of each VM looks like at one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.core.counters import (
    BALLOONED,
    FRAMES_IN_USE,
    GAUGES,
    GUEST_FREE,
    PAGES_UNSHARED,
    PAGES_VOLATILE,
    RECLAIMED,
    RECLAIMED_CROSS_FAMILY,
    RECLAIMED_INTER_VM,
    RECLAIMED_SELF,
    RECLAIMED_ZERO,
    RESIDENT,
    SHARED,
    SHARED_FRAMES,
    SWAPPED_PAGES,
    ZERO_MAPPED_PAGES,
)
from tracereplay.core.state import (
    COW,
    N_BACKED,
    N_SWAPPED,
    N_ZERO_MAPPED,
    UNSHARED,
    VOLATILE,
    State,
)


class Notes(NamedTuple):
    """Room for ``count_shared`` to write on, and the family of each VM."""

    family_of: np.ndarray  # int64[vms], below 64
    last_vm: np.ndarray  # int32[frames]: round * VMs + VM of the mapper met last
    round: np.ndarray  # int64[1]: how often gauges were counted
    families: np.ndarray  # uint64[frames]: set of the families met; empty where all VMs are of one


def notes(families: Sequence[str], n_frames: int) -> Notes:
    """Notes for VMs of these families; ``n_frames`` is 0 where nothing is shared."""
    names = list(dict.fromkeys(families))
    return Notes(
        np.array([names.index(family) for family in families], np.int64),
        np.zeros(n_frames, np.int32),
        np.zeros(1, np.int64),
        np.empty(n_frames if len(names) > 1 else 0, np.uint64),
    )


def gauges(s: State, notes: Notes, count_shared: Callable[..., None]) -> np.ndarray:
    """All gauges now, int64[vms, gauges]; ``count_shared`` is the kernel below, compiled or not."""
    out = np.zeros((len(s.n_free), len(GAUGES)), np.int64)
    out[:, BALLOONED] = s.n_ballooned
    out[:, GUEST_FREE] = s.n_free
    out[:, SWAPPED_PAGES] = s.tally[:, N_SWAPPED]
    out[:, ZERO_MAPPED_PAGES] = out[:, RECLAIMED_ZERO] = s.tally[:, N_ZERO_MAPPED]
    out[:, RESIDENT] = s.tally[:, N_BACKED] + s.tally[:, N_ZERO_MAPPED]
    if len(s.share_flags):
        ppns = np.flatnonzero(s.share_flags == COW)
        count_shared(ppns, s.base, s.mpn_of, s.content_of, s.options.n_domains, notes, out)
    if len(s.remembered_of):
        for gauge, visit in ((PAGES_UNSHARED, UNSHARED), (PAGES_VOLATILE, VOLATILE)):
            ppns = np.flatnonzero(s.share_flags == visit)
            private = ppns[s.mpn_of[ppns] >= 0]
            out[:, gauge] = np.diff(np.searchsorted(private, s.base))
    out[:, RECLAIMED] = out[:, SHARED] - out[:, SHARED_FRAMES] + out[:, ZERO_MAPPED_PAGES]
    out[:, FRAMES_IN_USE] = s.tally[:, N_BACKED] - out[:, SHARED] + out[:, SHARED_FRAMES]
    return out


def count_shared(ppns, base, mpn_of, content_of, n_domains, notes, out):
    """Count the copy-on-write PPNs, given in order (int64).

    The first mapper of a frame owns it; each later one saves a page: a zero page, one equal to a page
    of its VM, of a VM of its family, or only of another family.
    """
    several = notes.families.shape[0] > 0
    n_vms = out.shape[0]
    notes.round[0] += 1
    before = notes.round[0] * n_vms  # notes below it are of earlier rounds
    vm = 0
    for i in range(ppns.shape[0]):
        ppn = ppns[i]
        mpn = np.int64(mpn_of[ppn])
        while ppn >= base[vm + 1]:
            vm += 1
        family = np.uint64(1) << np.uint64(notes.family_of[vm])
        last = np.int64(notes.last_vm[mpn]) - before
        out[vm, SHARED] += 1
        if last < 0:
            out[vm, SHARED_FRAMES] += 1
            if several:
                notes.families[mpn] = 0
        elif content_of[ppn] < n_domains:
            out[vm, RECLAIMED_ZERO] += 1
        elif last == vm:
            out[vm, RECLAIMED_SELF] += 1
        elif not several or notes.families[mpn] & family:
            out[vm, RECLAIMED_INTER_VM] += 1
        else:
            out[vm, RECLAIMED_CROSS_FAMILY] += 1
        notes.last_vm[mpn] = before + vm
        if several:
            notes.families[mpn] |= family
