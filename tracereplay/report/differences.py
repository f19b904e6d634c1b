"""A comparison of runs as a table for the terminal and as a page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tracereplay.files import appearing, check_target
from tracereplay.report import markup
from tracereplay.report.names import ALL_VMS
from tracereplay.report.table import plain_table
from tracereplay.units import format_count

MOST_SETTINGS = 10
"""Settings that a terminal shows of a run."""
_IN_FULL = 10**6
"""Numbers below it are shown in full."""
_HEADS: dict[str, markup.Head] = {
    "percent": ("percent", "of the base"),
    "low": ("low", "95 % interval"),
    "high": ("high", "of the change"),
}


def differences_table(table: pd.DataFrame, settings: pd.DataFrame) -> Group:
    """What differs from the first run, run by run, in 80 columns; equal quantities are counted, not listed.

    ``table`` and ``settings`` are those of ``studies.compare``.
    """
    parts: list[Any] = []
    base = settings.columns[0]
    for run, of_run in table.groupby("run", sort=False):
        parts += [Text(f"{run} against {base}{_seeds(of_run)}", style="bold"), *_set(settings[[base, run]])]
        for vm, rows in of_run.groupby("vm", sort=False):
            changed = rows[rows["change"] != 0]
            parts.append(Text(f"\n{vm}: {len(changed)} of {len(rows)} quantities differ"))
            if len(changed):
                parts.append(_changes(changed))
        parts.append(Text(""))
    return Group(*parts)


def _set(settings: pd.DataFrame) -> list[Text]:
    """A line for each setting that differs between two runs."""
    lines = [f"{key}: {before} → {after}" for key, before, after in settings.itertuples() if before != after]
    more = [f"and {len(lines) - MOST_SETTINGS} more settings"] if len(lines) > MOST_SETTINGS else []
    return [Text(f"  {line}") for line in (lines[:MOST_SETTINGS] + more or ["the scenarios are equal"])]


def _changes(rows: pd.DataFrame) -> Table:
    shown = plain_table()
    shown.add_column("")
    with_interval = rows["low"].notna().any()
    for title in ("base", "value", "change", "%", *(["95 % interval"] if with_interval else [])):
        shown.add_column(title, justify="right")
    for row in rows.to_dict(orient="records"):
        interval = [f"{_signed(row['low'])} … {_signed(row['high'])}"] if with_interval else []
        change = _signed(row["change"])
        shown.add_row(
            row["quantity"], _number(row["base"]), _number(row["value"]), change, _percent(row), *interval
        )
    return shown


def _number(value: float) -> str:
    if abs(value) >= _IN_FULL:
        return format_count(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:,.1f}"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + _number(value)


def _percent(row: Mapping[Any, Any]) -> str:
    return "new" if row["base"] == 0 else f"{row['percent']:+.1f}"


def _seeds(rows: pd.DataFrame) -> str:
    """How many runs are behind the means, where it is not one each."""
    before, after = int(rows["base_seeds"].iloc[0]), int(rows["seeds"].iloc[0])
    return "" if before == after == 1 else f" (means of {after} and {before} seeds)"


def write_page(
    table: pd.DataFrame, settings: pd.DataFrame, path: str | os.PathLike[str], *, force: bool = False
) -> Path:
    """Write a comparison as one HTML file; OutputError when it exists (unless ``force``)."""
    target = check_target(path, force=force)
    base = settings.columns[0]
    text = markup.page(
        "differences",
        title=f"{', '.join(map(str, settings.columns[1:]))} against {base}",
        lead=f"Changes are from {base}. Quantities that are 0 on both sides are left out.",
        settings=_settings(settings),
        runs=[_run(str(run), rows) for run, rows in table.groupby("run", sort=False)],
    )
    with appearing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _settings(settings: pd.DataFrame) -> Markup | None:
    if settings.empty:
        return None
    heads = ["setting", *map(str, settings.columns)]
    rows = settings.reset_index().to_numpy(object).tolist()
    return markup.table("Settings", heads, rows, sortable=False)


def _run(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What the template shows of a run."""
    together = rows["vm"] == ALL_VMS
    return {
        "name": f"{name}{_seeds(rows)}",
        "together": _html(f"{name}, {ALL_VMS}", rows[together].drop(columns="vm")),
        "vms": _html(f"{name}, each VM", rows[~together]) if not together.all() else None,
    }


def _html(label: str, rows: pd.DataFrame) -> Markup:
    some = rows[(rows["base"] != 0) | (rows["value"] != 0)].dropna(axis=1, how="all")
    shown = some.drop(columns=["run", "base_seeds", "seeds"])
    first = [name for name in ("quantity", "vm") if name in shown]
    shown = shown[[*first, *shown.columns.difference(first, sort=False)]]
    heads: list[markup.Head] = [_HEADS.get(str(name), str(name)) for name in shown]
    return markup.table(label, heads, shown.to_numpy(object).tolist())
