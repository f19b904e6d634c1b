"""Five Windows VMs that boot on a host too small for them, before any balloon driver runs.

Stresses share-before-swap.  Of 1,472 MB configured the VMs touch 1,224 at boot, nine tenths of it zeros.  A
host of 1 GB, of which 160 MB are overhead (give it 864 MiB × ``scale``), reclaims some 325 MB of zero pages and
pages out only some 35 MB: 864 + 325 + 35 = 1,224.
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002, section 7.
"""

from __future__ import annotations

from tracereplay.catalog import Count, Duration, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import Host, filled, vm_infos
from tracereplay.trace.synth._population import Shares, population

VMS, TOUCHED, ZEROS = 5, 1224, 0.9
"""How many VMs; what they touch at boot in MiB, all together; how much of that is zero."""


def generate(
    *,
    scale: Share = 1 / 16,
    touches: Count = 1,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """Boot with ``scale`` of the memory; with ``touches`` above 1, each page is read that often afterwards."""
    families = ["windows"] * VMS
    pages = round(TOUCHED * 256 * scale / VMS)
    keys = population(families, pages, Shares(zero=ZEROS))
    return filled(Host(vm_infos(families), pages, duration, seed), keys, touches)
