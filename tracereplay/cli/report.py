"""``tracereplay report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say, warn
from tracereplay.errors import UsageError


def report(
    run: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("report.html"),
    names: str = "tracereplay",
    title: str | None = None,
    traces: Annotated[bool, Parameter(negative="--no-traces")] = True,
    json: Annotated[Json, Parameter(help="Print what was written, and what is missing, as JSON.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make one offline HTML file of a run: a verdict, tables, figures, and what ran on what.

    Parameters
    ----------
    run
        Run directory.
    output
        HTML file to write.
    names
        Vocabulary of the VMs' table: tracereplay, esxtop or ksm.
    title
        Heading of the page; default: the VMs' names.
    traces
        Read the run's traces again for what only they can tell: miss ratios, working sets, heat.
    """
    from tracereplay.problems import one_of
    from tracereplay.report.names import VOCABULARIES
    from tracereplay.result import load_run
    from tracereplay.studies.run_report import write_report

    try:
        one_of(names, VOCABULARIES)
    except ValueError as error:
        raise UsageError(f"report: --names: {error}") from None
    result = load_run(run)
    written = write_report(result, output, names=names, title=title, traces=traces, force=force)
    warn(written.warnings)
    if json:
        size = written.path.stat().st_size
        print_json({"report": str(written.path), "bytes": size, "warnings": list(written.warnings)})
    say(f"report written to {written.path}", quiet=quiet)
