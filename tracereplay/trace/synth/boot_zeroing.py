"""VMs that boot: each zeroes all of its memory, then uses some of it.

Stresses share-before-swap: a host that is smaller than its VMs must page out zeros, or see that they are
all one page.  Windows zeroes all memory at boot, Linux when told to (``init_on_alloc``, ``init_on_free``).
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002, section 7.
"""

from __future__ import annotations

from tracereplay.catalog import Count, Duration, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import Host, vm_infos, zeroed


def generate(
    *,
    vms: Count = 4,
    pages: Pages = 16_384,
    used: Share = 0.4,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """``vms`` VMs write zeros to ``pages`` pages each, side by side, then contents of their own to ``used``."""
    return zeroed(Host(vm_infos(["windows"] * vms), pages, duration, seed), round(used * pages))
