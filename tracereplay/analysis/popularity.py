"""How unevenly accesses fall on pages: ranks, and how well Zipf's law describes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

BINS_PER_OCTAVE = 4


class Zipf(NamedTuple):
    """The page of rank r gets accesses in proportion to r^−``alpha``; None for fewer than three bins."""

    alpha: float | None
    r_squared: float | None


def ranks(touches: np.ndarray) -> pd.DataFrame:
    """``first_rank last_rank touches``: the mean accesses to a page by its rank, 1 being the most popular.

    Ranks lie in bins of equal ratio, BINS_PER_OCTAVE of them to a doubling.
    """
    n = len(touches)
    most_first = -np.sort(-touches)
    octaves = np.arange(BINS_PER_OCTAVE * n.bit_length() + 1) / BINS_PER_OCTAVE
    edges = np.unique(np.append(np.minimum(np.ceil(2**octaves), n + 1), n + 1)).astype(np.int64)
    first, after = edges[:-1], edges[1:]
    sums = np.append(0, most_first.cumsum())
    return pd.DataFrame(
        {
            "first_rank": first,
            "last_rank": after - 1,
            "touches": (sums[after - 1] - sums[first - 1]) / (after - first),
        }
    )


def fit_zipf(by_rank: pd.DataFrame) -> Zipf:
    """Zipf's law, fitted by least squares to the logarithms of rank and accesses, a point for each bin.

    Bins of equal ratio weigh all scales of rank alike; of single ranks, the many pages in the tail that
    are touched equally rarely would decide alone.  Sources: Breslau, Cao, Fan, Phillips and Shenker, "Web
    caching and Zipf-like distributions", INFOCOM 1999; for the bins Newman, "Power laws, Pareto
    distributions and Zipf's law", Contemporary Physics 2005.
    """
    if len(by_rank) < 3:
        return Zipf(None, None)
    first, last, touches = by_rank.to_numpy(float).T
    x, y = np.log(first * last) / 2, np.log(touches)
    if y.min() == y.max():
        return Zipf(0.0, 1.0)
    slope, intercept = np.polyfit(x, y, 1)
    residual, spread = ((y - slope * x - intercept) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return Zipf(float(-slope), float(1 - residual / spread))


def top_share(touches: np.ndarray, part: float) -> float:
    """Share of all accesses that go to the most popular ``part`` of the pages, at least one of them."""
    n = max(round(part * len(touches)), 1)
    return float(-np.sort(-touches)[:n].sum() / max(touches.sum(), 1))
