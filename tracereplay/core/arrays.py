"""Arrays that grow with what a trace brings, between calls of the kernels."""

from __future__ import annotations

import numpy as np


def grown(array: np.ndarray, n: int, fill: int) -> np.ndarray:
    """``array`` with room for ``n`` rows or more, the new ones ``fill``.

    Where it is too short it becomes at least half as long again, so that growing stays linear.
    """
    if n <= len(array):
        return array
    more = max(n, len(array) * 3 // 2) - len(array)
    return np.concatenate([array, np.full((more, *array.shape[1:]), fill, array.dtype)])
