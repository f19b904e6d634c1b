"""Sampled LRU curves: exact where every page is sampled, else as good as their band says."""

from __future__ import annotations

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.sampling import Sample
from tracereplay.analysis.shards import shards_curves
from tracereplay.errors import TraceError
from tracereplay.trace import open_trace
from tracereplay.trace.hashing import mixed, page_keys, salt_offset

LINES = ("sizes", "misses", "low", "high")


def lru_misses(rows, size):
    """Misses of a list of at most ``size`` pages; ``rows`` are pages and operations."""
    memory, misses = [], 0
    for page, op in rows:
        if page in memory:
            memory.remove(page)
        elif op != 2:
            misses += 1
        if op != 2:
            memory = [page, *memory[: size - 1]]
    return misses


@pytest.mark.parametrize("asked", ["rate=100%,salts=2", "pages=25,salts=2", "pages=1k,salts=2"])
def test_a_sample_of_all_pages_is_exact(asked):
    """Of two VMs that free pages, at every size; the band has no width."""
    rng = np.random.default_rng(1)
    rows = {"vm": rng.integers(0, 2, 900), "page": (25 * rng.random(900) ** 2).astype(int)}
    rows["op"] = rng.choice(4, 900, p=[0.4, 0.2, 0.2, 0.2])
    found = shards_curves(open_trace(rows), [1, 0], Sample.parse(asked))
    assert list(found) == [1, 0]
    for vm, curve in found.items():
        mine = rows["vm"] == vm
        of_vm = list(zip(rows["page"][mine].tolist(), rows["op"][mine].tolist(), strict=True))
        assert curve.accesses == (rows["op"][mine] != 2).sum()
        assert curve.sizes.tolist() == list(range(1, len(curve.sizes) + 1))
        assert curve.misses.tolist() == [lru_misses(of_vm, size) for size in curve.sizes.tolist()]
        assert curve.misses[-1] == lru_misses(of_vm, 100)
        assert curve.low.tolist() == curve.misses.tolist() == curve.high.tolist()


def fixed_size(keys, salt, most):
    """SHARDS with a fixed number of pages, by lists: weights by scaled distance (−1: first touch), and R."""
    hashes = mixed(keys + salt_offset(salt)) >> np.uint64(32)
    below, stack, weights = 2**32, [], {}
    for page in hashes.tolist():
        if page >= below:
            continue
        rate = below / 2**32
        distance = stack.index(page) / rate if page in stack else -1
        weights[distance] = weights.get(distance, 0) + 1 / rate
        stack = [page, *(other for other in stack if other != page)]
        if len(stack) > most:
            below = max(stack)
            stack.remove(below)
    return weights, below / 2**32


@pytest.mark.parametrize("most", [1, 30])
def test_a_fixed_number_of_pages(most):
    """Like lists of at most so many pages, over several batches of ever new pages among old ones."""
    rng = np.random.default_rng(most)
    n = 300_000
    pages = np.where(rng.random(n) < 0.5, rng.integers(0, 5000, n), np.arange(n)).astype(np.uint64)
    curve = shards_curves(open_trace({"page": pages}), [0], Sample(pages=most, salts=2))[0]
    width = curve.sizes[0]
    assert width.bit_count() == 1
    assert curve.sizes.tolist() == list(range(width, curve.sizes[-1] + 1, width))
    keys = page_keys(pages, np.zeros(1, np.uint64))
    lists = [fixed_size(keys, salt, most) for salt in (0, 1)]
    expected = [
        [sum(w for distance, w in weights.items() if not 0 <= distance < size) for size in curve.sizes]
        for weights, _ in lists
    ]
    assert curve.misses == pytest.approx(np.minimum(np.mean(expected, axis=0), n))
    assert curve.sizes[-1] == -(-max(most / rate for _, rate in lists) // width) * width


@pytest.mark.parametrize("asked", ["rate=5%", "pages=500"])
def test_threads_change_no_number(asked):
    """Two VMs, one salt after the other or three at a time."""
    rng = np.random.default_rng(4)
    trace = open_trace({"vm": rng.integers(0, 2, 50_000), "page": rng.integers(0, 5000, 50_000)})
    one, three = (shards_curves(trace, [0, 1], Sample.parse(asked), jobs=jobs) for jobs in (1, 3))
    for vm in (0, 1):
        for line in LINES:
            assert (getattr(one[vm], line) == getattr(three[vm], line)).all()


@pytest.mark.parametrize(
    ("asked", "frees", "error"),
    [("rate=10%", 0, 0.006), ("pages=1000", 0, 0.003), ("rate=10%", 0.2, 0.021), ("pages=1000", 0.2, 0.009)],
)
def test_errors_are_what_the_band_says(asked, frees, error):
    """The same rows as forty VMs, each of which samples other pages: hardly a bias, and bands that hold it.

    From 50 sampled pages on: at smaller sizes there is a bias.  The most frequent pages weigh more where
    they are freed, too.
    """
    page = np.asarray(tr.synth("zipf", pages=10_000, accesses=30_000).read_all()["page"])
    op = np.where(np.random.default_rng(5).random(len(page)) < frees, 2, 0)
    exact = lru_curve(open_trace({"page": page, "op": op}))[0]
    rows = {"vm": np.repeat(np.arange(40), len(page)), "page": np.tile(page, 40), "op": np.tile(op, 40)}
    sizes = np.arange(500, 3000, 100)
    true = exact.at(sizes).misses
    found = shards_curves(open_trace(rows), range(40), Sample.parse(asked)).values()
    at_sizes = [curve.at(sizes) for curve in found]
    misses, low, high = (np.array([getattr(curve, line) for curve in at_sizes]) for line in LINES[1:])
    errors = (misses - true) / exact.accesses
    assert abs(errors).mean() < error
    assert abs(errors.mean(axis=0)).max() < error / 2
    assert 0.9 < ((low <= true) & (true <= high)).mean() < 0.99


def test_a_vm_without_accesses():
    """Has an empty curve of one size; one without accesses to sampled pages is refused."""
    trace = open_trace({"vm": [1, 1], "page": [5, 6]})
    sample = Sample.parse("rate=0.0001%,salts=2")
    assert shards_curves(trace, [0], sample)[0].misses.tolist() == [0]
    with pytest.raises(TraceError) as caught:
        shards_curves(trace, [1], sample)
    message = 'found no access to a page of VM "vm1" in a sample; expected some; take a higher rate'
    assert str(caught.value) == f"<table>: {message}"
