"""Working sets against sliding windows, windows and idle pages by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tracereplay.analysis.touches import Touches
from tracereplay.analysis.working_set import (
    Span,
    count_touched,
    idle_table,
    mean_by_accesses,
    mean_by_time,
    mean_table,
    timeline,
)
from tracereplay.trace import open_trace
from tracereplay.trace.per_vm import vm_rows


def touched(columns: dict[str, object], span: Span) -> Touches:
    (rows,) = vm_rows(open_trace(columns))
    found = Touches(span.n_windows, jit=False)
    found.add(rows, span.window_of(rows.batch.time))
    return found


def sliding(last_touches: list[dict[int, int]], tau: int) -> float:
    """Mean over positions of how many pages were touched less than ``tau`` before; by definition."""
    return sum(
        sum(now - then < tau for then in last.values()) for now, last in enumerate(last_touches)
    ) / len(last_touches)


def last_touches(events: list[list[int]]) -> list[dict[int, int]]:
    """At each position, when each page was touched last; ``events`` are the pages touched there."""
    found, last = [], {}
    for now, pages in enumerate(events):
        last = last | dict.fromkeys(pages, now)
        found.append(last)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_against_sliding_windows(seed):
    """Every τ of the table, on both clocks, ends of the trace included; between accesses time goes on."""
    random = np.random.default_rng(seed)
    pages = random.integers(0, 12, 150)
    time = np.cumsum(random.integers(0, 4, 150)) + 7
    span = Span(int(time[0]), int(time[-1]) + 1, 10)
    found = touched({"page": pages.astype(np.uint64), "time": time.astype(np.uint64)}, span)
    table = mean_table(mean_by_accesses(found), mean_by_time(found, span))
    assert table["tau"].iloc[-1] == span.end - span.first
    by_access = last_touches([[page] for page in pages.tolist()])
    by_time = last_touches([pages[time == t].tolist() for t in range(span.first, span.end)])
    for tau, accesses, times in table.itertuples(index=False):
        assert times == pytest.approx(sliding(by_time, tau))
        assert accesses == pytest.approx(sliding(by_access, tau)) if tau <= 150 else np.isnan(accesses)


def test_by_hand():
    """Pages 1 2 1 3 at times 0 1 2 6: what W(τ) is on each clock, worked out on paper."""
    span = Span(0, 7, 3)
    found = touched({"page": [1, 2, 1, 3], "time": [0, 1, 2, 6]}, span)
    table = mean_table(mean_by_accesses(found), mean_by_time(found, span))
    assert table["tau"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    # accesses: page 1 stays min(τ, 2) + min(τ, 2), page 2 min(τ, 3), page 3 1, over 4
    assert (table["by_accesses"] * 4).tolist()[:4] == [4, 7, 8, 8]
    # time: page 1 stays min(τ, 2) + min(τ, 5), page 2 min(τ, 6), page 3 1, over 7
    assert (table["by_time"] * 7).round(9).tolist() == [4, 7, 9, 11, 13, 14, 14]
    assert timeline(found, span).fillna(-1).to_dict("list") == {
        "start": [0, 3, 6],
        "end": [3, 6, 7],
        "accesses": [3, 0, 1],
        "pages": [2, 0, 1],
        "new_pages": [2, 0, 1],
        "footprint": [2, 2, 3],
        "similarity": [-1, 0, 0],
    }
    # untouched at the end: page 1 for 4, page 2 for 5, page 3 for 0; the mean footprint is 14 / 7
    idle = idle_table(found, span, mean_by_time(found, span))
    assert idle[["part", "age", "pages"]].to_numpy().tolist() == [[2, 3, 2], [4, 1, 2]]
    assert (idle["share"] * 3).tolist() == [2, 2]
    assert (idle["mean_pages"] * 7).round(9).tolist() == [5, 10]
    assert (idle["mean_share"] * 14).round(9).tolist() == [5, 10]
    assert (idle["working_set"] * 7).round(9).tolist() == [9, 4]


def test_similar_windows():
    """Pages that both windows touched over pages that either did; two windows without any are alike."""
    span = Span(0, 16, 4)
    found = touched({"page": [1, 2, 3, 2, 2, 3, 4], "time": [0, 1, 2, 3, 4, 5, 6]}, span)
    assert timeline(found, span)["similarity"].fillna(-1).tolist() == [-1, 2 / 4, 0, 1]


def test_touched_in_windows_of_each_vm():
    """What lies outside the windows falls into the nearest; a first one before the trace's start, too."""
    trace = open_trace({"time": [1, 2, 3, 9], "page": [1, 1, 2, 3], "vm": [0, 0, 0, 1], "op": [0, 1, 2, 0]})
    assert count_touched(trace, Span(-4, 8, 4)).tolist() == [[0, 1, 0], [0, 0, 1]]
    assert count_touched(trace, Span(2, 3, 4)).tolist() == [[1], [1]]
