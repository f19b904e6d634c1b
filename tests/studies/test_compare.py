"""Comparisons by hand: which runs go together, what differs, in which bounds, and which limits break."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
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


def ended(seed: int = 0, frames: int = 10, **vms: Mapping[str, int]) -> tr.Result:
    """A run whose VMs ended with these counts, everything else 0."""
    vms = vms or {"a": {}}
    rows = {vm: {name: said.get(name, 0) for name in QUANTITIES} for vm, said in vms.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return tr.Result(
        machine={
            "seed": seed,
            "host": {"frames": frames},
            "vms": [{"name": vm, "trace": f"{vm}.parquet", "policy": "lru"} for vm in vms],
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


STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 8: 2.306, 18: 2.101}
"""Degrees of freedom → the 97.5 % quantile of Student's t, from a printed table."""
NORMAL = 1.960


def bounds(errors: list[float], change: float, freedom: int) -> tuple[float, float]:
    """The interval that these errors of a change give."""
    low, high = np.percentile(errors, [2.5, 97.5]) * STUDENT[freedom] / NORMAL
    return change + low, change + high


def test_seeds_are_means_with_an_interval():
    """The bounds are those of all possible resamples, few enough to be listed, with both corrections."""
    one, two = (10, 14, 18), (18, 22, 26)
    (found,) = rows(compare(seeds(1, *one) | seeds(2, *two)), vm="a")
    errors = [sum(chosen) / 3 * (3 / 2) ** 0.5 for chosen in itertools.product((-4, 0, 4), repeat=3)]
    low, high = bounds([after - before for before in errors for after in errors], 8, freedom=4)
    assert (found["base"], found["value"], found["change"]) == (14, 22, 8)
    assert found["percent"] == pytest.approx(800 / 14)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.1)
    assert (found["base_seeds"], found["seeds"], found["run"]) == (3, 3, "2-0")


def test_a_lone_run_scatters_as_the_other_side():
    """Nothing says how far its seeds would scatter; it is not taken for exact."""
    errors = [sum(chosen) / 3 * (3 / 2) ** 0.5 for chosen in itertools.product((-4, 0, 4), repeat=3)]
    of_one = [error * (3 / 2) ** 0.5 for error in (-4, 0, 4)]
    low, high = bounds([after - before for before in errors for after in of_one], 16, freedom=2)
    for runs, sign in ((seeds(1, 10, 14, 18) | seeds(2, 30), 1), (seeds(1, 30) | seeds(2, 10, 14, 18), -1)):
        (found,) = rows(compare(runs), vm="a")
        assert found["change"] == 16 * sign
        assert sorted((sign * found["low"], sign * found["high"])) == pytest.approx([low, high], abs=0.1)


def test_seeds_that_agree_leave_no_doubt():
    """An interval of one point."""
    (found,) = rows(compare(seeds(1, 5, 5) | seeds(2, 7)), vm="a")
    assert (found["low"], found["high"], found["base_seeds"], found["seeds"]) == (2, 2, 2, 1)


def test_the_interval_is_students_where_one_side_has_no_doubt():
    """With n runs that scatter the stretch is that of n - 1 degrees of freedom, whatever n is."""
    for n in (2, 3, 4, 5, 9, 19):
        values = [100 - 3 * n, 100 + 3 * n, *[100] * (n - 2)]
        (found,) = rows(compare(seeds(1, 50, 50) | seeds(2, *values)), vm="a")
        dice = np.random.default_rng(1)
        means = dice.choice(values, (40_000, n)).mean(axis=1) - 100
        low, high = bounds(means * (n / (n - 1)) ** 0.5, 50, freedom=n - 1)
        assert (found["low"], found["high"]) == pytest.approx((low, high), rel=0.06)


