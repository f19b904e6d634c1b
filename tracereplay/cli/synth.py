"""``tracereplay synth``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_catalog, print_json, say
from tracereplay.errors import UsageError


def synth(
    kind: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make a synthetic trace; the same parameters give the same bytes.

    Parameters
    ----------
    kind
        A generator, with parameters as in zipf:pages=10k,alpha=0.9,seed=1.
    output
        Trace file to write.
    listed
        Show the generators and their parameters.
    """
    from tracereplay.trace import synth as home
    from tracereplay.trace.writer import write_trace

    if listed:
        rows = [
            {
                "generator": name,
                "parameters": _parameters(home.parameters(name)),
                "makes": home.describe(name),
            }
            for name in home.names()
        ]
        print_catalog(rows, json)
        return
    if kind is None or output is None:
        raise UsageError("synth: expected a generator and -o FILE, as in: synth zipf:pages=10k -o t.parquet")
    metadata = write_trace(output, home.synth(kind), force=force)
    if json:
        print_json(metadata.to_dict())
    say(f"{metadata.rows:,} rows of {len(metadata.vms)} VM(s) written to {output}", quiet=quiet)


def _parameters(known: Mapping[str, Any]) -> dict[str, str]:
    """Defaults with their units."""
    from tracereplay.catalog import REQUIRED

    return {key: f"{'…' if p.default is REQUIRED else p.default} ({p.kind.unit})" for key, p in known.items()}
