"""Gauges: what the memory of each VM looks like at one moment, counted in one pass over all PPNs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracereplay.core.counters import (
    BALLOONED,
    FRAMES_IN_USE,
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
from tracereplay.core.state import FRAME_SHARED, NONE, SWAPPED, UNSHARED, VOLATILE, ZERO_MAPPED


class Memory(NamedTuple):
    """The part of the engine's state that gauges look at, and room for their own notes."""

    base: np.ndarray
    mpn_of: np.ndarray
    content_of: np.ndarray
    frame_flags: np.ndarray
    visit_of: np.ndarray  # empty without sharing
    n_free: np.ndarray
    n_ballooned: np.ndarray
    family_of: np.ndarray  # int64[vms], 0 … 63
    n_domains: int
    last_vm: np.ndarray  # int32[frames], or empty without sharing
    families: np.ndarray  # uint64[frames], or empty without sharing: set of families that map the frame


def measure(m, out):
    """Fill ``out`` (int64[vms, gauges])."""
    for mpn in range(m.last_vm.shape[0]):
        m.last_vm[mpn] = NONE
        m.families[mpn] = 0
    for vm in range(out.shape[0]):
        for gauge in range(out.shape[1]):
            out[vm, gauge] = 0
        out[vm, BALLOONED] = m.n_ballooned[vm]
        out[vm, GUEST_FREE] = m.n_free[vm]
        for ppn in range(m.base[vm], m.base[vm + 1]):
            measure_ppn(m, out, vm, ppn)
        out[vm, RESIDENT] += out[vm, ZERO_MAPPED_PAGES]
        out[vm, RECLAIMED_ZERO] += out[vm, ZERO_MAPPED_PAGES]
        out[vm, RECLAIMED] = out[vm, SHARED] - out[vm, SHARED_FRAMES] + out[vm, ZERO_MAPPED_PAGES]


def measure_ppn(m, out, vm, ppn):
    """Add one PPN to the gauges of its VM."""
    mpn = np.int64(m.mpn_of[ppn])
    if mpn >= 0:
        out[vm, RESIDENT] += 1
        if m.frame_flags[mpn] & FRAME_SHARED:
            out[vm, SHARED] += 1
            measure_shared(m, out, vm, ppn, mpn)
        else:
            out[vm, FRAMES_IN_USE] += 1
            if m.visit_of.shape[0] > 0:
                out[vm, PAGES_UNSHARED] += m.visit_of[ppn] == UNSHARED
                out[vm, PAGES_VOLATILE] += m.visit_of[ppn] == VOLATILE
    elif mpn == ZERO_MAPPED:
        out[vm, ZERO_MAPPED_PAGES] += 1
    elif mpn == SWAPPED:
        out[vm, SWAPPED_PAGES] += 1


def measure_shared(m, out, vm, ppn, mpn):
    """The first mapper in (vm, ppn) order owns the frame; each other one saves a frame of its kind."""
    family = np.uint64(1) << np.uint64(m.family_of[vm])
    if m.last_vm[mpn] == NONE:
        out[vm, SHARED_FRAMES] += 1
        out[vm, FRAMES_IN_USE] += 1
    elif 0 <= m.content_of[ppn] < m.n_domains:
        out[vm, RECLAIMED_ZERO] += 1
    elif m.last_vm[mpn] == vm:
        out[vm, RECLAIMED_SELF] += 1
    elif m.families[mpn] & family:
        out[vm, RECLAIMED_INTER_VM] += 1
    else:
        out[vm, RECLAIMED_CROSS_FAMILY] += 1
    m.last_vm[mpn] = vm
    m.families[mpn] |= family
