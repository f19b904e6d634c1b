"""Traces like another one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from synthetic import columns, table

from tracereplay.analysis.one_level import count_misses
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError
from tracereplay.trace import open_trace, write_trace
from tracereplay.trace.sample import sample_trace
from tracereplay.trace.synth.like import Fit, fitted, scaled


def lru_misses(source: object, sizes: list[int]) -> list[int]:
    """Misses of LRU memories of these sizes, by simulating each."""
    trace = open_trace(source)
    return [count_misses(trace, "lru", frames) for frames in sizes]


@pytest.mark.parametrize("name", ["gzip", "sort", "sqlite", "python", "cc1"])
def test_the_same_length_misses_exactly_as_often(name):
    """At every size tried, from one page to the footprint, which is the same, as is the share of writes."""
    path = str(trace_path(name))
    model = fitted(open_trace(path), 0)
    pages = len(model.first_row)
    sizes = [1, 2, pages // 20, pages // 4, pages // 2, pages - 1, pages]
    made = table("like", trace=path)
    assert lru_misses(made, sizes) == lru_misses(path, sizes)
    rows = columns("like", trace=path)
    assert len(np.unique(rows.page)) == pages
    writes = model.writes / model.accesses
    assert abs((rows.op == 1).mean() - writes) < 4 * np.sqrt(writes / len(rows.op))


@pytest.mark.parametrize("factor", [0.01, 0.3, 1.7, 20])
@pytest.mark.parametrize("name", ["gzip", "sort", "sqlite"])
def test_any_length_has_the_same_miss_ratios(name, factor):
    """Less than one miss off at all sizes below the footprint, which grows with the length."""
    path = str(trace_path(name))
    model = fitted(open_trace(path), 0)
    accesses = round(factor * model.accesses)
    made = fitted(open_trace(table("like", trace=path, accesses=accesses)), 0)
    known, new = (len(fit.first_row) for fit in (model, made))
    common = min(known, new)
    expected, found = (np.cumsum(fit.at_distance[: common - 1]) for fit in (model, made))
    assert np.abs(expected * (accesses / model.accesses) - found).max() < 1
    if factor > 1:
        assert abs(new - factor * known) <= 1


def test_lengths_where_a_float_would_be_one_off():
    """Half of the accesses are at distance 0, whatever the length: 49 · (length / 98) can fall below it."""
    model = Fit(98, 0, np.array([0, 1, 2]), np.array([49, 40, 6]))
    lengths = range(20, 400)
    assert [scaled(model, length)[1][0] for length in lengths] == [length // 2 for length in lengths]


def test_first_touches_come_as_in_the_original():
    """All of the original's pages are new at the very rows where they were."""
    path = str(trace_path("sort"))
    made = table("like", trace=path)
    model, found = (fitted(open_trace(source), 0).first_row.tolist() for source in (path, made))
    assert found == model


def test_one_vm_of_several_without_its_frees(tmp_path):
    """Only rows of the VM asked for are fitted, and a FREE is no access."""
    rows = [(0, 7, 0), (1, 7, 1), (0, 7, 1), (1, 8, 0), (1, 8, 2), (0, 9, 0), (1, 7, 0), (0, 7, 0)]
    vm, page, op = (pa.array(column) for column in zip(*rows, strict=True))
    write_trace(tmp_path / "t", pa.table({"vm": vm, "page": page, "op": op}))
    fits = [fitted(open_trace(tmp_path / "t"), vm) for vm in (0, 1)]
    assert [(f.accesses, f.writes, f.first_row.tolist(), f.at_distance.tolist()) for f in fits] == [
        (4, 1, [0, 2], [1, 1]),
        (3, 1, [0, 1], [0, 1]),
    ]
    assert columns("like", trace=str(tmp_path / "t"), vm=1).page.tolist() == [0, 1, 0]


def test_what_is_known_of_the_original_is_known_of_it(tmp_path):
    """Page size and space, the memory from which on it is exact, accesses before, the sample that it is."""
    said = {
        "page_size": 16384, "page_space": "guest-physical", "vms": [{"name": "a", "raw_accesses": 900}],
        "reduction": {"method": "sad", "exact_above": 2}, "provenance": {"mine": 1},
    }  # fmt: skip
    write_trace(tmp_path / "t", pa.table({"page": [1, 2, 1]}), **said)
    made = open_trace(table("like", trace=str(tmp_path / "t"), accesses=100)).metadata
    assert (made.page_size, made.page_space, made.exact_above) == (16384, "guest-physical", 2)
    assert (made.vms[0].raw_accesses, made.provenance) == (30_000, None)
    write_trace(tmp_path / "s", sample_trace(tmp_path / "t", 1, salt=3))
    made = open_trace(table("like", trace=str(tmp_path / "s"))).metadata
    assert made.provenance == {"sample": {"by": "pages", "rate": 1.0, "salt": 3}}


@pytest.mark.parametrize("kind", ["like:trace=", "clones:like="])
def test_a_sample_by_contents_is_no_model(kind, tmp_path):
    """Neither of stack distances nor of sharing."""
    rows = {"page": [1, 2, 3], "content": pa.array([0, 0, 5], pa.uint64())}
    write_trace(tmp_path / "s", sample_trace(pa.table(rows), 1, by="contents"))
    with pytest.raises(TraceError, match=r"found a sample (by contents|of 1 of the contents)"):
        table(f"{kind}{tmp_path / 's'}")
