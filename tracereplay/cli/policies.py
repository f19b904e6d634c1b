"""``tracereplay policies``."""

from __future__ import annotations

from typing import Any

from tracereplay.cli._console import Json, print_json, print_text


def policies(*, json: Json = False) -> None:
    """List the replacement policies: name, parameters with their defaults, rule.

    Any of them serves guests and host; parameters are given as ``name:key=value``.
    """
    from rich import box
    from rich.table import Table

    from tracereplay import policies as home

    rows: list[dict[str, Any]] = [
        {"name": name, "parameters": home.parameters(name), "rule": home.describe(name)}
        for name in home.names()
    ]
    if json:
        return print_json(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("policy", "parameters", "rule"):
        table.add_column(title)
    for row in rows:
        parameters = ", ".join(f"{key}={value}" for key, value in row["parameters"].items())
        table.add_row(row["name"], parameters or "-", row["rule"])
    return print_text(table)
