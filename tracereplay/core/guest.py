"""The guest's level: its page table, free stack, swap, and one access from the trace."""

from __future__ import annotations

import numpy as np

from tracereplay.core.counters import (
    DEMAND_FAULTS,
    DOUBLE_FAULTS,
    FALSE_READS,
    GUEST_FILE_FILLS,
    GUEST_MAJOR_FAULTS,
    GUEST_MINOR_FAULTS,
    GUEST_SWAP_READS,
    GUEST_SWAP_WRITES,
    STALE_READS,
    UNTRACED_WRITES,
)
from tracereplay.core.hooks import guest_expect, guest_hit, guest_insert, guest_remove, guest_victim
from tracereplay.core.host import host_touch, release_backing
from tracereplay.core.state import (
    COPY,
    DIRTY,
    FILL,
    FREE,
    IN_SWAP,
    NEVER,
    NONE,
    READ,
    WRITE,
    is_zero,
)


def access(s, vm, page, op, content):
    """One row of the trace; ``content`` is an id or UNKNOWN.  An instruction fetch is a read."""
    if op == FREE:
        free(s, vm, page)
        return
    kind = WRITE if op == WRITE else READ
    ppn = np.int64(s.ppn_of[page])
    if ppn >= 0:
        guest_hit(s.guest_policy, vm, ppn)
    else:
        ppn = fault_in(s, vm, page, ppn, kind, content)
    if kind == READ and content >= 0:
        known = np.int64(s.content_of[ppn])
        if known < 0:
            s.content_of[ppn] = content
        elif known != content:
            s.counters[vm, UNTRACED_WRITES] += 1
            kind = WRITE
    host_touch(s, vm, ppn, kind, DEMAND_FAULTS)
    if kind == WRITE:
        s.guest_flags[ppn] = DIRTY
        s.content_of[ppn] = content


def fault_in(s, vm, page, where, kind, content):
    """Guest fault on a page that is ``where``: NEVER touched or IN_SWAP; return the PPN it gets."""
    guest_expect(s.guest_policy, vm, page)
    ppn = take_ppn(s, vm)
    flags = COPY
    cause = STALE_READS
    if where == IN_SWAP:
        s.counters[vm, GUEST_MAJOR_FAULTS] += 1
        s.counters[vm, GUEST_SWAP_READS] += 1
        filled = np.int64(s.saved_of[page])
    else:
        s.counters[vm, GUEST_MINOR_FAULTS] += 1
        if kind == READ and content >= 0 and not is_zero(s, content):
            s.counters[vm, GUEST_FILE_FILLS] += 1
            filled = np.int64(content)
        else:
            flags = 0
            cause = FALSE_READS
            filled = np.int64(s.domain_of[vm])
    host_touch(s, vm, ppn, FILL, cause)
    s.content_of[ppn] = filled
    s.guest_flags[ppn] = flags
    s.page_of[ppn] = page
    s.ppn_of[page] = ppn
    guest_insert(s.guest_policy, vm, ppn)
    return ppn


def take_ppn(s, vm):
    """A PPN for a page that needs one: from the free stack, else from the guest's own victim."""
    if s.n_free[vm] > 0:
        return pop_free(s, vm)
    ppn = guest_victim(s.guest_policy, vm)
    evict(s, vm, ppn)
    return ppn


def evict(s, vm, ppn):
    """Write the page at ``ppn`` out, or drop it; the guest policy has let go of it already.

    The PPN keeps its stale content and its backing.
    """
    page = np.int64(s.page_of[ppn])
    flags = s.guest_flags[ppn]
    s.page_of[ppn] = NONE
    if flags:
        s.ppn_of[page] = IN_SWAP
        s.saved_of[page] = s.content_of[ppn]
    else:
        s.ppn_of[page] = NEVER
    if flags & DIRTY:
        s.counters[vm, GUEST_SWAP_WRITES] += 1
        host_touch(s, vm, ppn, READ, DOUBLE_FAULTS)


def free(s, vm, page):
    """FREE row: unmap the page or forget its swapped copy; a page never touched stays so."""
    ppn = np.int64(s.ppn_of[page])
    s.ppn_of[page] = NEVER
    if ppn >= 0:
        guest_remove(s.guest_policy, vm, ppn)
        s.page_of[ppn] = NONE
        push_free(s, vm, ppn)
        if s.options.free_page_reporting:
            release_backing(s, vm, ppn)


def pop_free(s, vm):
    """Take the PPN on top of the free stack."""
    s.n_free[vm] -= 1
    return np.int64(s.stack[s.base[vm] + s.n_free[vm]])


def push_free(s, vm, ppn):
    """Put a PPN on top of the free stack."""
    s.stack[s.base[vm] + s.n_free[vm]] = ppn
    s.n_free[vm] += 1
