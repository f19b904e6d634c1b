"""The double-paging surface against replays: more than a thousand tiny traces, and real ones."""

from __future__ import annotations

import random

import pytest
from analysis.test_double_paging import FETCH, READ, WRITE, same_as_replayed, table

import tracereplay as tr
from tracereplay.bundled import trace_path

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("writes", [0.1, 0.5, 1])
@pytest.mark.parametrize("known", [0, 0.5, 1])
def test_tiny_traces(writes, known):
    """150 random traces of few or many writes, with or without contents: every counter of a random pair."""
    rng = random.Random(f"{writes} {known}")
    for _ in range(150):
        n_pages, n_contents = rng.randint(1, 8), rng.randint(1, 4)
        rows = [
            (
                rng.randrange(n_pages),
                WRITE if rng.random() < writes else rng.choice([READ, FETCH]),
                rng.randrange(n_contents) if rng.random() < known else None,
            )
            for _ in range(rng.randint(1, 60))
        ]
        trace = table(rows)
        surface = tr.double_paging_surface(trace, [rng.randint(1, 9)], [rng.randint(1, 9)], jit=False)
        assert same_as_replayed(surface, trace)


@pytest.mark.parametrize("name", ["gzip", "sort", "sqlite", "python", "cc1"])
def test_real_traces(name):
    """Every counter of 25 pairs, of a real program with contents."""
    trace = tr.open_trace(trace_path(name))
    sizes = ["30%", "45%", "46%", "70%", "100%"]
    assert same_as_replayed(tr.double_paging_surface(trace, sizes, sizes), trace, jit=True)
