"""Reuse: how long, and how many other pages, until a page is touched again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tracereplay.analysis.curve import Curve
from tracereplay.analysis.touches import BUCKETS, BY_ACCESSES, BY_TIME, Touches

HIT_SHARES = (0.5, 0.9, 0.99)
"""Shares of the accesses for which the memory that hits them is told."""
QUANTILES = (0.5, 0.9, 0.99)


class Distances(NamedTuple):
    """LRU stack distances of a VM's accesses.

    ``first_touches`` have none: pages never touched before, or freed since.  ``quantiles`` (pages) are of
    the other accesses, at QUANTILES; ``memory`` is the fewest pages of an LRU memory that hits so much of
    all accesses as HIT_SHARES say; both have None where there is no such.
    """

    first_touches: int
    quantiles: dict[float, int | None]
    memory: dict[float, int | None]


def distances(curve: Curve) -> Distances:
    """What the exact LRU curve says of stack distances: an access of distance d hits from d + 1 pages on."""
    hits = curve.accesses - curve.misses
    reuses = int(hits[-1])
    return Distances(
        first_touches=curve.accesses - reuses,
        quantiles={q: _minus_one(_first_size(curve, q * reuses)) for q in QUANTILES},
        memory={share: _first_size(curve, share * curve.accesses) for share in HIT_SHARES},
    )


def _first_size(curve: Curve, hits: float) -> int | None:
    """The smallest memory with so many hits."""
    place = int(np.searchsorted(curve.accesses - curve.misses, max(hits, 1)))
    return int(curve.sizes[place]) if place < len(curve.sizes) else None


def _minus_one(size: int | None) -> int | None:
    return None if size is None else size - 1


def reuse_table(touches: Touches, curve: Curve) -> pd.DataFrame:
    """Accesses to pages touched before, by powers of two: ``low high distance by_accesses by_time``.

    A row counts those from ``low`` on and below ``high``: of stack ``distance`` (other pages touched since;
    a page that comes back after a FREE has none), of reuse time ``by_accesses`` (1 = the next access of
    the VM) and ``by_time`` (in the trace's unit).
    """
    columns = {
        "distance": _by_octave(curve.sizes - 1, -np.diff(curve.misses, prepend=curve.accesses)),
        "by_accesses": _by_octave(BUCKETS, touches.reuses(BY_ACCESSES).number),
        "by_time": _by_octave(BUCKETS, touches.reuses(BY_TIME).number),
    }
    n = max(len(np.trim_zeros(counts, "b")) for counts in columns.values())
    low = [0, *(2**i for i in range(64))]
    high = [2**i for i in range(65)]
    table = {"low": np.array(low[:n], np.uint64), "high": high[:n]}
    return pd.DataFrame(table | {name: counts[:n] for name, counts in columns.items()})


def _by_octave(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Counts (int64[65]) of the value 0, and of those from 2^(i − 1) on and below 2^i."""
    octave = np.frexp(values.astype(np.float64))[1]
    found = np.zeros(65, np.int64)
    np.add.at(found, octave, counts)
    return found
