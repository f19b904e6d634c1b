"""Textbook tables: misses of one level of memory on strings that many books print."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tracereplay import policies
from tracereplay.analysis.next_use import NextUses
from tracereplay.analysis.one_level import OneLevel

SILBERSCHATZ = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]
BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
SAWTOOTH = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0] * 3


def misses(policy: str, string: list[int], frames: int, **options) -> int:
    """Misses of ``policy`` on pages given as small numbers, first touches included."""
    memory = OneLevel(policy, frames, jit=False, **options)
    pages, n_pages = np.array(string, np.int32), max(string) + 1
    next_uses = None
    if policies.needs_future(policy):
        with NextUses([(pages, n_pages, None)]) as future:
            next_uses = future.take(len(pages))
    memory.touch(pages, n_pages, next_uses=next_uses)
    return memory.misses


def table(policy: str, string: list[int]) -> list[int]:
    """Misses with 1, 2, … frames, up to one for every page."""
    return [misses(policy, string, frames) for frames in range(1, len(set(string)) + 1)]


@pytest.mark.parametrize(
    ("policy", "string", "expected"),
    [
        # with one frame every page but an immediate repetition misses
        ("fifo", SILBERSCHATZ, [20, 15, 15, 10, 9, 6]),
        ("lru", SILBERSCHATZ, [20, 17, 12, 8, 7, 6]),
        ("clock", SILBERSCHATZ, [20, 17, 11, 8, 7, 6]),
        ("opt", SILBERSCHATZ, [20, 13, 9, 8, 7, 6]),
        ("fifo", BELADY, [12, 12, 9, 10, 5]),
        ("lru", BELADY, [12, 12, 10, 8, 5]),
        ("opt", BELADY, [12, 9, 7, 6, 5]),
        ("fifo", SAWTOOTH, [25, 20, 17, 16, 5]),
        ("lru", SAWTOOTH, [25, 20, 15, 10, 5]),
        ("clock", SAWTOOTH, [25, 20, 19, 18, 5]),
        ("opt", SAWTOOTH, [25, 20, 15, 10, 5]),
    ],
)
def test_tables(policy, string, expected):
    """Misses at every number of frames are those of the books and of independent programs."""
    assert table(policy, string) == expected


def test_beladys_anomaly():
    """FIFO misses more with four frames than with three; LRU cannot: it is a stack policy."""
    assert np.diff(table("fifo", BELADY)).tolist() == [0, -3, 1, -5]
    for string in (SILBERSCHATZ, BELADY, SAWTOOTH):
        assert (np.diff(table("lru", string)) <= 0).all()


def test_random_repeats_itself_and_depends_on_the_seed():
    """Equal seeds miss equally; other seeds differ somewhere; all keep to what any policy must do."""
    tables = {
        seed: [misses("random", SAWTOOTH, frames, seed=seed) for frames in range(1, 6)] for seed in range(6)
    }
    again = [misses("random", SAWTOOTH, frames, seed=3) for frames in range(1, 6)]
    assert again == tables[3]
    assert len({tuple(found) for found in tables.values()}) > 1
    assert {(found[0], found[4]) for found in tables.values()} == {(25, 5)}


def test_batches_and_late_pages_change_nothing():
    """Touched in any pieces, with page ids made known only when they come, the misses are the same."""
    for policy, frames in itertools.product(("lru", "fifo", "clock", "random"), (2, 3, 4)):
        memory = OneLevel(policy, frames, jit=False)
        for start in range(0, len(SILBERSCHATZ), 3):
            piece = SILBERSCHATZ[start : start + 3]
            memory.touch(np.array(piece, np.int32), max(SILBERSCHATZ[: start + 3]) + 1)
        assert memory.misses == misses(policy, SILBERSCHATZ, frames)
