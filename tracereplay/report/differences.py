"""A comparison of runs as a table for the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tracereplay.files import appearing, check_target
from tracereplay.report import markup
from tracereplay.report.table import plain_table
from tracereplay.studies.compare import ALL_VMS


def differences_table(table: pd.DataFrame, base: str) -> Group:
    """What differs from ``base``, run by run; equal quantities are counted, not listed."""
    parts: list[Any] = []
    for (run, vm), rows in table.groupby(["run", "vm"], sort=False):
        changed = rows[rows["change"] != 0]
        title = f"{run} against {base}" + ("" if vm == ALL_VMS else f", {vm}")
        parts += [Text(title, style="bold"), _changes(changed), Text(f"equal: {len(rows) - len(changed)} quantities\n")]
    return Group(*parts)


def _changes(rows: pd.DataFrame) -> Table:
    shown = plain_table()
    shown.add_column("")
    with_interval = "low" in rows and rows["low"].notna().any()
    for title in ("base", "value", "change", "%", *(["95 % interval"] if with_interval else [])):
        shown.add_column(title, justify="right")
    for row in rows.to_dict(orient="records"):
        interval = [_interval(row)] if with_interval else []
        shown.add_row(
            row["quantity"], _number(row["base"]), _number(row["value"]), f"{_number(row['change'], '+')}",
            _percent(row["percent"]), *interval,
        )  # fmt: skip
    return shown


def _number(value: float, sign: str = "") -> str:
    digits = 0 if float(value).is_integer() else 1
    return f"{value:{sign},.{digits}f}"


def _percent(value: float) -> str:
    return "new" if pd.isna(value) else f"{value:+.1f}"


def _interval(row: dict[str, Any]) -> str:
    return "" if pd.isna(row["low"]) else f"{_number(row['low'], '+')} … {_number(row['high'], '+')}"


def write_page(table: pd.DataFrame, target: Path, *, base: str, force: bool = False) -> Path:
    """Write a comparison as one HTML file; OutputError when it exists (unless ``force``)."""
    runs = [
        {"name": run, "together": _html(rows[rows["vm"] == ALL_VMS]), "vms": _html(rows[rows["vm"] != ALL_VMS])}
        for run, rows in table.groupby("run", sort=False)
    ]
    names = ", ".join(str(run["name"]) for run in runs)
    text = markup.page(
        "differences",
        title=f"{names} against {base}",
        lead="Every quantity that is not zero in both; the change is from the base.",
        runs=runs,
    )
    with appearing(check_target(target, force=force)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _html(rows: pd.DataFrame) -> Markup:
    kept = rows.drop(columns="run")
    first = ["quantity", "vm"] if kept["vm"].nunique() > 1 else ["quantity"]
    rest = [c for c in kept.columns if c not in ("quantity", "vm")]
    return markup.table([*first, *rest], _rows(kept[[*first, *rest]]), sortable=True)


def _rows(table: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    return table.itertuples(index=False)
