"""Exact reduction: the same faults, evictions and write-backs of every LRU memory from K pages on."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.analysis.one_level import OneLevel, count_misses
from tracereplay.bundled import trace_path
from tracereplay.trace import open_trace
from tracereplay.trace.convert import import_trace
from tracereplay.trace.reduce import Kept, Reduction
from tracereplay.trace.schema import Op

R, W, FREE, F = Op.READ, Op.WRITE, Op.FREE, Op.FETCH


def arrays(rows):
    """(page, op) pairs as the columns of a trace, with their numbers as times."""
    page, op = zip(*rows, strict=True)
    return Kept(np.arange(len(rows), dtype=np.uint64), np.array(page, np.uint64), np.array(op, np.uint8))


def kept_rows(kept: Kept):
    """(time, page, op) of each row."""
    return list(zip(*(column.tolist() for column in kept), strict=True))


def reduced(rows: Kept, above: int, pieces: int = 1, settle: bool = False, jit: bool = True) -> list:
    """The rows kept of accesses that are added in pieces, and settled after each if wanted."""
    reduction = Reduction(above, jit=jit)
    kept = []
    for piece in zip(*(np.array_split(column, pieces) for column in rows), strict=True):
        reduction.add(*piece)
        if settle:
            kept += kept_rows(reduction.settle())
    return kept + kept_rows(reduction.settle())


def lru(rows, frames: int) -> list[tuple[str, int]]:
    """What an LRU memory does, in order: ("fault", page), ("evict", page), ("write back", page)."""
    memory: OrderedDict[int, bool] = OrderedDict()
    done = []
    for _, page, op in rows:
        if op == FREE:
            memory.pop(page, None)
            continue
        if page not in memory:
            done.append(("fault", page))
            if len(memory) == frames:
                victim, dirty = memory.popitem(last=False)
                done.append(("write back" if dirty else "evict", victim))
        memory[page] = memory.pop(page, False) or op == W
    return done + [("dirty at the end", page) for page, dirty in memory.items() if dirty]


def least_misses(rows, frames: int) -> list[int]:
    """Where Belady's MIN misses, as times; a page that is freed is not used again before it comes anew."""
    uses: dict[int, list[tuple[int, bool]]] = {}
    for time, page, op in rows:
        uses.setdefault(page, []).append((time, op != FREE))
    memory: set[int] = set()
    missed = []
    for now, page, op in rows:
        uses[page].pop(0)
        if op == FREE:
            memory.discard(page)
        elif page not in memory:
            missed.append(now)
            if len(memory) == frames:
                memory.remove(
                    max(memory, key=lambda p: uses[p][0][0] if uses[p] and uses[p][0][1] else np.inf)
                )
            memory.add(page)
    return missed


# K, accesses, what is kept: worked out by hand
BY_HAND = {
    "runs are one access at the time of their first": (
        1,
        [(7, R), (7, R), (7, W), (8, F), (8, F), (9, F), (9, R)],
        [(0, 7, W), (3, 8, F), (5, 9, R)],
    ),
    "the middle one of three goes while fewer than K others come between": (
        2,
        [(7, R), (8, R), (7, R), (8, R), (7, R)],
        [(0, 7, R), (1, 8, R), (3, 8, R), (4, 7, R)],
    ),
    "with K others between the first and the third it stays": (
        2,
        [(7, R), (8, R), (7, R), (9, R), (7, R)],
        [(0, 7, R), (1, 8, R), (2, 7, R), (3, 9, R), (4, 7, R)],
    ),
    "a write that goes makes the next kept one a write": (
        2,
        [(7, F), (8, R), (7, W), (8, R), (7, F)],
        [(0, 7, F), (1, 8, R), (3, 8, R), (4, 7, W)],
    ),
    "what was a fetch and a read is a read": (
        2,
        [(7, F), (8, R), (7, F), (8, R), (7, R)],
        [(0, 7, F), (1, 8, R), (3, 8, R), (4, 7, R)],
    ),
    "a FREE stays, and so do the accesses around it": (
        2,
        [(7, R), (8, R), (7, R), (7, FREE), (7, W), (8, FREE)],
        [(0, 7, R), (1, 8, R), (2, 7, R), (3, 7, FREE), (4, 7, W), (5, 8, FREE)],
    ),
}


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case, jit):
    """Small cases, compiled and not."""
    above, rows, expected = BY_HAND[case]
    assert reduced(arrays(rows), above, jit=jit) == expected


