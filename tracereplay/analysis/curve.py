"""Miss-ratio curves: what a memory of each size would miss."""

from __future__ import annotations

from dataclasses import dataclass

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
        """Misses as a share of the accesses, float64[n]."""
        return self.misses / self.accesses
