"""Zipf references, and the writes and contents that all generators of one VM share."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.2])
def test_popularity(alpha):
    """The page of rank r has its share r^-alpha / sum, give or take four deviations; ranks are shuffled."""
    n, accesses = 50, 200_000
    page = columns("zipf", pages=n, accesses=accesses, alpha=alpha).page.astype(int)
    counts = np.bincount(page, minlength=n)
    share = np.arange(1, n + 1) ** -alpha / (np.arange(1, n + 1) ** -alpha).sum()
    found = np.sort(counts)[::-1]
    assert (np.abs(found - accesses * share) < 4 * np.sqrt(accesses * share) + 20 * (alpha == 0)).all()
    assert alpha == 0 or counts.argmax() != 0


FORMULAS = {"lru": 0.3242, "fifo": 0.3687, "random": 0.3691}
"""Miss ratios that Che's and Gelenbe's formulas predict for 10,000 pages, alpha 1 and 1,000 frames."""


def test_miss_ratios():
    """Those of the formulas, for LRU, FIFO and random replacement, within 0.003."""
    accesses = 3_000_000
    trace = open_trace(table("zipf", pages=10_000, accesses=accesses, alpha=1.0, writes=0))
    found = {policy: count_misses(trace, policy, 1000) / accesses for policy in FORMULAS}
    assert found == pytest.approx(FORMULAS, abs=0.003)


def test_writes_and_their_contents():
    """Shares of writes and duplicates as asked; a page's own contents are at most four and nobody else's."""
    rows = columns("zipf", pages=1000, accesses=200_000, alpha=0.5, writes=0.4, duplicates=0.25)
    write = rows.op == 1
    assert (rows.known == write).all()
    assert abs(write.mean() - 0.4) < 4 * np.sqrt(0.24 / 200_000)
    pairs = np.unique(np.stack([rows.content[write], rows.page[write]]), axis=1)
    contents, pages_with = np.unique(pairs[0], return_counts=True)
    common = contents[pages_with > 1]
    assert len(common) == 50
    duplicate = np.isin(rows.content[write], common)
    assert abs(duplicate.mean() - 0.25) < 4 * np.sqrt(0.19 / write.sum())
    own_of = np.unique(pairs[1][~np.isin(pairs[0], common)], return_counts=True)[1]
    assert own_of.max() == 4


def test_vms_of_other_seeds_and_generators_share_nothing():
    """Two of one seed and generator are clones; else no content of one is in the other."""
    made = [("uniform", 1), ("uniform", 1), ("uniform", 2), ("zipf", 1), ("loop", 1)]
    first, *others = (
        set(rows.content[rows.known].tolist())
        for rows in (columns(kind, pages=50, accesses=2_000, seed=seed) for kind, seed in made)
    )
    assert [len(first & other) for other in others] == [len(first), 0, 0, 0]
