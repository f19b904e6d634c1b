"""Phases: stretches of a trace in which a VM keeps to much the same pages."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST_DIFFERENT = 0.5
"""Windows with this distance or more are of different phases.

Where one set of pages gives way to another that shares none with it, some window may hold both.  That has
half of its pages, or fewer, from one of them: from there it is at least this far.
"""


def phases(timeline: pd.DataFrame) -> pd.DataFrame:
    """Phases in the ``timeline`` of a VM, in order: ``start end windows pages similarity``.

    A phase ends where the working set of the next window has a distance (1 − Jaccard similarity) of
    MOST_DIFFERENT or more.  ``pages`` is the mean working set of its windows, ``similarity`` the mean of each
    window to the one before, NaN in a phase of one window, which is a transition rather.
    Source: Dhodapkar and Smith, "Managing multi-configuration hardware via dynamic working set analysis",
    ISCA 2002.
    """
    begins = (1 - timeline["similarity"] >= MOST_DIFFERENT).to_numpy()
    inner = timeline["similarity"].mask(begins)
    rows = timeline.assign(inner=inner).groupby(np.cumsum(begins))
    found = rows.agg(
        start=("start", "first"),
        end=("end", "last"),
        windows=("pages", "size"),
        pages=("pages", "mean"),
        similarity=("inner", "mean"),
    )
    return found.reset_index(drop=True)