def draws(seed: int, n: int, pages: int, frees: float = 0.0):
    """Zipf-distributed pages and a loop, in runs, with FREE rows if wanted."""
    rng = np.random.default_rng(seed)
    page = np.where(rng.random(n) < 0.3, np.arange(n) % (pages // 2), rng.zipf(1.3, n) % pages)
    page = np.repeat(page, rng.integers(1, 4, n))[:n]
    op = rng.choice([R, W, F], n, p=[0.5, 0.2, 0.3])
    op[rng.random(n) < frees] = FREE
    return arrays(list(zip(page.tolist(), op.tolist(), strict=True)))


@pytest.mark.parametrize("frees", [0.0, 0.05])
@pytest.mark.parametrize("above", [1, 2, 3, 7, 20])
def test_every_memory_from_K_on_does_the_same(above, frees):
    """Faults, evictions and write-backs, page by page, at every size; and the rows become fewer."""
    for seed in range(4):
        rows = draws(seed, 3_000, 40, frees)
        kept = reduced(rows, above, pieces=5, settle=seed % 2 == 1)
        assert len(kept) < len(rows.page)
        for frames in range(above, 42):
            assert lru(kept, frames) == lru(kept_rows(rows), frames), (seed, frames)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from([R, R, W, F, FREE])), min_size=1, max_size=60),
)
def test_lru_and_opt_miss_at_the_same_accesses(above, accesses):
    """From K pages up to all, against naive models: what LRU does, and when Belady's MIN misses."""
    rows = arrays(accesses)
    whole, kept = kept_rows(rows), reduced(rows, above)
    for frames in range(above, 10):
        assert lru(kept, frames) == lru(whole, frames)
        assert least_misses(kept, frames) == least_misses(whole, frames)


# K and as many frames, pages, misses on the whole trace and on the reduced one
OTHERS = {
    "fifo": (3, "32031323", (6, 5)),
    "clock": (2, "33103", (3, 4)),
    "random": (3, "2103010", (6, 5)),
}


@pytest.mark.parametrize("policy", OTHERS)
def test_other_policies_may_miss_otherwise(policy):
    """A policy that does not go by recency sees what was dropped; rather more misses or fewer."""
    above, pages, expected = OTHERS[policy]
    rows = arrays([(int(page), R) for page in pages])
    found = []
    for kept in (kept_rows(rows), reduced(rows, above)):
        memory = OneLevel(policy, above, jit=False)
        memory.touch(np.array([page for _, page, _ in kept], np.int32), 4)
        found.append(memory.misses)
    assert tuple(found) == expected


def test_smaller_memories_see_fewer_faults():
    """Why a trace says what it is exact above."""
    rows = draws(1, 3_000, 40)
    assert len(lru(reduced(rows, 20), 5)) < len(lru(kept_rows(rows), 5))


def test_pieces_change_nothing():
    """However the stream is cut, as long as it is settled only at its end."""
    rows = draws(3, 5_000, 60)
    whole = reduced(rows, 8)
    assert [reduced(rows, 8, pieces) for pieces in (2, 7, 5_000)] == [whole] * 3


def test_settling_costs_at_most_the_list():
    """Each settling keeps at most K + 1 rows that were not needed."""
    rows = draws(4, 5_000, 60)
    assert len(reduced(rows, 8)) < len(reduced(rows, 8, 20, settle=True)) <= len(reduced(rows, 8)) + 20 * 9


def test_a_size_below_one_is_refused():
    """There is no memory of no pages."""
    with pytest.raises(ValueError, match=r"^exact_above: found 0; expected at least 1 page$"):
        Reduction(0)


def test_reducing_again():
    """A real trace that is exact above 64 gives, reduced to 256, the same faults from there on."""
    trace = open_trace(trace_path("sqlite"))
    reduction = Reduction(256)
    for batch in trace.batches():
        reduction.add(batch.time, batch.page, batch.op)
    kept = reduction.settle()
    assert len(kept.page) < trace.metadata.rows / 4
    again = open_trace(kept._asdict())
    for frames in (256, 300, 400, 648):
        assert count_misses(again, "lru", frames) == count_misses(trace, "lru", frames)


def test_a_real_log(tmp_path):
    """200,000 unreduced lines: LRU misses of every size from K on."""
    import_trace("lackey", Path(__file__).parents[1] / "formats/data/lackey.gz", tmp_path / "t.parquet")
    trace = open_trace(tmp_path / "t.parquet")
    reduction = Reduction(4)
    for batch in trace.batches():
        reduction.add(batch.time, batch.page, batch.op)
    again = open_trace(reduction.settle()._asdict())
    for frames in (4, 5, 6, 8, 12, 16, 24, 32):
        assert count_misses(again, "lru", frames) == count_misses(trace, "lru", frames)
