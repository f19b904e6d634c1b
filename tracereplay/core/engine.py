"""The kernels that the replay loop calls: rows, balloons.  They mutate the state and return nothing."""

from __future__ import annotations

import numpy as np

from tracereplay.core.counters import ACCESSES, FREES, READS, WRITES
from tracereplay.core.guest import access, evict, pop_free, push_free
from tracereplay.core.hooks import guest_prefetch, guest_victim, load
from tracereplay.core.host import release_backing
from tracereplay.core.state import FREE, WRITE

_PAGE_AHEAD, _PPN_AHEAD = 24, 12  # rows between a prefetch and its use


def replay(s, vms, pages, ops, contents, start, stop):
    """Replay rows ``start … stop − 1`` of a batch (uint16, int32, uint8, int32 arrays of equal length)."""
    first, writes, frees = start, 0, 0
    for i in range(start, stop):
        look_ahead(s, vms, pages, i, stop - 1)
        vm, op = np.int64(vms[i]), ops[i]
        if vm != vms[first]:
            count_rows(s, np.int64(vms[first]), i - first, writes, frees)
            first, writes, frees = i, 0, 0
        writes += op == WRITE
        frees += op == FREE
        access(s, vm, page_at(pages, i), op, np.int64(contents[i]))
    if first < stop:
        count_rows(s, np.int64(vms[first]), stop - first, writes, frees)


def count_rows(s, vm, rows, writes, frees):
    """Count consecutive rows of one VM: once for all of them, which is much faster than row by row."""
    s.counters[vm, ACCESSES] += rows
    s.counters[vm, WRITES] += writes
    s.counters[vm, FREES] += frees
    s.counters[vm, READS] += rows - writes - frees


def page_at(pages, i):
    """Page id of a row; read as unsigned, so that the compiler need not allow for negative indices."""
    return np.int64(np.uint32(pages[i]))


def look_ahead(s, vms, pages, i, last):
    """Start loading what the rows after row ``i`` will need, in the order in which it can be known."""
    load(s.ppn_of, page_at(pages, min(i + _PAGE_AHEAD, last)))
    later = min(i + _PPN_AHEAD, last)
    ppn = np.int64(s.ppn_of[page_at(pages, later)])
    if ppn >= 0:
        load(s.mpn_of, ppn)
        load(s.content_of, ppn)
        guest_prefetch(s.guest_policy, np.int64(vms[later]), ppn)


def resize_balloon(s, vm, target, rate):
    """Move the balloon of ``vm`` towards ``target`` pages, by at most ``rate`` pages."""
    for _ in range(rate):
        size = s.n_ballooned[vm]
        if size < target:
            if s.n_free[vm] > 0:
                ppn = pop_free(s, vm)
            else:
                if s.n_free[vm] + size == s.base[vm + 1] - s.base[vm]:
                    return  # nothing is mapped: the balloon finds no page to take
                ppn = guest_victim(s.guest_policy, vm)
                evict(s, vm, ppn)
            release_backing(s, vm, ppn)
            s.n_ballooned[vm] += 1
            s.stack[s.base[vm + 1] - s.n_ballooned[vm]] = ppn
        elif size > target:
            ppn = np.int64(s.stack[s.base[vm + 1] - size])
            s.n_ballooned[vm] -= 1
            push_free(s, vm, ppn)
        else:
            return
