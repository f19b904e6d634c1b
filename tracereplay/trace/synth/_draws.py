"""Random numbers by position: draw ``i`` of a stream is a function of ``i``, so batches never matter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tracereplay.trace.hashing import GAMMA, mixed

BATCH_ROWS = 1 << 20


def slices(rows: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each batch of a trace."""
    for start in range(0, rows, BATCH_ROWS):
        yield start, min(BATCH_ROWS, rows - start)


def bits(seed: int, stream: int, start: int, n: int) -> np.ndarray:
    """Draws ``start … start + n − 1`` of a stream, uint64[n]."""
    state = np.uint64((seed + stream * 0xD1B54A32D192ED03) % 2**64)
    index = np.arange(start + 1, start + n + 1, dtype=np.uint64)
    return mixed(state + index * GAMMA)


def uniform(seed: int, stream: int, start: int, n: int) -> np.ndarray:
    """Draws in [0, 1), float64[n]."""
    return (bits(seed, stream, start, n) >> np.uint64(11)) * 2.0**-53


def shuffled(seed: int, stream: int, n: int) -> np.ndarray:
    """The numbers 0 … n − 1 in random order, uint64[n]."""
    return np.argsort(bits(seed, stream, 0, n), kind="stable").astype(np.uint64)
