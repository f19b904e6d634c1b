"""The best split of a memory: against every split there is, and against a replay with balloons."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.analysis import best_partition as module
from tracereplay.analysis.best_partition import best_partition
from tracereplay.analysis.curve import Curve
from tracereplay.analysis.partition import proportional
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, VMInfo
from tracereplay.trace.schema import METADATA_KEY


def curve(points: dict[int, int], accesses: int = 100) -> Curve:
    """Misses by size."""
    return Curve(np.array(list(points), np.int64), np.array(list(points.values()), np.int64), accesses)


def random_curve(rng: random.Random) -> Curve:
    """A few sizes, not all of them; misses that may rise, too, as FIFO's do."""
    sizes = sorted(rng.sample(range(1, 14), rng.randint(1, 7)))
    misses = [rng.randrange(30) for _ in sizes]
    return curve(
        dict(zip(sizes, sorted(misses, reverse=True) if rng.random() < 0.7 else misses, strict=True))
    )


def at(found: Curve, pages: int) -> int:
    """Misses of a memory in which the largest size that fits is used."""
    return int(found.misses[np.searchsorted(found.sizes, pages, "right") - 1])


def fewest(curves: dict[int, Curve], memory: int, least: dict[int, int]) -> int | None:
    """Misses of the best of all splits; None where there is none."""
    sizes = [range(max(int(c.sizes[0]), least.get(vm, 0)), memory + 1) for vm, c in curves.items()]
    totals = [
        sum(at(curves[vm], pages) for vm, pages in enumerate(split))
        for split in itertools.product(*sizes)
        if sum(split) <= memory
    ]
    return min(totals, default=None)


@pytest.mark.parametrize("seed", range(5))
def test_no_split_is_better(seed):
    """On tiny curves of any form: the best of all splits; in units none better; the bound not above it."""
    rng = random.Random(seed)
    for _ in range(60):
        curves = {vm: random_curve(rng) for vm in range(rng.randint(1, 3))}
        least = {vm: rng.randrange(6) for vm in curves if rng.random() < 0.4}
        memory, unit = rng.randint(1, 22), rng.randint(2, 4)
        best = fewest(curves, memory, least)
        if best is None:
            with pytest.raises(UsageError, match=f"memory: found {memory} pages; expected at least"):
                best_partition(curves, memory, least=least, jit=False)
            continue
        found = best_partition(curves, memory, least=least, jit=False)
        rough = best_partition(curves, memory, least=least, unit=unit, jit=False)
        assert (found.total, found.exact, found.unit) == (best, True, 1)
        assert found.bound <= best + 1e-6
        assert rough.total >= best
        assert rough.bound == pytest.approx(found.bound)
        assert rough.total == best or not rough.exact
        for split in (found, rough):
            assert sum(split.pages.values()) <= memory
            assert split.misses == {vm: at(curves[vm], pages) for vm, pages in split.pages.items()}
            assert all(split.pages[vm] >= pages for vm, pages in least.items())


CLIFF = {1: 90, 6: 0}
SLOPE = {1: 50, 2: 40, 3: 30, 4: 20, 5: 10}


@pytest.mark.parametrize(
    ("memory", "pages", "bound"),
    [
        # five pages for the cliff save 18 misses each, one for the slope saves 10
        (2, (1, 1), 140),
        (4, (1, 3), 140 - 2 * 18),
        (6, (1, 5), 140 - 4 * 18),
        (7, (6, 1), 50),
        (9, (6, 3), 30),
        (12, (6, 5), 10),
    ],
)
def test_by_hand(memory, pages, bound):
    """A VM that is helped by all of its pages or none, beside one that every page helps."""
    found = best_partition({"cliff": curve(CLIFF), "slope": curve(SLOPE)}, memory, jit=False)
    assert found.pages == dict(zip(("cliff", "slope"), pages, strict=True))
    assert found.bound == pytest.approx(bound)


def test_what_saves_nothing_is_left_over():
    """Each VM has the smallest size with its misses."""
    found = best_partition({"a": curve({1: 9, 2: 5, 3: 5, 4: 5}), "b": curve(SLOPE)}, 100, jit=False)
    assert (found.pages, found.total, found.bound, found.exact) == ({"a": 2, "b": 5}, 15, 15, True)


def test_units_where_the_search_is_too_long(monkeypatch):
    """Compiled, on a thousand steps each: exact; where fewer pairs may be tried, in units that say so."""
    rng = np.random.default_rng(5)
    sizes = np.arange(1, 1001)
    misses = [rng.integers(0, 100, 1000)[::-1].cumsum()[::-1] + 20_000 * (sizes < 700) for _ in range(2)]
    curves = {vm: Curve(sizes, found, 10**6) for vm, found in enumerate(misses)}
    best = min(misses[0][pages - 1] + misses[1][1100 - pages - 1] for pages in range(100, 1001))
    monkeypatch.setattr(module, "_FIRST_UNITS", 16)
    found = []
    for most_pairs in (1 << 31, 100, 0):
        monkeypatch.setattr(module, "_MOST_PAIRS", most_pairs)
        found.append(best_partition(curves, 1100))
    exact, rough, none = found
    assert (exact.total, exact.exact, exact.unit) == (best, True, 1)
    assert (rough.exact, 1 < rough.unit < 1100) == (False, True)
    assert (none.exact, none.unit) == (False, 1100)
    assert none.bound == rough.bound == exact.bound <= best < rough.total < none.total


# ---- Of traces -----------------------------------------------------------------------------------


