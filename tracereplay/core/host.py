"""The hypervisor's level: what a touch of a guest-physical page does to frames and host swap."""

from __future__ import annotations

import numpy as np

from tracereplay.core.counters import (
    AVOIDED_FILL_READS,
    COW_BREAKS,
    HOST_MAJOR_FAULTS,
    HOST_MINOR_FAULTS,
    HOST_SWAP_READS,
    HOST_SWAP_WRITES,
    SILENT_SWAP_WRITES,
)
from tracereplay.core.hooks import (
    drop_mapping,
    host_expect,
    host_hit,
    host_insert,
    host_likely_victim,
    host_remove,
    host_victim,
    is_shared,
    keeps_frame,
    load,
    share_victim,
    unmap_all,
)
from tracereplay.core.state import (
    COPY,
    DIRTY,
    FILL,
    FRAME_DIRTY,
    N_BACKED,
    N_SWAPPED,
    N_ZERO_MAPPED,
    NONE,
    READ,
    SWAPPED,
    UNBACKED,
    ZERO_MAPPED,
    vm_of,
)


def host_touch(s, vm, ppn, kind, cause):
    """Touch ``ppn``: READ, WRITE, or FILL (a write of the whole page whose old bytes nobody needs).

    ``cause`` is the counter that a host major fault is charged to beside the total.
    """
    mpn = np.int64(s.mpn_of[ppn])
    if mpn < 0:
        if mpn == ZERO_MAPPED:
            if kind != READ:
                s.counters[vm, COW_BREAKS] += 1
                s.tally[vm, N_ZERO_MAPPED] -= 1
                host_hit(s.host_policy, 0, back(s, vm, ppn, FRAME_DIRTY))
        else:
            fault(s, vm, ppn, mpn, kind, cause)
        return
    if kind != READ:
        if is_shared(s, mpn):
            mpn = break_cow(s, vm, ppn, mpn)
        s.frame_flags[mpn] |= FRAME_DIRTY
    host_hit(s.host_policy, 0, mpn)


def fault(s, vm, ppn, mpn, kind, cause):
    """Back a PPN that has no frame, from host swap or with a zeroed frame."""
    if mpn == UNBACKED:
        s.counters[vm, HOST_MINOR_FAULTS] += 1
        back(s, vm, ppn, FRAME_DIRTY)
        return
    s.tally[vm, N_SWAPPED] -= 1
    if kind == FILL and s.options.skip_fill_reads:
        s.counters[vm, AVOIDED_FILL_READS] += 1
    else:
        s.counters[vm, HOST_MAJOR_FAULTS] += 1
        s.counters[vm, cause] += 1
        s.counters[vm, HOST_SWAP_READS] += 1
    back(s, vm, ppn, 0 if kind == READ else FRAME_DIRTY)


def back(s, vm, ppn, flags):
    """Map ``ppn`` to a private frame taken for it; return the frame."""
    host_expect(s.host_policy, 0, ppn)
    if s.n_free_frames[0] == 0:
        reclaim(s)
    s.n_free_frames[0] -= 1
    mpn = np.int64(s.free_frames[s.n_free_frames[0]])
    s.tally[vm, N_BACKED] += 1
    s.mpn_of[ppn] = mpn
    s.mapper_of[mpn] = ppn
    s.mappers[mpn] = 1
    s.frame_flags[mpn] = flags
    host_insert(s.host_policy, 0, mpn)
    return mpn


def break_cow(s, vm, ppn, mpn):
    """Give the writer of a shared frame a frame of its own; return it."""
    s.counters[vm, COW_BREAKS] += 1
    if keeps_frame(s, mpn):
        return mpn
    drop_mapping(s, ppn, mpn)
    s.tally[vm, N_BACKED] -= 1
    s.mpn_of[ppn] = UNBACKED
    return back(s, vm, ppn, FRAME_DIRTY)


def reclaim(s):
    """Free the frame that the host policy chooses: by sharing it where asked, else by paging it out."""
    look_ahead(s)
    mpn = host_victim(s.host_policy, 0)
    if is_shared(s, mpn):
        page_out(s, unmap_all(s, mpn), mpn)
    elif not (s.options.share_before_swap and share_victim(s, mpn)):
        ppn = np.int64(s.mapper_of[mpn])
        mark_swapped(s, ppn)
        page_out(s, ppn, mpn)
    free_frame(s, mpn)


def look_ahead(s):
    """Start loading what the reclaims after this one will need, in the order in which it can be known."""
    mpn = np.int64(host_likely_victim(s.host_policy, 0, 2))
    if mpn >= 0:
        load(s.mapper_of, mpn)
        load(s.mappers, mpn)
        load(s.frame_flags, mpn)
    mpn = np.int64(host_likely_victim(s.host_policy, 0, 1))
    if mpn >= 0:
        ppn = np.int64(s.mapper_of[mpn])
        load(s.mpn_of, ppn)
        load(s.guest_flags, ppn)
        load(s.page_of, ppn)


def mark_swapped(s, ppn):
    """Unmap ``ppn`` from a frame that is being paged out."""
    vm = vm_of(s, ppn)
    s.tally[vm, N_BACKED] -= 1
    s.tally[vm, N_SWAPPED] += 1
    s.mpn_of[ppn] = SWAPPED


def page_out(s, ppn, mpn):
    """Account for the write of frame ``mpn``, charged to the VM of its lowest mapper ``ppn``."""
    if s.frame_flags[mpn] & FRAME_DIRTY:
        vm = vm_of(s, ppn)
        s.counters[vm, HOST_SWAP_WRITES] += 1
        clean_copy = (s.guest_flags[ppn] & (DIRTY | COPY)) == COPY
        if s.mappers[mpn] == 1 and s.page_of[ppn] != NONE and clean_copy:
            s.counters[vm, SILENT_SWAP_WRITES] += 1


def release_backing(s, vm, ppn):
    """Forget what backs ``ppn``: a copy-on-write or zero mapping, a private frame or a swapped copy."""
    mpn = np.int64(s.mpn_of[ppn])
    if mpn >= 0:
        s.tally[vm, N_BACKED] -= 1
        if is_shared(s, mpn):
            drop_mapping(s, ppn, mpn)
        else:
            release_frame(s, mpn)
    elif mpn == SWAPPED:
        s.tally[vm, N_SWAPPED] -= 1
    elif mpn == ZERO_MAPPED:
        s.tally[vm, N_ZERO_MAPPED] -= 1
    s.mpn_of[ppn] = UNBACKED


def release_frame(s, mpn):
    """Free a frame that is in use, without I/O."""
    host_remove(s.host_policy, 0, mpn)
    free_frame(s, mpn)


def free_frame(s, mpn):
    """Put a frame that the host policy no longer knows on the stack of free ones."""
    s.frame_flags[mpn] = 0
    s.mappers[mpn] = 0
    s.free_frames[s.n_free_frames[0]] = mpn
    s.n_free_frames[0] += 1
