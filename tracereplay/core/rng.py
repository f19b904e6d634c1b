"""SplitMix64 streams: the model's only source of chance.

Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np

HOST_POLICY, SHARING_SCAN, ACTIVITY_SAMPLING, GUEST_POLICY = 0, 1, 2, 16
"""Stream numbers; the guest policy of VM ``v`` has ``GUEST_POLICY + v``."""

_SPACING = 0xD1B54A32D192ED03
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


def stream_state(seed: int, stream: int) -> np.uint64:
    """Initial state of stream ``stream`` of a run with seed ``seed``."""
    return np.uint64((seed + stream * _SPACING) % 2**64)


def next_u64(state, index):
    """Advance ``state[index]`` (uint64) and return its next 64 random bits."""
    state[index] += _GAMMA
    return mix(state[index])


def mix(x):
    """The 64 random bits of one state of a stream."""
    z = (x ^ (x >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


def below(state, index, n):
    """Draw from 0 … n−1 (n < 2³²): the high 32 bits scaled to ``n``; ``below(1)`` draws too."""
    return np.int64(((next_u64(state, index) >> _S32) * np.uint64(n)) >> _S32)


def peek_below(state, index, n, ahead):
    """What ``below`` will return after ``ahead`` other draws; draws nothing."""
    x = state[index] + np.uint64(ahead + 1) * _GAMMA
    return np.int64(((mix(x) >> _S32) * np.uint64(n)) >> _S32)
