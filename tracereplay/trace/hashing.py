"""Hashes of 64-bit keys, and samples of them: which keys are in is a function of key and salt alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""SplitMix64's increment."""


def mixed(keys: np.ndarray) -> np.ndarray:
    """SplitMix64's output function: 64 well-mixed bits for each uint64 key, one to one."""
    z = keys
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def sampled(keys: np.ndarray, rate: Fraction, salt: int) -> np.ndarray:
    """Which uint64 keys a sample of ``rate`` (above 0, at most 1) holds, bool[n]; each salt draws another."""
    offset = np.uint64((salt + 1) * int(GAMMA) % 2**64)
    return mixed(keys + offset) <= np.uint64(max(int(rate * 2**64) - 1, 0))
