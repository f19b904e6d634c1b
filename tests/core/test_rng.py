"""Random numbers: SplitMix64 as published, streams and ranges as the model writes them."""

from __future__ import annotations

import numpy as np
import pytest

from tracereplay.core import _jit
from tracereplay.core.rng import below, next_u64, peek_below, stream_state

PUBLISHED = {
    # Vigna's C code, seeded with 0
    0: [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
        0xF88BB8A8724C81EC,
        0x1B39896A51A8749B,
    ],
    # Rosetta Code, "Pseudo-random numbers/Splitmix64"
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
}


def draw_all(state, out):
    """Fill ``out`` with the next numbers of stream 0."""
    for i in range(out.shape[0]):
        out[i] = next_u64(state, 0)


def draw_below(state, index, limits, out):
    """Fill ``out`` with one draw below each of ``limits``."""
    for i in range(out.shape[0]):
        out[i] = below(state, index, limits[i])


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("seed", PUBLISHED)
def test_published_outputs(seed, jit):
    """A state gives the outputs that others print for it, compiled or not."""
    state, out = np.array([seed], np.uint64), np.zeros(5, np.uint64)
    _jit.specialise(draw_all, jit=jit)(state, out)
    assert out.tolist() == PUBLISHED[seed]
    assert state.tolist() == [(seed + 5 * 0x9E3779B97F4A7C15) % 2**64]


@pytest.mark.parametrize("jit", [False, True])
def test_the_models_draws(jit):
    """Seed 7, stream 1 draws what the model prints; below(1) draws too; other streams stay as they are."""
    state = np.array([5, stream_state(7, 1), 5], np.uint64)
    out = np.zeros(5, np.int64)
    limits = np.array([1000, 1000, 1, 1000, 1000], np.int64)
    _jit.specialise(draw_below, jit=jit)(state, 1, limits, out)
    assert out.tolist() == [445, 288, 0, 374, 580]
    assert state.tolist()[::2] == [5, 5]


@pytest.mark.parametrize("jit", [False, True])
def test_draws_below_large_limits(jit):
    """The product of 32 random bits and a limit up to 2^32 - 1 does not overflow or leave the range."""
    seed, limit = 99, 2**32 - 1
    state, raw = np.array([seed], np.uint64), np.zeros(200, np.uint64)
    _jit.specialise(draw_all, jit=jit)(state, raw)
    out = np.zeros(200, np.int64)
    _jit.specialise(draw_below, jit=jit)(np.array([seed], np.uint64), 0, np.full(200, limit, np.int64), out)
    assert out.tolist() == [((z >> 32) * limit) >> 32 for z in raw.tolist()]
    assert max(out) > 2**31


@pytest.mark.parametrize("ahead", range(3))
@np.errstate(over="ignore")
def test_a_draw_can_be_known_beforehand(ahead):
    """Looking ahead draws nothing and says what the draw after so many others gives."""
    state = np.array([5, stream_state(7, 1)], np.uint64)
    assert int(peek_below(state, 1, 1000, ahead)) == [445, 288, 736][ahead]
    assert state.tolist() == [5, int(stream_state(7, 1))]


@pytest.mark.parametrize(
    ("seed", "stream", "state"),
    [
        (0, 0, 0),
        (0, 1, 0xD1B54A32D192ED03),
        (2**64 - 1, 1, 0xD1B54A32D192ED02),
        (0, 2, 0xA36A9465A325DA06),
        (2**64 - 1, 2**16, (2**16 * 0xD1B54A32D192ED03 - 1) % 2**64),
    ],
)
def test_streams_start_a_constant_apart(seed, stream, state):
    """Stream k starts at seed + k * 0xD1B54A32D192ED03 modulo 2^64."""
    found = stream_state(seed, stream)
    assert (found.dtype, int(found)) == (np.uint64, state)
