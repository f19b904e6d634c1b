"""``tracereplay compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, say
from tracereplay.errors import CheckError, UsageError

if TYPE_CHECKING:
    from tracereplay.result import Result


def compare(
    runs: Annotated[list[str], Parameter(name="run", negative="")],
    /,
    *,
    fail_if: Annotated[list[str] | None, Parameter(name="--fail-if", negative="")] = None,
    vms: Annotated[bool, Parameter(negative="")] = False,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what differs between runs, and by how much, against the first one.

    Runs that differ in nothing but the seed are one: means, and the 95 % interval of the change.

    Parameters
    ----------
    runs
        Run directories; the first is the base.
    fail_if
        Condition that ends with exit code 1, for CI: 'host_major_faults>+5%', 'reclaimed<-100' (a change), or
        'double_faults>1000' (a value). May be given several times.
    vms
        Show each VM, not only all together.
    output
        HTML file to write as well.
    """
    from tracereplay.report.differences import differences_table, write_page
    from tracereplay.studies.compare import ALL_VMS, broken, parse_limit
    from tracereplay.studies.compare import compare as differences

    if len(runs) < 2:
        raise UsageError("compare: found one run; expected at least two run directories")
    limits = [parse_limit(text) for text in fail_if or []]
    table = differences(_loaded(runs))
    if output is not None:
        write_page(table, output, base=runs[0], force=force)
    if json:
        print_json(table.astype(object).where(table.notna(), None).to_dict(orient="records"))
    else:
        print_text(differences_table(table if vms else table[table["vm"] == ALL_VMS], base=runs[0]))
    if output is not None:
        say(f"comparison written to {output}", quiet=quiet)
    if found := broken(table, limits):
        raise CheckError("\n".join(found))


def _loaded(names: list[str]) -> dict[str, Result]:
    from tracereplay.result import load_run

    if len(set(names)) < len(names):
        raise UsageError("compare: found the same run twice; expected different run directories")
    return {name: load_run(name) for name in names}
