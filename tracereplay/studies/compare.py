"""What differs between runs, by how much; over several seeds with an interval; and limits on it for CI."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xxhash

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import UsageError
from tracereplay.problems import nearest, one_of, problem, shown
from tracereplay.report.names import ALL_VMS, labels
from tracereplay.result import Result

QUANTITIES = (*COUNTER_NAMES, *GAUGE_NAMES, "estimated_ns")
_RESAMPLES = 10_000
_LEVEL = 0.95
_ANGLES = 10_000


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed; ``name`` is the first one's."""

    name: str
    runs: tuple[Result, ...]

    @property
    def vms(self) -> list[str]:
        return list(self.runs[0].vms.index)

    def values(self, vm: str | None) -> pd.DataFrame:
        """A row per run, a column per quantity: of one VM, or (None) of all together."""
        rows = [run.vms if vm is None else run.vms.loc[[vm]] for run in self.runs]
        return pd.DataFrame([vms[list(QUANTITIES)].sum() for vms in rows])


def grouped(runs: Mapping[str, Result]) -> list[Group]:
    """Runs by name as groups that differ in nothing but the seed, in order.

    A run joins the first group of its scenario, inputs and version of tracereplay that has no run of its
    seed yet.  Where that makes one group of all, every run is compared by itself.
    """
    groups: list[tuple[str, dict[int, str]]] = []
    for name, run in runs.items():
        alike = {key: value for key, value in run.machine.items() if key != "seed"}
        scenario = json.dumps([alike, _version(run), _digests(run)])
        seed = run.machine["seed"]
        open_ones = (seeds for other, seeds in groups if other == scenario and seed not in seeds)
        if (seeds := next(open_ones, None)) is None:
            groups.append((scenario, seeds := {}))
        seeds[seed] = name
    names = [list(seeds.values()) for _, seeds in groups]
    if len(names) == 1:
        names = [[name] for name in runs]
    return [Group(members[0], tuple(runs[name] for name in members)) for members in names]


def compare(runs: Mapping[str, Result]) -> pd.DataFrame:
    """What differs from the first run, per VM and for all together; runs of several seeds are one.

    One row per ``run`` (the first of its seeds), ``vm`` (``all VMs`` for the sum; a VM of that name is in
    parentheses) and ``quantity``: ``base`` and ``value`` (means over the seeds), ``change``, ``percent`` of
    the base (NaN where that is 0), ``low`` and ``high``: the 95 % interval of the change by a bootstrap over
    the seeds of both sides (NaN where both have one), ``base_seeds`` and ``seeds``, how many.  The interval
    allows for few seeds: two on each side make it right and wide, five make it useful.
    VMs are compared where both runs have one of that name.  ValueError for fewer than two runs.
    """
    if len(runs) < 2:
        raise ValueError(f"found {len(runs)} run; expected at least two")
    base, *others = grouped(runs)
    return pd.concat(
        [_against(base, other, vm) for other in others for vm in (None, *_common_vms(base, other))],
        ignore_index=True,
    )


def unmatched(runs: Mapping[str, Result]) -> list[str]:
    """VMs that only one side has, in words."""
    base, *others = grouped(runs)
    return [
        f"{vm} is a VM of {owner.name} and not of {lacking.name}: it counts only in the sums"
        for other in others
        for owner, lacking in ((base, other), (other, base))
        for vm in owner.vms
        if vm not in lacking.vms
    ]


def _common_vms(base: Group, other: Group) -> list[str]:
    return [vm for vm in base.vms if vm in other.vms]


def _against(base: Group, other: Group, vm: str | None) -> pd.DataFrame:
    one, two = base.values(vm), other.values(vm)
    low, high = _interval(one.to_numpy(float), two.to_numpy(float))
    before, after = one.mean(), two.mean()
    table = {
        "run": other.name,
        "vm": ALL_VMS if vm is None else labels(base.vms, [ALL_VMS])[vm],
        "quantity": QUANTITIES,
        "base": before,
        "value": after,
        "change": after - before,
        "percent": 100 * (after - before) / before.where(before != 0),
        "low": low,
        "high": high,
        "base_seeds": len(one),
        "seeds": len(two),
    }
    return pd.DataFrame(table).reset_index(drop=True)