SHAPES = {
    "normal": lambda dice, size: dice.normal(1000, 100, size),
    "skewed": lambda dice, size: dice.exponential(1000, size),
    "rare": lambda dice, size: dice.poisson(3, size),
}


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_interval_covers_the_true_change(n):
    """In some 95 of 100 experiments, however few the seeds: a bootstrap of two seeds covers 67 alone.

    An experiment is a quantity of a VM, with values drawn at random on both sides, so the change is 0.
    """
    dice, vms = np.random.default_rng(n), [f"v{i}" for i in range(18)]

    def side(frames: int) -> dict[str, tr.Result]:
        drawn = {vm: SHAPES[[*SHAPES][i % 3]](dice, (n, len(QUANTITIES))) for i, vm in enumerate(vms)}
        said = [
            {vm: dict(zip(QUANTITIES, drawn[vm][s].round(), strict=True)) for vm in vms} for s in range(n)
        ]
        return {f"{frames}-{seed}": ended(seed, frames, **counts) for seed, counts in enumerate(said)}

    table = compare(side(1) | side(2))
    table = table[table["vm"] != "all VMs"]
    covered = (table["low"] <= 0) & (table["high"] >= 0)
    assert len(table) == 18 * 38
    assert 0.93 < covered.mean() < 0.99


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


def with_vms(run: tr.Result, **vms: dict[str, Any]) -> tr.Result:
    """The run with other settings of some VMs."""
    return replace(
        run, machine={**run.machine, "vms": [v | vms.get(v["name"], {}) for v in run.machine["vms"]]}
    )


def test_settings_that_differ():
    """By their keys, VMs by name; a key that one side lacks is a dash; seeds are listed."""
    old, new = ended(1, 10, a={}, b={}), ended(2, 20, a={})
    new = with_vms(new, a={"policy": "fifo", "tenant": "", "params": {"k": 2}})
    found = settings({"old": old, "new": new})
    assert found.to_dict(orient="index") == {
        "seed": {"old": "1", "new": "2"},
        "host.frames": {"old": "10", "new": "20"},
        "vm.b": {"old": "b.parquet", "new": "–"},
        "vm.a.policy": {"old": "lru", "new": "fifo"},
        "vm.a.tenant": {"old": "–", "new": '""'},
        "vm.a.params.k": {"old": "–", "new": "2"},
    }
    assert settings(seeds(1, 1, 1) | seeds(2, 1, 1)).index.tolist() == ["host.frames"]
    assert settings({"old": ended(), "new": ended()}).empty


def test_settings_of_a_vm_that_some_runs_lack():
    """That they lack it is one row; the others are those in which the rest differ."""
    runs = {
        "one": ended(a={}),
        "two": ended(a={}, b={}),
        "three": with_vms(ended(b={}, a={}), b={"policy": "mru"}),
    }
    assert settings(runs).to_dict(orient="index") == {
        "vm.b": {"one": "–", "two": "b.parquet", "three": "b.parquet"},
        "vm.b.policy": {"one": "–", "two": "lru", "three": "mru"},
    }


def test_the_order_of_the_vms_is_a_setting():
    """Frames and ticks are served in it, so a swap changes counts."""
    found = settings({"old": ended(a={}, b={}), "new": ended(b={}, a={})})
    assert found.to_dict(orient="index") == {"vms.order": {"old": "a, b", "new": "b, a"}}


def recorded(run: tr.Result, version: str = "1.0", digests: tuple[str, ...] = ("d1",)) -> tr.Result:
    """The run with a record of what made it and of its trace's parts."""
    parts = {f"{i}.parquet": digest for i, digest in enumerate(digests)}
    inputs = {"a.parquet": {"path": "/a.parquet", "rows": 1, "xxh3_128": parts}}
    return replace(run, provenance={"versions": {"tracereplay": version}, "inputs": inputs})