def test_balloons_of_that_size_fault_as_often():
    """A replay with static balloons that leave each VM its part: just these guest faults, for both splits."""
    files = {name: str(trace_path(name)) for name in ("gzip", "sort")}
    table = tr.partition(list(files.values()), "60%").set_index("vm")
    for pages, misses in (("pages", "misses"), ("pages_proportional", "misses_proportional")):
        vms = [
            {
                "name": vm,
                "trace": path,
                "balloon": tr.open_trace(path).footprints()[0] - int(table[pages][vm]),
            }
            for vm, path in files.items()
        ]
        result = tr.replay({"balloon": {"controller": "static", "max": "99%"}, "vm": vms})
        faults = result.vms["guest_minor_faults"] + result.vms["guest_major_faults"]
        assert faults.to_dict() == table[misses].to_dict()
    assert table.attrs["bound"] <= table.attrs["total"] < table.attrs["total_proportional"]
    assert table.attrs["memory"] == int(0.6 * (247 + 431))


def test_the_table():
    """Two VMs of one table, worked out by hand: a loop over three pages, and a page that is used again."""
    rows = {"vm": [0, 0, 0, 1, 1] * 4, "page": [1, 2, 3, 9, 9] * 4}
    table = tr.partition(rows, 4)
    expected = {
        "vm": ["vm0", "vm1"],
        "pages": [3, 1],
        "misses": [3, 1],
        "miss_ratio": [3 / 12, 1 / 8],
        "pages_proportional": [3, 1],
        "misses_proportional": [3, 1],
    }
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))
    assert tr.partition(rows, "50%")["misses"].tolist() == [12, 1]
    for policy in ("fifo", "opt"):
        assert tr.partition(rows, 4, policy=policy)["misses"].tolist() == [3, 1]


def test_a_vm_without_accesses_gets_nothing():
    """One that only frees, and one without rows, leave all pages to the others."""
    said = Metadata(vms=tuple(map(VMInfo, ("busy", "frees", "idle"))))
    rows = pa.table({"vm": [0, 0, 1] * 2, "page": [1, 2, 1] * 2, "op": [0, 0, 2] * 2})
    table = tr.partition(rows.replace_schema_metadata({METADATA_KEY: said.to_json()}), 2)
    assert table[["pages", "misses"]].to_numpy().tolist() == [[2, 2], [0, 0], [0, 0]]
    assert (table.attrs["left_over"], table.attrs["warnings"]) == (0, [])


def test_a_share_of_less_than_a_page():
    """Is told of: the VM could not run."""
    rows = {"vm": [0] * 9 + [1], "page": [*range(9), 1]}
    table = tr.partition(rows, 2)
    assert table["pages_proportional"].tolist() == [2, 0]
    assert table.attrs["warnings"] == [
        'in proportion, "vm1" would have no page, or fewer than a reduced trace is exact for'
    ]


def test_proportional():
    """All of the memory, in proportion as nearly as pages allow."""
    assert proportional([3, 1], 4) == [3, 1]
    assert proportional([1, 1, 1], 11) == [4, 4, 3]
    assert proportional([5, 0, 2], 3) == [2, 0, 1]


def in_turn(pages: int, metadata: Metadata) -> pa.Table:
    """Pages that are touched one after the other, three times."""
    rows = pa.table({"page": list(range(pages)) * 3})
    return rows.replace_schema_metadata({METADATA_KEY: metadata.to_json()})


def test_a_reduced_trace_gets_what_it_is_exact_for():
    """No smaller part; it is said where the other split has one, and that no other policy is exact."""
    rows = [in_turn(4, Metadata(reduction={"exact_above": 3})), in_turn(3, Metadata())]
    with pytest.raises(UsageError, match="found 3 pages; expected at least 4"):
        tr.partition(rows, 3)
    table = tr.partition(rows, 4)
    assert table["pages"].tolist() == [3, 1]
    assert table["pages_proportional"].tolist() == [2, 2]
    kept = "of a reduced trace, miss ratios are of the accesses kept"
    small = 'in proportion, "vm0" would have no page, or fewer than a reduced trace is exact for'
    inexact = "a reduced trace is exact under LRU and OPT alone: what fifo misses is not"
    assert table.attrs["warnings"] == [kept, small]
    assert tr.partition(rows, 7).attrs["warnings"] == [kept]
    assert tr.partition(rows, 7, policy="fifo").attrs["warnings"] == [inexact, kept]
    assert tr.partition(rows, 7, policy="opt").attrs["warnings"] == [kept]


def test_a_sample_is_told_of():
    """What is said speaks of its rows."""
    trace = tr.sample_trace({"page": list(range(100)) * 2}, "50%")
    (warning,) = tr.partition(trace.read_all(), "100%").attrs["warnings"]
    assert warning == "<table>: a sample of 0.5 of the pages: pages and misses are of the rows kept"


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ([], {}, "partition: found no trace; expected at least one"),
        ({"page": [1]}, {"memory": "1x"}, 'partition: found "1x"; expected a size such as "64MiB"'),
        ({"page": [1]}, {"policy": "lur"}, 'did you mean "lru"'),
        ({"page": [1]}, {"memory": 0}, "memory: found 0 pages; expected at least 1, which its VMs need"),
    ],
)
def test_words_that_do_not_fit(source, options, message):
    """Found, expected, what to do."""
    with pytest.raises(UsageError, match=re.escape(message)):
        tr.partition(source, **{"memory": 4, **options})


def test_traces_that_differ_in_page_size():
    """A page of one is not a page of the other."""
    large = in_turn(2, Metadata(page_size=65536))
    with pytest.raises(TraceError, match="page size: found 65536; expected 4096 as in <table>"):
        tr.partition([{"page": [1]}, large], 2)
