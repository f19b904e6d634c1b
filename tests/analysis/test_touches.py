"""Gaps, windows and counts of pages, against a plain account of the same rows; compiled and not."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tracereplay.analysis.touches import BUCKETS, BY_ACCESSES, BY_TIME, Touches
from tracereplay.trace import open_trace
from tracereplay.trace.per_vm import VMRows, vm_rows
from tracereplay.trace.schema import Op
from tracereplay.trace.stream import chosen

WINDOW = 50


def rows(seed: int, n: int = 200) -> dict[str, np.ndarray]:
    """Rows of one VM with long pauses, equal times, and frees."""
    random = np.random.default_rng(seed)
    steps = random.integers(0, 2, n) * random.integers(0, 40, n) ** 2
    page = random.zipf(1.3, n).clip(1, 60) + 1000
    return {
        "time": np.cumsum(steps).astype(np.uint64),
        "page": page.astype(np.uint64),
        "op": random.integers(0, 4, n).astype(np.uint8),
    }


def touched(columns: dict[str, np.ndarray], *, jit: bool) -> Touches:
    """The rows in three pieces."""
    (whole,) = vm_rows(open_trace(columns))
    found = Touches(int(columns["time"][-1]) // WINDOW + 1, jit=jit)
    third = np.arange(len(whole.page)) * 3 // len(whole.page)
    for i in range(3):
        batch, n_pages = chosen(whole.batch, third == i), int(whole.page[third <= i].max()) + 1
        window = (batch.time // np.uint64(WINDOW)).astype(np.int64)
        found.add(VMRows(0, batch, whole.page[third == i], n_pages), window)
    return found


def naive(columns: dict[str, np.ndarray]) -> dict[str, object]:
    """The same, row by row."""
    gaps, since = Counter(), Counter()
    last: dict[int, tuple[int, int]] = {}
    pages_in: dict[int, set[int]] = {}
    accesses, touches = Counter(), Counter()
    written = set()
    for time, page, op in zip(*(columns[name].tolist() for name in ("time", "page", "op")), strict=True):
        if op == Op.FREE:
            continue
        now = sum(accesses.values())
        if page in last:
            gaps[now - last[page][0]] += 1
            since[time - last[page][1]] += 1
        last[page] = now, time
        pages_in.setdefault(time // WINDOW, set()).add(page)
        accesses[time // WINDOW] += 1
        touches[page] += 1
        written |= {page} if op == Op.WRITE else set()
    end = int(columns["time"][-1]) // WINDOW + 1
    sets = [pages_in.get(i, set()) for i in range(end)]
    return {
        "gaps": [by_bucket(gaps), by_bucket(since)],
        "accesses": [accesses[i] for i in range(end)],
        "pages": [len(s) for s in sets],
        "new": [len(s - set().union(*sets[:i])) for i, s in enumerate(sets)],
        "stayed": [0, *(len(a & b) for a, b in pairwise(sets))],
        "touches": list(touches.values()),
        "last": [time for page in touches for _, time in [last[page]]],
        "written": len(written),
    }


def by_bucket(gaps: Counter[int]) -> list[tuple[int, float]]:
    """How many gaps each bucket holds, and their sum."""
    edges = [*BUCKETS.tolist(), 2**64]
    found = []
    for low, high in pairwise(edges):
        inside = {gap: n for gap, n in gaps.items() if low <= gap < high}
        found.append((sum(inside.values()), float(sum(gap * n for gap, n in inside.items()))))
    return found


@pytest.mark.parametrize("jit", [False, True])
def test_against_a_plain_account(jit):
    """Gaps on both clocks, windows, and what is counted of each page, in order of first touch."""
    for seed in range(2):
        columns = rows(seed)
        found, expected = touched(columns, jit=jit), naive(columns)
        for clock in (BY_ACCESSES, BY_TIME):
            gaps = found.reuses(clock)
            assert (
                list(zip(gaps.number.tolist(), gaps.total.tolist(), strict=True)) == expected["gaps"][clock]
            )
        windows = [column.tolist() for column in found.windows]
        assert windows == [expected[name] for name in ("accesses", "pages", "new", "stayed")]
        assert sorted(found.touches.tolist()) == sorted(expected["touches"])
        assert sorted(found.last_time.tolist()) == sorted(expected["last"])
        assert found.pages_written == expected["written"]
        assert found.ops.tolist() == np.bincount(columns["op"], minlength=4).tolist()


def test_buckets():
    """One for each gap below 16, then eight to an octave, up to the largest gap that there can be."""
    assert BUCKETS[:26].tolist() == [*range(16), 16, 18, 20, 22, 24, 26, 28, 30, 32, 36]
    assert BUCKETS[-1] == 15 << 60
    ratio = BUCKETS[9:].astype(float) / BUCKETS[8:-1].astype(float)
    assert ratio.max() == 9 / 8


def test_the_largest_gap_there_can_be():
    """Times at both ends of 64 bits."""
    columns = {
        "time": np.array([0, 2**64 - 1], np.uint64),
        "page": np.array([5, 5], np.uint64),
        "op": np.zeros(2, np.uint8),
    }
    (piece,) = vm_rows(open_trace(columns))
    found = Touches(1, jit=False)
    found.add(piece, np.zeros(2, np.int64))
    assert np.flatnonzero(found.reuses(BY_TIME).number).tolist() == [len(BUCKETS) - 1]