def _interval(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the change of the means, per column; NaN where neither side says how far seeds scatter.

    A percentile bootstrap (Efron and Tibshirani 1993, section 13.3), which is too narrow for few runs, for
    two reasons (Hesterberg 2015, The American Statistician 69:371-386) that are both made good.  Runs lie
    closer to their own mean than to the true one: errors are scaled by sqrt(n / (n - 1)).  How far they
    scatter is itself in doubt: bounds are stretched from the normal to Student's quantile, with Welch's
    degrees of freedom.  A lone run is taken to scatter as the other side does.
    """
    if len(one) == len(two) == 1:
        return np.full(one.shape[1], np.nan), np.full(one.shape[1], np.nan)
    sides = [one if len(one) > 1 else two, two if len(two) > 1 else one]
    sizes = (len(one), len(two))
    random = np.random.default_rng(0)
    before, after = (_errors(side, size, random) for side, size in zip(sides, sizes, strict=True))
    tail = 100 * (1 - _LEVEL) / 2
    stretch = _student(_freedom(sides, sizes)) / NormalDist().inv_cdf((1 + _LEVEL) / 2)
    low, high = np.percentile(after - before, [tail, 100 - tail], axis=0) * stretch
    change = two.mean(axis=0) - one.mean(axis=0)
    return change + low, change + high


def _errors(side: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Errors of means of ``size`` runs drawn from a side, one row per resample."""
    n = len(side)
    weights = random.multinomial(size, np.full(n, 1 / n), _RESAMPLES) / size
    return weights @ (side - side.mean(axis=0)) * np.sqrt(n / (n - 1))


def _freedom(sides: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """Degrees of freedom of the change per column (Welch 1947); of one side, where the other is alone."""
    if 1 in sizes:
        return np.full(sides[0].shape[1], max(sizes) - 1.0)
    doubts = [side.var(axis=0, ddof=1) / len(side) for side in sides]
    parts = sum(doubt**2 / (len(side) - 1) for doubt, side in zip(doubts, sides, strict=True))
    return np.divide(sum(doubts) ** 2, parts, out=np.ones(sides[0].shape[1]), where=parts > 0)


def _student(freedom: np.ndarray) -> np.ndarray:
    """The upper bound that Student's t stays within with the probability of an interval.

    t / sqrt(freedom) is the tangent of an angle whose density is a power of its cosine.
    """
    angles = (np.arange(_ANGLES) + 0.5) * (np.pi / 2 / _ANGLES)
    mass = np.cumsum(np.cos(angles)[:, None] ** (freedom - 1), axis=0)
    return np.sqrt(freedom) * np.tan(angles[(mass < _LEVEL * mass[-1]).sum(axis=0)])


def settings(runs: Mapping[str, Result]) -> pd.DataFrame:
    """The settings in which the scenarios differ, as texts: a row per key, a column per compared run.

    Beside the scenario's own keys: ``vm.NAME``, the trace of a VM that some runs lack; ``vms.order``; and
    what no scenario says: the version of ``tracereplay`` and each trace's ``trace_digest``.  A dash: not set.
    """
    groups = grouped(runs)
    common = [vm for vm in groups[0].vms if all(vm in group.vms for group in groups)]
    of_all = {group.name: _settings_of(group, common) for group in groups}
    of_some = {group.name: _settings_of_others(group, common) for group in groups}
    table = pd.concat([_texts(of_all).fillna("–"), _texts(of_some)])
    return table[table.nunique(axis=1) > 1].fillna("–")


def _texts(said: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A row per key in order of appearance, a column per run, None where it lacks the key."""
    keys = list(dict.fromkeys(key for texts in said.values() for key in texts))
    columns = {name: [texts.get(key) for key in keys] for name, texts in said.items()}
    return pd.DataFrame(columns, index=keys, dtype=object)


def _settings_of(group: Group, common: Collection[str]) -> dict[str, str]:
    """Every setting of a scenario by its dotted key; of VMs that all runs have, by name."""
    run = group.runs[0]
    general = {key: value for key, value in run.machine.items() if key not in ("vms", "warnings")}
    return {
        "tracereplay": _version(run),
        **dict(_leaves(general)),
        "seed": ", ".join(str(run.machine["seed"]) for run in group.runs),
        "vms.order": ", ".join(vm for vm in group.vms if vm in common),
        **{f"vm.{vm}": said["trace"] for vm, said in _vms(run).items() if vm not in common},
        **{key: text for vm in common for key, text in _leaves(_vms(run)[vm], f"vm.{vm}")},
    }


def _settings_of_others(group: Group, common: Collection[str]) -> dict[str, str]:
    """The same of VMs that some run lacks."""
    others = {vm: said for vm, said in _vms(group.runs[0]).items() if vm not in common}
    return {key: text for vm, said in others.items() for key, text in _leaves(said, f"vm.{vm}")}


def _vms(run: Result) -> dict[str, dict[str, Any]]:
    """What the scenario says of each VM, and the digest of its trace where it is known."""
    digests = _digests(run)
    return {
        vm["name"]: {key: vm[key] for key in vm if key != "name"}
        | ({"trace_digest": digests[vm["trace"]]} if vm.get("trace") in digests else {})
        for vm in run.machine["vms"]
    }


def _version(run: Result) -> str:
    return run.provenance.get("versions", {}).get("tracereplay", "")


def _digests(run: Result) -> dict[str, str]:
    """The digest of each trace that was read from files, one of all its parts."""
    parts = {key: list(found["xxh3_128"].values()) for key, found in run.provenance.get("inputs", {}).items()}
    return {
        key: of[0] if len(of) == 1 else xxhash.xxh3_128_hexdigest(" ".join(of).encode())
        for key, of in parts.items()
        if of
    }


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted key; lists are one."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value if isinstance(value, str) and value else json.dumps(value)


class Limit(NamedTuple):
    """A condition that makes a comparison fail: ``host_major_faults>+5%``.

    A signed number is a change from the base, with ``%`` relative to it (from 0, any change is infinite); one
    without a sign is the value itself.  ``vm``: the VM that it is on, ``*`` for each, None for the sum.
    """

    text: str
    vm: str | None
    quantity: str
    holds: Callable[[float, float], bool]
    number: float
    is_change: bool
    is_percent: bool

    def is_on(self, row: Mapping[Any, Any]) -> bool:
        """Whether a row of ``compare`` is one that the condition speaks of."""
        if row["quantity"] != self.quantity or (row["vm"] == ALL_VMS) is not (self.vm is None):
            return False
        return self.vm in (None, "*", row["vm"])

    def broken_by(self, row: Mapping[Any, Any]) -> bool:
        """Whether such a row meets the condition."""
        if not self.is_change:
            return self.holds(row["value"], self.number)
        if not self.is_percent:
            return self.holds(row["change"], self.number)
        from_zero = np.copysign(np.inf, row["change"]) if row["change"] else 0.0
        return self.holds(row["percent"] if row["base"] else from_zero, self.number)


_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_FORM = re.compile(rf"\s*(?:vm\.(.+)\.)?(\w+)\s*(>=|<=|>|<)\s*([+-]?)\s*({_NUMBER})\s*(%?)\s*")
_HOLDS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_EXPECTED = (
    "QUANTITY>+5%, QUANTITY<-100 (a change from the first run) or QUANTITY>1000 (a value), for all VMs "
    "together; of a VM vm.NAME.QUANTITY, of each vm.*.QUANTITY"
)


def parse_limit(text: str) -> Limit:
    """A limit from its text; UsageError says what was expected."""
    form = _FORM.fullmatch(text)
    number = float(f"{form[4]}{form[5]}") if form else np.inf
    if form is None or not np.isfinite(number):
        raise UsageError(f"--fail-if: {problem(shown(text), _EXPECTED)}")
    if form[6] and not form[4]:
        sign, at = "-" if "<" in form[3] else "+", form.start(5)
        meant = f"{text[:at]}{sign}{text[at:]}"
        raise UsageError(f"--fail-if: {problem(shown(text), _EXPECTED, shown(meant))}")
    try:
        one_of(form[2], QUANTITIES)
    except ValueError as error:
        raise UsageError(f"--fail-if: {error}") from None
    return Limit(text, form[1], form[2], _HOLDS[form[3]], number, bool(form[4]), bool(form[6]))


def broken(table: pd.DataFrame, limits: Sequence[Limit]) -> list[str]:
    """What breaks which limit, in words; UsageError for a limit on a VM that a comparison lacks."""
    for run, rows in table.groupby("run", sort=False):
        _refuse_unknown_vms(str(run), rows["vm"].unique(), limits)
    return [
        f"{limit.text}: {row['run']}{_of_vm(row['vm'])} has {_said(row)}"
        for row in table.to_dict(orient="records")
        for limit in limits
        if limit.is_on(row) and limit.broken_by(row)
    ]


def _refuse_unknown_vms(run: str, vms: Iterable[str], limits: Sequence[Limit]) -> None:
    known = [vm for vm in vms if vm != ALL_VMS]
    for limit in limits:
        if limit.vm is None or limit.vm in known or (limit.vm == "*" and known):
            continue
        expected = f"a VM that both {run} and the first run have: {', '.join(known) or 'there is none'}"
        meant = nearest(limit.vm, known)
        raise UsageError(f"--fail-if: {limit.text}: {problem(shown(limit.vm), expected, meant)}")


def _of_vm(vm: str) -> str:
    return "" if vm == ALL_VMS else f", {vm},"


def _said(row: Mapping[Any, Any]) -> str:
    percent = "" if np.isnan(row["percent"]) else f" ({row['percent']:+.1f} %)"
    return f"{row['value']:,.10g}, the first run {row['base']:,.10g}{percent}"