def test_another_version_and_another_trace_under_the_same_name_are_told():
    """No scenario says so, and seeds are not taken together over them."""
    old = {f"old{s}": recorded(ended(s)) for s in (1, 2)}
    new = {f"new{s}": recorded(ended(s), "1.1", ("d2",)) for s in (3, 4)}
    assert settings(old | new).to_dict(orient="index") == {
        "tracereplay": {"old1": "1.0", "new3": "1.1"},
        "seed": {"old1": "1, 2", "new3": "3, 4"},
        "vm.a.trace_digest": {"old1": "d1", "new3": "d2"},
    }
    parts = {name: recorded(ended(), digests=("d1", name)) for name in ("x", "y")}
    assert settings(parts).index.tolist() == ["vm.a.trace_digest"]
    assert settings({"x": parts["x"], "again": parts["x"]}).empty


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
    ("reads > + 5 %", 100, 106, True),
    ("reads>+.5%", 200, 201, False),
    ("reads>+.5%", 200, 202, True),
    ("reads>1e3", 0, 1001, True),
    ("reads>1e3", 0, 1000, False),
    ("vm.a.reads>+5%", 100, 106, True),
    ("vm.a.reads>+5%", 100, 105, False),
    ("vm.*.reads>+5%", 100, 106, True),
    ("writes>+0", 100, 200, False),
]


@pytest.mark.parametrize(("limit", "base", "value", "breaks"), LIMITS)
def test_limits(limit, base, value, breaks):
    """Signed numbers are changes, others values; any change from 0 is beyond every percentage."""
    table = compare({"old": ended(a={"reads": base}), "new": ended(frames=9, a={"reads": value})})
    assert bool(broken(table, [parse_limit(limit)])) is breaks


def test_limits_of_vms():
    """One by name, dots and spaces in it too, or each; the sum is none of them."""
    runs = {
        "old": ended(**{"a": {"reads": 100}, "b.c": {"reads": 100}, "all VMs": {"reads": 100}}),
        "new": ended(frames=9, **{"a": {"reads": 50}, "b.c": {"reads": 150}, "all VMs": {"reads": 101}}),
    }
    table = compare(runs)
    texts = ("reads>+5%", "vm.a.reads>+5%", "vm.b.c.reads>+5%", "vm.*.reads>+0", "vm.(all VMs).reads>100")
    assert broken(table, [parse_limit(text) for text in texts]) == [
        "vm.b.c.reads>+5%: new, b.c, has 150, the first run 100 (+50.0 %)",
        "vm.*.reads>+0: new, b.c, has 150, the first run 100 (+50.0 %)",
        "vm.*.reads>+0: new, (all VMs), has 101, the first run 100 (+1.0 %)",
        "vm.(all VMs).reads>100: new, (all VMs), has 101, the first run 100 (+1.0 %)",
    ]


@pytest.mark.parametrize(
    ("limit", "message"),
    {
        "vm.wbe.reads>1": 'found "wbe"; expected a VM that both new and the first run have: web, db; did you '
        "mean web?",
        "vm.old.reads>1": 'found "old"; expected a VM that both new and the first run have: web, db',
    }.items(),
)
def test_a_limit_on_a_vm_that_is_not_there(limit, message):
    """It could never break, so it would pass for ever: refused."""
    runs = {"old": ended(web={}, db={}, old={}), "new": ended(web={}, db={})}
    with pytest.raises(UsageError) as caught:
        broken(compare(runs), [parse_limit(limit)])
    assert str(caught.value) == f"--fail-if: {limit}: {message}"
    strangers = compare({"old": ended(a={}), "new": ended(b={})})
    with pytest.raises(UsageError, match="there is none"):
        broken(strangers, [parse_limit("vm.*.reads>1")])


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


FORM = (
    "expected QUANTITY>+5%, QUANTITY<-100 (a change from the first run) or QUANTITY>1000 (a value), for all "
    "VMs together; of a VM vm.NAME.QUANTITY, of each vm.*.QUANTITY"
)
BAD = {
    "reads": f'found "reads"; {FORM}',
    "reads>": f'found "reads>"; {FORM}',
    "reads>5%": f'found "reads>5%"; {FORM}; did you mean "reads>+5%"?',
    "vm.a.reads < 5%": f'found "vm.a.reads < 5%"; {FORM}; did you mean "vm.a.reads < -5%"?',
    "reads>1e999": f'found "reads>1e999"; {FORM}',
    "reads>+-5%": f'found "reads>+-5%"; {FORM}',
    "vm..reads>5": f'found "vm..reads>5"; {FORM}',
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
