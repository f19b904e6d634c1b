"""Curves by simulation: what each memory alone would miss, of the whole trace or of samples of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.analysis.one_level import count_misses
from tracereplay.analysis.sampling import Sample
from tracereplay.analysis.simulated import simulated_curves
from tracereplay.trace import open_trace

POLICIES = ("clock", "opt")
LINES = ("sizes", "misses", "low", "high")


def two_vms(n=40_000, pages=1000):
    """Rows of two VMs, some pages far more often than others, some freed."""
    rng = np.random.default_rng(6)
    page = (pages * rng.random(n) ** 3).astype(int)
    return pd.DataFrame(
        {"vm": rng.integers(0, 2, n), "page": page, "op": rng.choice(4, n, p=[0.5, 0.2, 0.01, 0.29])}
    )


@pytest.mark.parametrize(
    ("policies", "jobs"),
    [
        (["fifo"], 1),
        (["fifo"], 3),
        pytest.param(["lru", "clock", "random", "opt"], 2, marks=pytest.mark.slow),
    ],
)
def test_every_memory_misses_what_it_does_alone(policies, jobs):
    """Several policies and five sizes at once, of one of two VMs that free pages."""
    rows = two_vms()
    sizes = np.array([1, 3, 40, 500, 2000])
    found = simulated_curves(open_trace(rows), 1, policies, sizes, seed=9, jobs=jobs)
    alone = open_trace(rows[rows.vm == 1].assign(vm=0))
    assert list(found) == policies
    for policy, curve in found.items():
        assert curve.sizes.tolist() == sizes.tolist()
        expected = [count_misses(alone, policy, size, seed=9) for size in sizes.tolist()]
        assert curve.misses.tolist() == expected
        assert curve.accesses == ((rows.vm == 1) & (rows.op != 2)).sum()
        assert curve.low is None


def test_miniatures_are_memories_of_sampled_traces():
    """Their misses over the rate: mean and spread of four samples, each alone; jobs change nothing."""
    trace = open_trace({"page": two_vms().page})
    sizes, frames = np.array([100, 321, 325, 500, 1000]), [32, 32, 50, 100]
    sample = Sample.parse("rate=10%,salts=4")
    one, three = (simulated_curves(trace, 0, POLICIES, sizes, sample=sample, jobs=jobs) for jobs in (1, 3))
    parts = [open_trace(tr.sample_trace(trace, 0.1, salt=salt).read_all()) for salt in range(4)]
    for policy in POLICIES:
        expected = np.array([[10 * count_misses(part, policy, n) for n in frames] for part in parts])
        assert one[policy].sizes.tolist() == [321, 325, 500, 1000]
        assert one[policy].misses == pytest.approx(expected.mean(axis=0))
        half = 3.182 * expected.std(axis=0, ddof=1) / 2
        assert one[policy].high - one[policy].misses == pytest.approx(half)
        assert one[policy].accesses == trace.n_rows
        for line in LINES:
            assert (getattr(one[policy], line) == getattr(three[policy], line)).all()


def test_a_number_of_pages_is_a_share_of_the_footprint():
    """A quarter of them is a rate of 1/4; all of them, or more, or a rate of 1, are simulated exactly."""
    trace = open_trace({"page": np.random.default_rng(0).permutation(np.tile(np.arange(800), 20))})
    sizes = np.array([10, 200, 400])
    by_pages, by_rate = (
        simulated_curves(trace, 0, ["clock"], sizes, sample=Sample.parse(asked))["clock"]
        for asked in ("pages=200", "rate=25%")
    )
    for line in LINES:
        assert getattr(by_pages, line).tolist() == getattr(by_rate, line).tolist()
    assert by_rate.sizes.tolist() == [200, 400]
    exact = simulated_curves(trace, 0, ["clock"], sizes)["clock"]
    for asked in ("pages=800", "pages=8k", "rate=1"):
        whole = simulated_curves(trace, 0, ["clock"], sizes, sample=Sample.parse(asked))["clock"]
        assert (whole.misses.tolist(), whole.low) == (exact.misses.tolist(), None)


def test_errors_are_small():
    """On Zipf-distributed pages, a tenth of them: within the band at nearly all sizes, and within 0.01."""
    trace = open_trace(tr.synth("zipf:pages=20k,accesses=200k").read_all())
    sizes = np.geomspace(1000, 15_000, 8).astype(np.int64)
    exact = simulated_curves(trace, 0, POLICIES, sizes)
    mini = simulated_curves(trace, 0, POLICIES, sizes, sample=Sample.parse("rate=10%,salts=16"))
    for policy in POLICIES:
        assert mini[policy].miss_ratio == pytest.approx(exact[policy].miss_ratio, abs=0.01)
        covered = (mini[policy].low <= exact[policy].misses) & (exact[policy].misses <= mini[policy].high)
        assert covered.mean() > 0.8


def test_memories_too_small_for_the_sample():
    """Are left out, if need be all."""
    trace, sizes = open_trace({"page": [1, 2]}), np.array([5, 100])
    curve = simulated_curves(trace, 0, ["opt"], sizes, sample=Sample.parse("1%"))["opt"]
    assert (curve.sizes.tolist(), curve.misses.tolist(), curve.accesses) == ([], [], 2)
