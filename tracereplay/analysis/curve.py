"""Miss-ratio curves: what a memory of each size would miss."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from tracereplay.trace.reader import Trace


@dataclass(frozen=True, eq=False)
class Curve:
    """Misses, first touches included, of one VM under one policy by the size of its memory.

    ``sizes`` is int64[n], pages, ascending, from 1 on; ``misses`` is int64[n] where counted, float64[n] where
    estimated from a sample, with ``low`` and ``high`` (float64[n]) as the ends of its 95 % band then.
    ``accesses`` is how many the VM made, FREE rows left out.
    """

    sizes: np.ndarray
    misses: np.ndarray
    accesses: int
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def miss_ratio(self) -> np.ndarray:
        """Misses as a share of the accesses, float64[n]; 0 where there are none."""
        return self.misses / max(self.accesses, 1)

    def at(self, sizes: np.ndarray) -> Curve:
        """The curve at ``sizes`` (int64, from its first on): each as the largest known one not above it."""
        places = np.searchsorted(self.sizes, sizes, side="right") - 1
        low, high = (None if line is None else line[places] for line in (self.low, self.high))
        return replace(self, sizes=sizes, misses=self.misses[places], low=low, high=high)


def of_raw_accesses(curve: Curve, trace: Trace, vms: Collection[int]) -> Curve:
    """The curve of ``vms`` with the accesses that they made where a reduction has left some out.

    What it has left out are hits, so misses stay and miss ratios become those of the whole trace.  The same
    curve where the trace is not reduced, or does not say how many there were.
    """
    if trace.metadata.reduction is None:
        return curve
    known = [n for n in (trace.raw_accesses()[vm] for vm in vms) if n is not None]
    return replace(curve, accesses=sum(known)) if len(known) == len(vms) else curve


def told_accesses(trace: Trace, vms: Collection[int]) -> str:
    """What the miss ratios of a reduced trace are of."""
    known = [n for n in (trace.raw_accesses()[vm] for vm in vms) if n is not None]
    if len(known) == len(vms):
        return f"of all {sum(known):,} accesses, those left out included"
    return "of the accesses kept" + ("" if not known else ", where it is not known how many were left out")


def spaced(first: int, last: int, most: int) -> np.ndarray:
    """At most ``most`` sizes from ``first`` to ``last`` in even ratios; all where there are no more."""
    if last - first < most:
        return np.arange(first, last + 1)
    return np.unique(np.geomspace(first, last, most).round().astype(np.int64))
