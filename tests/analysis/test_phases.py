"""Phases by hand, and of a synthetic trace whose phases are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.analysis.phases import phases


def test_by_hand():
    """A phase ends before a window that has half of the pages or less in common with it."""
    timeline = pd.DataFrame(
        {
            "start": [5, 15, 25, 35, 45],
            "end": [15, 25, 35, 45, 52],
            "pages": [10, 12, 8, 4, 4],
            "similarity": [np.nan, 0.8, 0.6, 0.5, 0.51],
        }
    )
    assert phases(timeline).to_dict("list") == {
        "start": [5, 35],
        "end": [35, 52],
        "windows": [3, 2],
        "pages": [10, 4],
        "similarity": [0.7, 0.51],
    }


@pytest.fixture(scope="module")
def shifting():
    """Four sets of 100 pages, for 5,000 accesses each, twice in turn."""
    return tr.open_trace(tr.synth("phase-shift", pages=400, sets=4, phase=5000, accesses=40_000))


def test_windows_that_fit(shifting):
    """Every phase is found, at its own time, and its working set is the set."""
    (vm,) = tr.stat(shifting, window=1000).vms.values()
    assert vm.phases["start"].tolist() == list(range(0, 40_000, 5000))
    assert vm.phases["end"].tolist() == list(range(5000, 40_001, 5000))
    assert (vm.phases["windows"] == 5).all()
    assert (vm.phases["pages"] > 99).all()
    assert (vm.phases["similarity"] > 0.99).all()


def test_windows_across_a_shift(shifting):
    """A window that holds both sets is told from one of its neighbours at least."""
    (vm,) = tr.stat(shifting, window=2000).vms.values()
    begins = set(vm.phases["start"])
    for shift in range(5000, 40_000, 10_000):
        assert begins & {shift - 1000, shift + 1000}
    assert begins >= {10_000, 20_000, 30_000}


def test_no_phases(shifting):
    """Windows of all sets differ little."""
    (vm,) = tr.stat(shifting, window=20_000).vms.values()
    assert vm.phases[["start", "end", "windows"]].to_numpy().tolist() == [[0, 40_000, 2]]
