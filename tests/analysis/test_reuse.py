"""Stack distances and reuse times of textbook strings, by powers of two."""

from __future__ import annotations

import numpy as np
import pytest

from tracereplay.analysis.curve import Curve
from tracereplay.analysis.reuse import Distances, distances, reuse_table
from tracereplay.analysis.touches import Touches
from tracereplay.trace import open_trace
from tracereplay.trace.per_vm import vm_rows

BELADY = Curve(np.arange(1, 6), np.array([12, 12, 10, 8, 5]), 12)
"""LRU on 1 2 3 4 1 2 5 1 2 3 4 5: distances 3 3 2 2 4 4 4 after the five first touches."""


NONE = {0.5: None, 0.9: None, 0.99: None}
DISTANCES = {
    "Belady": (BELADY, Distances(5, {0.5: 3, 0.9: 4, 0.99: 4}, NONE | {0.5: 5})),
    "one page, ten times": (
        Curve(np.array([1]), np.array([1]), 10),
        Distances(1, {0.5: 0, 0.9: 0, 0.99: 0}, {0.5: 1, 0.9: 1, 0.99: None}),
    ),
    "no page twice": (Curve(np.array([1, 2]), np.array([2, 2]), 2), Distances(2, NONE, NONE)),
    "no access": (Curve(np.array([1]), np.array([0]), 0), Distances(0, NONE, NONE)),
}


@pytest.mark.parametrize(("curve", "expected"), DISTANCES.values(), ids=DISTANCES)
def test_distances(curve, expected):
    """Quantiles of the distances there are, and the memories that hit so many of all accesses."""
    assert distances(curve) == expected


def test_reuse_table():
    """Belady's string, an access every three units of time."""
    (rows,) = vm_rows(open_trace({"page": [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], "time": range(0, 36, 3)}))
    touches = Touches(1, jit=False)
    touches.add(rows, np.zeros(12, np.int64))
    # reuse times 4 4 3 3 7 7 5; in time 12 12 9 9 21 21 15
    assert reuse_table(touches, BELADY).to_dict("list") == {
        "low": [0, 1, 2, 4, 8, 16],
        "high": [1, 2, 4, 8, 16, 32],
        "distance": [0, 0, 4, 3, 0, 0],
        "by_accesses": [0, 0, 2, 5, 0, 0],
        "by_time": [0, 0, 0, 0, 5, 2],
    }
