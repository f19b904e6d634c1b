"""Identical Linux VMs under one load: the best case of page sharing.

Stresses the sharing scan, and copy-on-write once VMs write.  The pages that an ideal scan finds grow with the
number of VMs to 67 % of all memory, what they give back to 60 %; one VM alone gives back 5 MB, 55 % of it
zero pages: 26.8 MB for each VM less 21.8 MB.
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002, best case.
"""

from __future__ import annotations

import numpy as np

from tracereplay.catalog import Count, Duration, Pages
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import INTER, SELF, filled, in_turn, key, new_host, own

POOL, REDUNDANT, ZERO_PART = 0.67, 0.125, 0.55
"""Of a VM's pages those in every VM; of its pages those that repeat inside it; of these the zero pages."""


def generate(
    *,
    vms: Count = 10,
    pages: Pages = 10_240,
    touches: Count = 2,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """``vms`` VMs of ``pages`` pages each; every page is touched ``touches`` times on average."""
    host = new_host(in_turn(["linux"], vms), pages, duration, seed)
    pool, redundant = round(POOL * pages), round(REDUNDANT * pages)
    zeros = round(ZERO_PART * redundant) + 1
    paired = zeros + 2 * (redundant + 1 - zeros)

    def keys(vm: np.ndarray, slot: np.ndarray) -> np.ndarray:
        parts = [slot < zeros, slot < paired, slot < pool]
        made = [np.zeros(len(slot), np.uint64), key(SELF, (slot - zeros) // 2), key(INTER, slot)]
        return np.select(parts, made, own(vm, slot))

    return filled(host, keys, touches)
