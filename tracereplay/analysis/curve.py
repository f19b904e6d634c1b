"""Miss-ratio curves: what a memory of each size would miss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


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


def spaced(first: int, last: int, most: int) -> np.ndarray:
    """At most ``most`` sizes from ``first`` to ``last`` in even ratios; all where there are no more."""
    if last - first < most:
        return np.arange(first, last + 1)
    return np.unique(np.geomspace(first, last, most).round().astype(np.int64))
