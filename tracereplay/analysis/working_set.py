"""Working sets: the pages that a VM touched in the last τ.

Source: Denning, "The working set model for program behavior", Communications of the ACM 1968; Denning and
Schwartz, "Properties of the working-set model", Communications of the ACM 1972.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tracereplay.analysis.touches import BUCKETS, BY_ACCESSES, BY_TIME, Touches
from tracereplay.trace.per_vm import vm_rows
from tracereplay.trace.reader import Trace

IDLE_PARTS = (2, 4, 8, 16, 32, 64)
"""Parts of a trace for which pages may have been idle."""


class Span(NamedTuple):
    """Windows of equal length from ``first`` on, in trace time; ``end`` comes after the last time."""

    first: int
    end: int
    window: int

    @property
    def n_windows(self) -> int:
        return -(-(self.end - self.first) // self.window)

    @property
    def ends(self) -> np.ndarray:
        """Where each window ends, uint64; the last one may be shorter."""
        ends = (self.first + (i + 1) * self.window for i in range(self.n_windows))
        return np.array([min(end, self.end) for end in ends], np.uint64)

    def window_of(self, time: np.ndarray) -> np.ndarray:
        """The window of each time (uint64), int64; the nearest one for times outside all."""
        since = (time - np.uint64(self.first % 2**64)).view(np.int64)
        return (since // self.window).clip(0, self.n_windows - 1)


def count_touched(trace: Trace, span: Span) -> np.ndarray:
    """Distinct pages per VM of a trace and window, int64[VMs, windows]."""
    found = {vm: Touches(span.n_windows) for vm in range(trace.n_vms)}
    for rows in vm_rows(trace, ("time", "op")):
        found[rows.vm].add(rows, span.window_of(rows.batch.time))
    return np.array([touches.windows.pages for touches in found.values()])


class MeanSizes(NamedTuple):
    """Mean working sets in pages (float64) at ascending τ (uint64): exact there, and straight between."""

    tau: np.ndarray
    pages: np.ndarray

    def at(self, tau: np.ndarray) -> np.ndarray:
        return np.interp(tau, self.tau, self.pages)


def mean_by_accesses(touches: Touches) -> MeanSizes:
    """Mean over all accesses of how many pages the last τ ones touched, that one included."""
    return _mean_sizes(touches, BY_ACCESSES, touches.accesses, touches.accesses)


def mean_by_time(touches: Touches, span: Span) -> MeanSizes:
    """Mean over all times t of the trace of how many pages were touched in (t − τ, t]."""
    return _mean_sizes(touches, BY_TIME, span.end, span.end - span.first)


def _mean_sizes(touches: Touches, clock: int, end: int, whole: int) -> MeanSizes:
    """A touch keeps its page in the working set for τ, or to the next touch or the end if that is sooner."""
    reuses, lasts = touches.reuses(clock), touches.lasts(clock, end)
    number, total = reuses.number + lasts.number, reuses.total + lasts.total
    longer = number.sum() - np.cumsum(number) + number
    kept = np.cumsum(total) - total + BUCKETS * longer
    n = int(np.searchsorted(BUCKETS, whole))
    tau = np.append(BUCKETS[:n], np.uint64(whole))
    return MeanSizes(tau, np.append(kept[:n], total.sum()) / max(whole, 1))


def mean_table(by_accesses: MeanSizes, by_time: MeanSizes) -> pd.DataFrame:
    """``tau by_accesses by_time``: mean pages in the working set of the last ``tau`` of each clock.

    ``tau`` is at most an eighth above the one before; sizes are NaN where it is longer than the whole.
    """
    tau = np.union1d(by_accesses.tau, by_time.tau)[1:]
    columns = {
        name: np.where(tau <= sizes.tau[-1], sizes.at(tau), np.nan)
        for name, sizes in (("by_accesses", by_accesses), ("by_time", by_time))
    }
    return pd.DataFrame({"tau": tau, **columns})


def timeline(touches: Touches, span: Span) -> pd.DataFrame:
    """What a VM does in each window of τ: ``start end accesses pages new_pages footprint similarity``.

    ``pages`` is W(t, τ) at the window's ``end`` (trace time); ``new_pages`` of them were never touched
    before, and ``footprint`` is all that were touched so far.  ``similarity`` to the window before is the
    share that both touched of the pages that either did (Jaccard); NaN for the first one.
    """
    windows, ends = touches.windows, span.ends
    either = windows.pages[1:] + windows.pages[:-1] - windows.stayed[1:]
    similarity = np.where(either > 0, windows.stayed[1:] / np.maximum(either, 1), 1.0)
    return pd.DataFrame(
        {
            "start": np.append(np.uint64(span.first), ends[:-1]),
            "end": ends,
            "accesses": windows.accesses,
            "pages": windows.pages,
            "new_pages": windows.new_pages,
            "footprint": windows.new_pages.cumsum(),
            "similarity": np.append(np.nan, similarity),
        }
    )


def idle_table(touches: Touches, span: Span, mean: MeanSizes) -> pd.DataFrame:
    """Idle memory by age: ``part age pages share mean_pages mean_share working_set``.

    It is what a balloon or swapping could take without cost, had it known.  ``age`` (trace time) is one
    ``part``-th of the trace; ``pages`` of the VM are untouched for that long at the end, a ``share`` of its
    footprint.  ``mean_pages`` are over all times of the trace, ``mean_share`` is their share of the mean
    footprint so far, and ``working_set`` the other pages of that: ``mean`` at ``age``.
    """
    whole = span.end - span.first
    parts = [part for part in IDLE_PARTS if whole // part > 0]
    ages = np.array([whole // part for part in parts], np.uint64)
    unused_for = np.sort(np.uint64(span.end - 1) - touches.last_time)
    pages = len(unused_for) - np.searchsorted(unused_for, ages)
    footprint = float(mean.pages[-1])
    idle = footprint - mean.at(ages)
    columns = {
        "part": parts,
        "age": ages,
        "pages": pages,
        "share": pages / max(len(unused_for), 1),
        "mean_pages": idle,
        "mean_share": idle / (footprint or 1),
        "working_set": footprint - idle,
    }
    return pd.DataFrame(columns)
