"""Random numbers by position: draw ``i`` of a stream is a function of ``i``, so batches never matter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BATCH_ROWS = 1 << 20
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def slices(rows: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each batch of a trace."""
    for start in range(0, rows, BATCH_ROWS):
        yield start, min(BATCH_ROWS, rows - start)


def mixed(keys: np.ndarray) -> np.ndarray:
    """SplitMix64's output function: 64 well-mixed bits for each uint64 key, one to one, 0 for 0."""
    z = keys
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bits(seed: int, stream: int, start: int, n: int) -> np.ndarray:
    """Draws ``start … start + n − 1`` of a stream, uint64[n]."""
    state = np.uint64((seed + stream * 0xD1B54A32D192ED03) % 2**64)
    index = np.arange(start + 1, start + n + 1, dtype=np.uint64)
    return mixed(state + index * _GAMMA)


def uniform(seed: int, stream: int, start: int, n: int) -> np.ndarray:
    """Draws in [0, 1), float64[n]."""
    return (bits(seed, stream, start, n) >> np.uint64(11)) * 2.0**-53


def shuffled(seed: int, stream: int, n: int) -> np.ndarray:
    """The numbers 0 … n − 1 in random order, uint64[n]."""
    return np.argsort(bits(seed, stream, 0, n), kind="stable").astype(np.uint64)
