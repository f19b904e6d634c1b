"""``tracereplay plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_catalog, print_json, say, warn
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    from tracereplay.result import Result


def plot(
    run: Path | None = None,
    kind: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Annotated[Json, Parameter(help="Print the table behind the figure as JSON.")] = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw a figure of a run.

    Parameters
    ----------
    run
        Run directory.
    kind
        The figure, such as faults.
    output
        File to write; its ending says as what: .svg, .png or .pdf.
    listed
        Show the figures; with a run, which of them it has.
    """
    from tracereplay.result import load_run

    result = None if run is None else load_run(run)
    if listed:
        print_catalog(_listed(result), json)
        return
    if result is None or kind is None or (output is None and not json):
        raise UsageError(
            "plot: expected a run, a figure and -o FILE, as in: plot runs/x faults -o faults.svg"
        )
    _draw(result, kind, output, json=json, force=force, quiet=quiet)


def _listed(result: Result | None) -> list[dict[str, Any]]:
    """The figures; of a run, whether it has them, as far as that can be told without its traces."""
    from tracereplay.report import figures

    rows = [{"figure": name, "shows": figures.title(name)} for name in figures.names()]
    if result is None:
        return rows
    return [{**row, "in this run": _has(result, row["figure"])} for row in rows]


def _has(result: Result, kind: str) -> str:
    from tracereplay.report import figures

    if figures.needs(kind):
        return "reads traces"
    return "no" if figures.data(kind, result) is None else "yes"


def _draw(result: Result, kind: str, output: Path | None, *, json: bool, force: bool, quiet: bool) -> None:
    from tracereplay.problems import one_of
    from tracereplay.report import figures, style
    from tracereplay.studies.run_traces import figure_data

    try:
        one_of(kind, figures.names())
    except ValueError as error:
        raise UsageError(f"plot: {error}") from None
    if output is not None:
        style.check_target(output, force=force)
    data = figure_data(result, kind)
    if json:
        print_json(figures.records(data))
    if output is not None:
        warn(style.save(figures.draw(kind, data), output))
    say(figures.caption(kind, data), quiet=quiet)
    if quiet:
        warn(data.attrs.get("warnings", ()))
