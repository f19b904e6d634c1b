"""What differs between runs, by how much; over several seeds with an interval; and limits on it for CI."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import ResultError, UsageError
from tracereplay.problems import one_of
from tracereplay.result import Result

QUANTITIES = (*COUNTER_NAMES, *GAUGE_NAMES, "estimated_ns")
ALL_VMS = "all VMs"
_RESAMPLES = 10_000
_LEVEL = 0.95


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed; ``name`` is the first one's."""

    name: str
    runs: tuple[Result, ...]

    def values(self, vm: str | None) -> pd.DataFrame:
        """A row per run, a column per quantity: of one VM, or (None) of all together."""
        return pd.DataFrame([_quantities(run, vm) for run in self.runs], columns=list(QUANTITIES))


def _quantities(run: Result, vm: str | None) -> list[int]:
    rows = run.vms if vm is None else run.vms.loc[[vm]]
    return [int(rows[name].sum()) for name in QUANTITIES]


def grouped(runs: Mapping[str, Result]) -> list[Group]:
    """Runs by name as groups of one scenario each, in order of first appearance."""
    found: dict[str, list[str]] = {}
    for name, run in runs.items():
        plain = {key: value for key, value in run.machine.items() if key != "seed"}
        found.setdefault(json.dumps(plain, sort_keys=True), []).append(name)
    for names in found.values():
        seeds = [runs[name].machine["seed"] for name in names]
        if len(set(seeds)) < len(seeds):
            raise ResultError(
                f"found {' and '.join(names)} with one scenario and equal seeds; expected runs that differ: "
                "replay with another --seed, or leave one out"
            )
    return [Group(names[0], tuple(runs[name] for name in names)) for names in found.values()]


def compare(runs: Mapping[str, Result]) -> pd.DataFrame:
    """What differs from the first run (or the first group of seeds), per VM and for all together.

    One row per (``run``, ``vm``, ``quantity``) that differs or is not zero: ``base`` and ``value`` (means over the
    seeds), ``change``, ``percent`` (NaN where the base is 0), and, where some group has several seeds, ``low`` and
    ``high``: the 95 % interval of the change, by a percentile bootstrap over the seeds.  ``vm`` is ``all VMs`` for
    the sum; VMs are compared where both runs have one of that name.
    ResultError: fewer than two different runs, or two with the same scenario and seed.
    """
    groups = grouped(runs)
    if len(groups) < 2:
        raise ResultError(
            f"found one scenario in {', '.join(runs)}; expected at least two that differ in more than the seed"
        )
    base, *others = groups
    tables = [_against(base, other, vm) for other in others for vm in (None, *_common_vms(base, other))]
    return pd.concat(tables, ignore_index=True)


def _common_vms(base: Group, other: Group) -> list[str]:
    return [vm for vm in base.runs[0].vms.index if vm in other.runs[0].vms.index]


def _against(base: Group, other: Group, vm: str | None) -> pd.DataFrame:
    one, two = base.values(vm), other.values(vm)
    table = pd.DataFrame({"base": one.mean(), "value": two.mean()})
    table["change"] = table["value"] - table["base"]
    table["percent"] = 100 * table["change"] / table["base"].where(table["base"] != 0)
    if len(one) > 1 or len(two) > 1:
        table["low"], table["high"] = _interval(one.to_numpy(float), two.to_numpy(float))
    table = table[(table["base"] != 0) | (table["value"] != 0)]
    table.insert(0, "quantity", table.index)
    table.insert(0, "vm", vm or ALL_VMS)
    table.insert(0, "run", other.name)
    return table.reset_index(drop=True)


def _interval(one: np.ndarray, two: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the change of the means, per column (Efron and Tibshirani 1993, section 13.3)."""
    random = np.random.default_rng(0)

    def means(values: np.ndarray) -> np.ndarray:
        return values[random.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)

    changes = means(two) - means(one)
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(changes, [tail, 100 - tail], axis=0)
    return low, high


class Limit(NamedTuple):
    """A condition that makes a comparison fail: ``host_major_faults>+5%``.

    A signed number is a change from the base, with ``%`` relative to it; one without a sign is the value itself.
    """

    text: str
    quantity: str
    holds: Callable[[float, float], bool]
    number: float
    is_change: bool
    is_percent: bool

    def broken_by(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of ``compare`` meets the condition."""
        if not self.is_change:
            return self.holds(row["value"], self.number)
        change = row["change"]
        if self.is_percent:
            base = row["base"]
            change = 100 * change / base if base else np.sign(change) * np.inf if change else 0.0
        return self.holds(change, self.number)


_FORM = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*([+-]?)([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*")
_HOLDS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}


def parse_limit(text: str) -> Limit:
    """A limit from its text; UsageError says what was expected."""
    form = _FORM.fullmatch(text)
    if form is None or (form[5] and not form[3]):
        raise UsageError(
            f"--fail-if: found '{text}'; expected QUANTITY>+5%, QUANTITY<-100 (a change from the first run) or "
            "QUANTITY>1000 (a value)"
        )
    try:
        one_of(form[1], QUANTITIES)
    except ValueError as error:
        raise UsageError(f"--fail-if: {error}") from None
    number = float(f"{form[3]}{form[4]}")
    return Limit(text, form[1], _HOLDS[form[2]], number, bool(form[3]), bool(form[5]))


def broken(table: pd.DataFrame, limits: Sequence[Limit]) -> list[str]:
    """What breaks which limit, in words; quantities that are zero in both runs break none."""
    found = []
    for row in table[table["vm"] == ALL_VMS].to_dict(orient="records"):
        for limit in limits:
            if limit.quantity == row["quantity"] and limit.broken_by(row):
                percent = "" if np.isnan(row["percent"]) else f", {row['percent']:+.1f} %"
                found.append(
                    f"{limit.text}: {row['run']} has {row['value']:,.6g}, the first run {row['base']:,.6g}{percent}"
                )
    return found
