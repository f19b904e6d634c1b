"""Curves against each other on real traces, and against formulas that need no simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.sampling import Sample
from tracereplay.analysis.shards import shards_curves
from tracereplay.analysis.simulated import simulated_curves
from tracereplay.bundled import trace_path
from tracereplay.trace import open_trace

pytestmark = pytest.mark.slow

VMS = [
    ("gzip", 0),
    ("sort", 0),
    ("sqlite", 0),
    ("python", 0),
    ("cc1", 0),
    ("two-guests", 0),
    ("two-guests", 1),
]
OTHERS = ("fifo", "clock", "random", "opt")


@cache
def opened(name):
    return open_trace(trace_path(name))


@cache
def exact(name, vm):
    return lru_curve(opened(name), [vm])[vm]


@pytest.mark.parametrize(("name", "vm"), VMS)
def test_lru_by_simulation_at_every_size(name, vm):
    """Misses of an LRU memory of each size (of guests, every 50th) are those that stack distances tell."""
    curve = exact(name, vm)
    every = slice(None, None, 50 if name == "two-guests" else 1)
    for sizes in np.split(curve.sizes[every], range(1000, len(curve.sizes[every]), 1000)):
        found = simulated_curves(opened(name), vm, ["lru"], sizes, jobs=2)["lru"]
        assert found.misses.tolist() == curve.at(sizes).misses.tolist()


@pytest.mark.parametrize(("name", "vm"), VMS)
@pytest.mark.parametrize(("pages", "bound"), [(2000, 0.005), (8192, 0.001)])
def test_sampled_curves(name, vm, pages, bound):
    """Mean absolute error of the miss ratio over all sizes, of eight samples of a number of pages."""
    curve = exact(name, vm)
    found = shards_curves(opened(name), [vm], Sample(pages=pages), jobs=2)[vm]
    known = curve.at(curve.sizes[curve.sizes >= found.sizes[0]])
    errors = abs(found.at(known.sizes).miss_ratio - known.miss_ratio)
    assert errors.mean() < bound
    assert len(curve.sizes) > pages or (errors.max() == 0 and len(errors) == len(curve.sizes))


@pytest.mark.parametrize("asked", ["rate=10%", "pages=400"])
def test_bands_hold_what_they_say(asked):
    """Thirty draws of eight samples of GCC's pages: some 95 % of the bands, from 50 sampled pages on."""
    curve = exact("cc1", 0)
    curve = curve.at(curve.sizes[500:])
    page = np.concatenate([batch.page for batch in opened("cc1").batches(("page",))])
    held = []
    for draw in range(30):
        other = open_trace({"page": page + np.uint64(draw << 40)})
        found = shards_curves(other, [0], Sample.parse(asked), jobs=2)[0].at(curve.sizes)
        held.append(((found.low <= curve.misses) & (curve.misses <= found.high)).mean())
    assert 0.9 < np.mean(held) < 0.99


@pytest.mark.parametrize(
    ("name", "vm", "pages"), [("cc1", 0, 2000), ("two-guests", 0, 8192), ("two-guests", 1, 8192)]
)
def test_miniatures(name, vm, pages):
    """At 60 sizes: no policy misses less than OPT, and miniatures are near the whole."""
    curve = exact(name, vm)
    sizes = curve.sizes[:: len(curve.sizes) // 60]
    whole = simulated_curves(opened(name), vm, OTHERS, sizes, jobs=2)
    mini = simulated_curves(opened(name), vm, OTHERS, sizes, sample=Sample(pages=pages), jobs=2)
    assert (np.diff(whole["opt"].misses) <= 0).all()
    for policy in OTHERS:
        assert (whole[policy].misses >= whole["opt"].misses).all()
        kept = np.isin(sizes, mini[policy].sizes)
        errors = mini[policy].miss_ratio - whole[policy].miss_ratio[kept]
        assert abs(errors).mean() < 0.005
    assert (curve.at(sizes).misses >= whole["opt"].misses).all()


def solved(hit_ratios, weights, size):
    """Hit ratio over all pages: each has its own at the time at which ``size`` of them are in memory."""
    low, high = 0.0, 1e12
    for _ in range(200):
        time = (low + high) / 2
        low, high = (low, time) if hit_ratios(weights * time).sum() > size else (time, high)
    return float((weights * hit_ratios(weights * low)).sum())


def test_closed_forms():
    """Zipf-distributed pages: Che's approximation of LRU, and Gelenbe's formula of FIFO and RANDOM.

    Che, Tung and Wang, "Hierarchical web caching systems", IEEE JSAC 2002.  Gelenbe, "A unified approach to
    the evaluation of a class of replacement algorithms", IEEE Transactions on Computers 1973.
    """
    trace = open_trace(tr.synth("zipf:pages=10k,accesses=3M").read_all())
    sizes = np.array([100, 300, 1000, 3000])
    found = simulated_curves(trace, 0, ("lru", "fifo", "random"), sizes, jobs=2)
    weights = 1 / np.arange(1, 10_001)
    weights /= weights.sum()
    for policy, curve in found.items():
        in_memory = (lambda x: -np.expm1(-x)) if policy == "lru" else (lambda x: x / (1 + x))
        expected = [1 - solved(in_memory, weights, size) for size in sizes.tolist()]
        assert curve.miss_ratio == pytest.approx(expected, abs=0.0012)
