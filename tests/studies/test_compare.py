"""Comparisons by hand: which runs go together, what differs, in which bounds, and which limits break."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import UsageError
from tracereplay.studies.compare import (
    QUANTITIES,
    broken,
    compare,
    grouped,
    parse_limit,
    settings,
    unmatched,
)

NAMES = (*COUNTER_NAMES, *GAUGE_NAMES)


def ended(seed: int = 0, frames: int = 10, **vms: dict[str, int]) -> tr.Result:
    """A run whose VMs ended with these counts, everything else 0."""
    vms = vms or {"a": {}}
    rows = {vm: {name: said.get(name, 0) for name in QUANTITIES} for vm, said in vms.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return tr.Result(
        machine={
            "seed": seed,
            "host": {"frames": frames},
            "vms": [{"name": vm, "policy": "lru", "balloon_schedule": []} for vm in vms],
            "warnings": [],
        },
        totals={name: int(table[name].sum()) for name in NAMES},
        vms=table,
        timeline=pd.DataFrame(),
        warnings=(),
        laws=(),
        provenance={},
    )


def rows(table: pd.DataFrame, **where: str) -> list[dict[str, Any]]:
    """The rows with these values, None for NaN, without those of quantities that are 0 on both sides."""
    for name, value in where.items():
        table = table[table[name] == value]
    table = table[(table["base"] != 0) | (table["value"] != 0)]
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")


def row(run, vm, quantity, base, value, change, percent) -> dict[str, Any]:
    """One of runs of one seed each."""
    of_one = {"low": None, "high": None, "base_seeds": 1, "seeds": 1}
    said = {"base": base, "value": value, "change": change, "percent": percent}
    return {"run": run, "vm": vm, "quantity": quantity, **said, **of_one}


def test_two_runs_by_hand():
    """Sums first, then each VM; changes in units and in per cent, none of 0."""
    runs = {
        "old": ended(a={"accesses": 10, "reads": 4}, b={"accesses": 30}),
        "new": ended(frames=9, a={"accesses": 10, "reads": 5, "writes": 2}, b={"accesses": 10}),
    }
    table = compare(runs)
    assert rows(table) == [
        row("new", "all VMs", "accesses", 40, 20, -20, -50),
        row("new", "all VMs", "reads", 4, 5, 1, 25),
        row("new", "all VMs", "writes", 0, 2, 2, None),
        row("new", "a", "accesses", 10, 10, 0, 0),
        row("new", "a", "reads", 4, 5, 1, 25),
        row("new", "a", "writes", 0, 2, 2, None),
        row("new", "b", "accesses", 30, 10, -20, -200 / 3),
    ]
    assert table["quantity"].tolist() == [*QUANTITIES] * 3


def test_every_run_is_compared_with_the_first():
    """In the order in which they are named."""
    runs = {name: ended(frames=n, a={"reads": n}) for n, name in enumerate("abc", start=2)}
    changes = [(r["run"], r["base"], r["value"]) for r in rows(compare(runs), vm="all VMs")]
    assert changes == [("b", 2, 3), ("c", 2, 4)]


GROUPS = {
    "seeds of two scenarios": (
        {"a1": (1, 10), "b1": (1, 20), "a2": (2, 10), "b2": (2, 20)},
        [["a1", "a2"], ["b1", "b2"]],
    ),
    "the same twice, as two versions would": ({"old": (1, 10), "new": (1, 10)}, [["old"], ["new"]]),
    "two versions, two seeds": (
        {"old1": (1, 10), "old2": (2, 10), "new1": (1, 10), "new2": (2, 10)},
        [["old1", "old2"], ["new1", "new2"]],
    ),
    "nothing but seeds": ({"s1": (1, 10), "s2": (2, 10), "s3": (3, 10)}, [["s1"], ["s2"], ["s3"]]),
}


@pytest.mark.parametrize("case", GROUPS)
def test_which_runs_go_together(case):
    """Those that differ in the seed alone, as long as something is left to compare."""
    said, expected = GROUPS[case]
    runs = {name: ended(seed, frames) for name, (seed, frames) in said.items()}
    found = grouped(runs)
    names = {id(run): name for name, run in runs.items()}
    assert [[names[id(run)] for run in group.runs] for group in found] == expected
    assert [group.name for group in found] == [members[0] for members in expected]


def seeds(frames: int, *reads: int) -> dict[str, tr.Result]:
    return {f"{frames}-{seed}": ended(seed, frames, a={"reads": n}) for seed, n in enumerate(reads)}


def test_seeds_are_means_with_an_interval():
    """The bounds are those of all possible resamples, which are few enough to be listed."""
    one, two = (10, 14, 18), (20, 20, 26)
    (found,) = rows(compare(seeds(1, *one) | seeds(2, *two)), vm="a")
    means = [[sum(chosen) / 3 for chosen in itertools.product(values, repeat=3)] for values in (one, two)]
    changes = [after - before for before in means[0] for after in means[1]]
    low, high = np.percentile(changes, [2.5, 97.5])
    assert (found["base"], found["value"], found["change"]) == (14, 22, 8)
    assert found["percent"] == pytest.approx(800 / 14)
    assert found["low"] == pytest.approx(low, abs=0.7)
    assert found["high"] == pytest.approx(high, abs=0.7)
    assert (found["base_seeds"], found["seeds"], found["run"]) == (3, 3, "2-0")


def test_seeds_that_agree_leave_no_doubt():
    """An interval of one point; a single run on one side adds none."""
    (found,) = rows(compare(seeds(1, 5, 5) | seeds(2, 7)), vm="a")
    assert (found["low"], found["high"], found["base_seeds"], found["seeds"]) == (2, 2, 2, 1)


def test_comparing_twice_is_comparing_once():
    """The resamples do not depend on chance."""
    runs = seeds(1, 1, 5, 9) | seeds(2, 3, 4, 20)
    pd.testing.assert_frame_equal(compare(runs), compare(runs))


def test_vms_of_one_side_count_in_the_sums():
    """And are said to be there."""
    runs = {"old": ended(a={"reads": 1}, b={"reads": 2}), "new": ended(a={"reads": 1}, c={"reads": 5})}
    assert [(r["vm"], r["base"], r["value"]) for r in rows(compare(runs))] == [("all VMs", 3, 6), ("a", 1, 1)]
    assert unmatched(runs) == [
        "b is a VM of old and not of new: it counts only in the sums",
        "c is a VM of new and not of old: it counts only in the sums",
    ]
    assert unmatched({"old": ended(), "new": ended()}) == []


def test_settings_that_differ():
    """By their keys, VMs by name; a key that one side lacks is a dash; seeds are listed."""
    old, new = ended(1, 10, a={}, b={}), ended(2, 20, a={})
    new = replace(new, machine={**new.machine, "vms": [{**new.machine["vms"][0], "policy": "fifo"}]})
    found = settings({"old": old, "new": new})
    assert found.to_dict(orient="index") == {
        "seed": {"old": "1", "new": "2"},
        "host.frames": {"old": "10", "new": "20"},
        "vm.a.policy": {"old": "lru", "new": "fifo"},
        "vm.b.policy": {"old": "lru", "new": "–"},
        "vm.b.balloon_schedule": {"old": "[]", "new": "–"},
    }
    assert settings(seeds(1, 1, 1) | seeds(2, 1, 1)).index.tolist() == ["host.frames"]
    assert settings({"old": ended(), "new": ended()}).empty


@pytest.mark.parametrize("runs", [{}, {"a": ended()}])
def test_one_run_is_too_few(runs):
    """There is nothing to compare."""
    with pytest.raises(ValueError, match="expected at least two"):
        compare(runs)


LIMITS = [
    # limit, base, value, whether it breaks
    ("reads>+5%", 100, 106, True),
    ("reads>+5%", 100, 105, False),
    ("reads>=+5%", 100, 105, True),
    ("reads>+5%", 100, 50, False),
    ("reads<-5%", 100, 94, True),
    ("reads<-5%", 100, 95, False),
    ("reads<=-5%", 100, 95, True),
    ("reads>+5%", 0, 1, True),
    ("reads<-5%", 0, 1, False),
    ("reads>+5%", 0, 0, False),
    ("reads>=+0%", 0, 0, True),
    ("reads>+10", 100, 111, True),
    ("reads>+10", 100, 110, False),
    ("reads<-2.5", 100, 97, True),
    ("reads>1000", 2000, 1001, True),
    ("reads>1000", 2000, 1000, False),
    ("reads<1", 0, 0, True),
    (" reads >= 1 ", 0, 1, True),
    ("writes>+0", 100, 200, False),
]


@pytest.mark.parametrize(("limit", "base", "value", "breaks"), LIMITS)
def test_limits(limit, base, value, breaks):
    """Signed numbers are changes, others values; any change from 0 is beyond every percentage."""
    table = compare({"old": ended(a={"reads": base}), "new": ended(frames=9, a={"reads": value})})
    assert bool(broken(table, [parse_limit(limit)])) is breaks


def test_what_broke_is_said():
    """The limit, the run, both values; each run and each limit by itself; single VMs do not count."""
    runs = {
        "old": ended(a={"reads": 1000, "writes": 0}, b={"reads": 1000}),
        "new": ended(frames=9, a={"reads": 1500, "writes": 7}, b={"reads": 600}),
        "newer": ended(frames=8, a={"reads": 100}, b={"reads": 100}),
    }
    limits = [parse_limit(text) for text in ("reads>+4%", "reads<-40%", "writes>+1%")]
    assert broken(compare(runs), limits) == [
        "reads>+4%: new has 2,100, the first run 2,000 (+5.0 %)",
        "writes>+1%: new has 7, the first run 0",
        "reads<-40%: newer has 200, the first run 2,000 (-90.0 %)",
    ]


FORM = "expected QUANTITY>+5%, QUANTITY<-100 (a change from the first run) or QUANTITY>1000 (a value)"
BAD = {
    "reads": f'found "reads"; {FORM}',
    "reads>": f'found "reads>"; {FORM}',
    "reads>5%": f'found "reads>5%"; {FORM}',
    "reads=5": f'found "reads=5"; {FORM}',
    "reads>+5 pages": f'found "reads>+5 pages"; {FORM}',
    "": f'found ""; {FORM}',
    "raeds>+5%": 'did you mean "reads"?',
}


@pytest.mark.parametrize("text", BAD)
def test_bad_limits(text):
    """What was found, what was expected."""
    with pytest.raises(UsageError) as caught:
        parse_limit(text)
    assert str(caught.value).startswith("--fail-if: found ")
    assert BAD[text] in str(caught.value)
