"""Ranks by hand; Zipf's exponent from exact weights and from draws of known ones."""

from __future__ import annotations

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.analysis.popularity import Zipf, fit_zipf, ranks, top_share
from tracereplay.trace import open_trace


def touches(kind: str, **params: object) -> np.ndarray:
    """Accesses to each page of a synthetic trace that was touched."""
    pages = [batch.page for batch in open_trace(tr.synth(kind, **params)).batches(("page",))]
    return np.unique(np.concatenate(pages), return_counts=True)[1]


def test_ranks_by_hand():
    """Bins of four to an octave: single ranks at first, and the last one as short as it must be."""
    found = ranks(np.array([1, 9, 2, 2, 7, 1, 5, 1, 4, 2, 2]))
    assert found.to_dict("list") == {
        "first_rank": [1, 2, 3, 4, 5, 6, 7, 8, 10],
        "last_rank": [1, 2, 3, 4, 5, 6, 7, 9, 11],
        "touches": [9, 7, 5, 4, 2, 2, 2, 1.5, 1],
    }
    assert ranks(np.array([3])).to_numpy().tolist() == [[1, 1, 3]]
    assert ranks(np.zeros(0, np.int64)).empty


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_exact_weights(alpha):
    """Counts that follow the law give its exponent back."""
    counts = 10**9 * np.arange(1, 5001.0) ** -alpha
    found = fit_zipf(ranks(counts.round().astype(np.int64)))
    assert found.alpha == pytest.approx(alpha, abs=0.002)
    assert found.r_squared > 0.9999


@pytest.mark.parametrize("alpha", [0.4, 0.8, 1.0, 1.2])
@pytest.mark.parametrize("accesses", [200_000, 20_000])
def test_draws_of_a_known_exponent(alpha, accesses):
    """From 100 draws a page, and from 10, where ties fill the tail."""
    found = fit_zipf(ranks(touches("zipf", pages=2000, accesses=accesses, alpha=alpha)))
    assert found.alpha == pytest.approx(alpha, abs=0.05)
    assert found.r_squared > 0.98


def test_all_alike():
    """Equal popularity is an exponent near 0; equal counts are one of exactly that, which fits."""
    assert 0 <= fit_zipf(ranks(touches("uniform", pages=2000, accesses=200_000))).alpha < 0.07
    assert fit_zipf(ranks(np.full(64, 7))) == Zipf(0, 1)


def test_too_few_pages():
    """A line needs three points to be worth a fit."""
    assert fit_zipf(ranks(np.array([5, 3]))) == Zipf(None, None)


def test_top_share():
    """The most popular tenth; at least a page; nothing of nothing."""
    counts = np.array([1] * 18 + [40, 42])
    assert top_share(counts, 0.1) == 0.82
    assert top_share(counts, 0.01) == 0.42
    assert top_share(counts[:0], 0.1) == 0
