"""VMs that boot: each zeroes all of its memory, then uses some of it.

Stresses share-before-swap: a host that is smaller than its VMs must page out zeros, or see that they are
all one page.  Windows zeroes all memory at boot, Linux when told to (``init_on_alloc``, ``init_on_free``).
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002.
"""

from __future__ import annotations

import numpy as np

from tracereplay.catalog import Count, Duration, Pages, Share
from tracereplay.trace.schema import Op
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import shuffled
from tracereplay.trace.synth._hosts import ORDER, Rows, clocked, contents, in_turn, new_host, own


def generate(
    *,
    vms: Count = 4,
    pages: Pages = 16_384,
    used: Share = 0.4,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """``vms`` VMs write zeros to ``pages`` pages each, side by side, then contents of their own to some.

    ``used`` is the fraction of the pages that do not stay zero; which ones is random.
    """
    host = new_host(in_turn(["windows"], vms), pages, duration, seed)
    size = vms * pages
    in_use = shuffled(seed, ORDER, pages)[: round(used * pages)]

    def rows(index: np.ndarray) -> Rows:
        page = (index // vms).astype(np.uint64)
        content = np.zeros(len(index), np.uint64)
        later = index >= size
        vm, turn = index[later] % vms, (index[later] - size) // vms
        page[later] = in_use[turn]
        content[later] = contents(own(vm, turn), seed)
        return Rows(page, np.full(len(index), Op.WRITE, np.uint8), content, np.ones(len(index), np.bool_))

    return clocked(host, size + vms * len(in_use), rows)
