"""``tracereplay report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say, warn


def report(
    run: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("report.html"),
    names: str = "tracereplay",
    title: str | None = None,
    traces: Annotated[bool, Parameter(negative="--no-traces")] = True,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make one offline HTML file of a run: a verdict, tables, figures, and what ran on what.

    Parameters
    ----------
    run
        A run directory that `tracereplay replay -o` wrote.
    output
        HTML file to write.
    names
        Vocabulary of the VMs' table: tracereplay, esxtop or ksm.
    title
        Heading of the page; default: the VMs' names.
    traces
        Read the run's traces again for what only they can tell: miss ratios, working sets, heat.
    """
    from tracereplay.result import load_run

    result = load_run(run)
    written, missing = result.report(output, names=names, title=title, traces=traces, force=force)
    warn(missing)
    if json:
        print_json({"report": str(written), "bytes": written.stat().st_size, "warnings": missing})
    say(f"report written to {written}", quiet=quiet)
