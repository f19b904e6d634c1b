"""Five Windows VMs that boot on a host too small for them, before any balloon driver runs.

Stresses share-before-swap.  A host of 1 GB, of which 160 MB are overhead, reclaims some 325 MB of zero pages
and pages out only some 35 MB.  Of the 1,472 MB configured, 864 + 325 + 35 = 1,224 have been touched by then;
as victims are random, nine tenths of them are zeros.  Give the host 864 MiB × ``scale``, sharing ``esx`` with
``share_before_swap`` and a rate of 1, so that the scan itself finds little.  The frame of all zeros is a
victim like any other: with some seeds it is paged out, and what it stands for then counts as swapped.
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002.
"""

from __future__ import annotations

from tracereplay.catalog import Count, Duration, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import filled, new_host, scaled_pages
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
    """Boot with ``scale`` of the memory; ``touches`` above 1 add random reads, so many for each page."""
    families = ["windows"] * VMS
    pages = scaled_pages(TOUCHED, scale, VMS)
    host = new_host(families, pages, duration, seed)
    keys = population(families, pages, Shares(zero=ZEROS))
    return filled(host, keys, touches)
