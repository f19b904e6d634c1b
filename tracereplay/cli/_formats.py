"""Prints the formats of foreign traces, each with what it is, a sample and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracereplay.cli._console import print_catalog


def print_formats(parameters: Mapping[str, Mapping[str, Any]], json: bool) -> None:
    """Print the formats that are keys of ``parameters``, whose values are defaults by name."""
    from tracereplay.trace import formats

    rows = [
        {
            "format": name,
            "sample": formats.get(name).SAMPLE,
            "parameters": defaults,
            "is": formats.describe(name),
        }
        for name, defaults in parameters.items()
    ]
    print_catalog(rows if json else [_folded(row) for row in rows], json)


def _folded(row: Mapping[str, Any]) -> dict[str, str]:
    """One cell for all but the name: three columns of text are more than a terminal has room for."""
    lines = [row["is"].replace("``", ""), f"sample: {row['sample'].strip()}"]
    if row["parameters"]:
        said = (f"{key}={default}" for key, default in row["parameters"].items())
        lines.append(f"parameters: {', '.join(said)}")
    return {"format": row["format"], "what it is, and a sample": "\n".join(lines)}
