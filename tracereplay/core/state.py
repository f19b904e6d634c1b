"""All mutable state of a simulation: arrays in one NamedTuple, allocated once, owned by the engine.

An index array is named ``<target>_of``.  Pages, PPNs and content ids are numbered over all VMs:
the PPNs of VM ``v`` are ``base[v] … base[v + 1] − 1``, a content id stands for one (domain, content)
pair, and id ``d`` is the zero page of domain ``d``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# operations (trace.schema.Op), and the kinds of a touch: READ and WRITE are shared by both
READ, WRITE, FREE, FETCH = 0, 1, 2, 3
FILL = 4

# ppn_of[page] of a page that is not mapped
NEVER, IN_SWAP = -1, -2
# mpn_of[ppn] of a PPN without a frame
UNBACKED, SWAPPED, ZERO_MAPPED = -1, -2, -3
# content ids, PPNs and pages that are not there
UNKNOWN = -1
NONE = -1
# guest_flags[ppn] of a mapped PPN: its page was written; its page has a valid copy (swap or file)
DIRTY, COPY = 1, 2
# frame_flags[mpn]: differs from its copy in host swap; write-protected and in the table
FRAME_DIRTY, FRAME_SHARED = 1, 2
# share_flags[ppn]: how the last visit of a KSM scan ended; mapped copy-on-write
VOLATILE, UNSHARED, COW = 1, 2, 4
# tally[vm, …]: how many PPNs of a VM are backed by a frame, host-swapped, zero-mapped
N_BACKED, N_SWAPPED, N_ZERO_MAPPED = 0, 1, 2
# cursor[…]: next PPN of a sequential scan
NEXT_PPN = 0


class Options(NamedTuple):
    """Switches and sizes of a run that are too cheap to specialise for."""

    skip_fill_reads: bool
    free_page_reporting: bool
    zero_only: bool
    share_before_swap: bool
    use_zero_pages: bool
    n_domains: int


class State(NamedTuple):
    # by page
    ppn_of: np.ndarray  # int32: PPN that holds the page, or NEVER, or IN_SWAP
    saved_of: np.ndarray  # int32: content id while in guest swap
    # by PPN
    page_of: np.ndarray  # int32: page mapped here, or NONE
    content_of: np.ndarray  # int32: content id, stale contents included, or UNKNOWN
    guest_flags: np.ndarray  # uint8: DIRTY, COPY
    mpn_of: np.ndarray  # int32: frame, or UNBACKED, SWAPPED, ZERO_MAPPED
    next_mapper: np.ndarray  # int32: next PPN mapped to the same shared frame, or NONE
    prev_mapper: np.ndarray  # int32
    remembered_of: np.ndarray  # int32: KSM, content id seen by the last scan, or UNKNOWN
    share_flags: np.ndarray  # uint8: COW, or VOLATILE or UNSHARED (KSM), or 0
    stack: np.ndarray  # int32: per VM, the free PPNs from base[v] up, the ballooned from base[v + 1] − 1 down
    # by frame
    mapper_of: np.ndarray  # int32: one PPN mapped to the frame; the first of the list for a shared one
    mappers: np.ndarray  # int32: how many
    frame_flags: np.ndarray  # uint8: FRAME_DIRTY, FRAME_SHARED
    free_frames: np.ndarray  # int32: stack of frames not in use
    n_free_frames: np.ndarray  # int64[1]
    # by content
    frame_of: np.ndarray  # int32: the shared frame that holds it, or NONE
    candidate_of: np.ndarray  # int32: PPN of its hint (ESX modes) or its unstable entry (KSM), or NONE
    # by VM
    base: np.ndarray  # int64[vms + 1]
    n_free: np.ndarray  # int64
    n_ballooned: np.ndarray  # int64
    domain_of: np.ndarray  # int64: sharing domain, which is also the id of its zero content
    tally: np.ndarray  # int64[vms, 3]
    counters: np.ndarray  # int64[vms, counters]
    # the rest
    scan_stream: np.ndarray  # uint64[1]
    cursor: np.ndarray  # int64[1]
    drawn: np.ndarray  # int64[16]: candidates of a random scan that are next, between two calls nothing
    options: Options
    guest_policy: Any
    host_policy: Any


def vm_of(s, ppn):
    """The VM that a PPN belongs to: rarely asked, so looked up rather than stored."""
    low = 0
    high = s.base.shape[0] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if s.base[middle] <= ppn:
            low = middle
        else:
            high = middle
    return low


def is_zero(s, content):
    """Whether a content id is the zero page of some domain."""
    return 0 <= content < s.options.n_domains


def shareable(s, content):
    """Whether pages of this content id may be shared at all."""
    return content >= 0 and (is_zero(s, content) or not s.options.zero_only)
