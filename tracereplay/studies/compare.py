"""What differs between runs, by how much; over several seeds with an interval; and limits on it for CI."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import UsageError
from tracereplay.problems import one_of, shown
from tracereplay.report.names import ALL_VMS, labels
from tracereplay.result import Result

QUANTITIES = (*COUNTER_NAMES, *GAUGE_NAMES, "estimated_ns")
_RESAMPLES = 10_000
_LEVEL = 0.95


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
    """Runs by name as groups of one scenario each, in order.

    A run joins the first group of its scenario that has no run of its seed yet.  Where that makes one group
    of all, every run is compared by itself.
    """
    groups: list[tuple[str, dict[int, str]]] = []
    for name, run in runs.items():
        scenario = json.dumps({key: value for key, value in run.machine.items() if key != "seed"})
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
    the base (NaN where that is 0), ``low`` and ``high``: the 95 % interval of the change by a percentile
    bootstrap over the seeds of both sides (NaN where both have one), ``base_seeds`` and ``seeds``, how many.
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
    """Bounds of the change of the means, per column (Efron and Tibshirani 1993, section 13.3)."""
    if len(one) == len(two) == 1:
        return np.full(one.shape[1], np.nan), np.full(one.shape[1], np.nan)
    random = np.random.default_rng(0)

    def means(values: np.ndarray) -> np.ndarray:
        return values[random.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)

    changes = means(two) - means(one)
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(changes, [tail, 100 - tail], axis=0)
    return low, high


def settings(runs: Mapping[str, Result]) -> pd.DataFrame:
    """The settings in which the scenarios differ, as texts: a row per key, a column per compared run."""
    flat = {group.name: _settings_of(group) for group in grouped(runs)}
    keys = list(dict.fromkeys(key for said in flat.values() for key in said))
    table = pd.DataFrame({name: [said.get(key, "–") for key in keys] for name, said in flat.items()}, keys)
    return table[table.nunique(axis=1) > 1]


def _settings_of(group: Group) -> dict[str, str]:
    seeds = ", ".join(str(run.machine["seed"]) for run in group.runs)
    return {**dict(_leaves(group.runs[0].machine)), "seed": seeds}


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every setting of a resolved scenario by its dotted key; VMs go by their names, and lists are one."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
    elif key == "vms":
        for vm in value:
            yield from _leaves({k: v for k, v in vm.items() if k != "name"}, f"vm.{vm['name']}")
    elif key != "warnings":
        yield key, value if isinstance(value, str) else json.dumps(value)


class Limit(NamedTuple):
    """A condition that makes a comparison fail: ``host_major_faults>+5%``.

    A signed number is a change from the base, with ``%`` relative to it (from 0, any change is infinite); one
    without a sign is the value itself.
    """

    text: str
    quantity: str
    holds: Callable[[float, float], bool]
    number: float
    is_change: bool
    is_percent: bool

    def broken_by(self, row: Mapping[Any, Any]) -> bool:
        """Whether a row of ``compare`` meets the condition."""
        if not self.is_change:
            return self.holds(row["value"], self.number)
        if not self.is_percent:
            return self.holds(row["change"], self.number)
        from_zero = np.copysign(np.inf, row["change"]) if row["change"] else 0.0
        return self.holds(row["percent"] if row["base"] else from_zero, self.number)


_FORM = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*([+-]?)([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*")
_HOLDS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def parse_limit(text: str) -> Limit:
    """A limit from its text; UsageError says what was expected."""
    form = _FORM.fullmatch(text)
    if form is None or (form[5] and not form[3]):
        raise UsageError(
            f"--fail-if: found {shown(text)}; expected QUANTITY>+5%, QUANTITY<-100 (a change from the first "
            "run) or QUANTITY>1000 (a value)"
        )
    try:
        one_of(form[1], QUANTITIES)
    except ValueError as error:
        raise UsageError(f"--fail-if: {error}") from None
    number = float(f"{form[3]}{form[4]}")
    return Limit(text, form[1], _HOLDS[form[2]], number, bool(form[3]), bool(form[5]))


def broken(table: pd.DataFrame, limits: Sequence[Limit]) -> list[str]:
    """What breaks which limit, in words; limits are on all VMs together."""
    return [
        f"{limit.text}: {row['run']} has {_said(row)}"
        for row in table[table["vm"] == ALL_VMS].to_dict(orient="records")
        for limit in limits
        if limit.quantity == row["quantity"] and limit.broken_by(row)
    ]


def _said(row: Mapping[Any, Any]) -> str:
    percent = "" if np.isnan(row["percent"]) else f" ({row['percent']:+.1f} %)"
    return f"{row['value']:,.10g}, the first run {row['base']:,.10g}{percent}"
