"""``tracereplay compare``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, records, say, warn
from tracereplay.errors import CheckError, UsageError

if TYPE_CHECKING:
    from tracereplay.result import Result


def compare(
    runs: Annotated[list[str], Parameter(name="run", negative="")],
    /,
    *,
    fail_if: Annotated[list[str] | None, Parameter(name="--fail-if", negative="")] = None,
    vms: Annotated[bool, Parameter(name="--vms", negative="")] = False,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what differs between runs, and by how much, against the first one.

    Parameters
    ----------
    runs
        Run directories; the first is the base. Runs that differ in nothing but the seed count as one: their
        means, and the 95 % interval of the change, which two seeds make wide and five useful.
    fail_if
        Condition under which the exit code is 1, for CI. A signed number is a change from the base, in per
        cent ('host_major_faults>+5%') or not ('reclaimed<-100'); from a base of 0 any change is beyond every
        percentage. A number without a sign is the value itself ('double_faults>1000'). It is about all VMs
        together, or a VM ('vm.web.host_major_faults>+5%'), or each ('vm.*.host_major_faults>+5%'); over
        several seeds about the means. Operators: > < >= <=. May be given several times; any that holds for
        any run fails.
    vms
        Show each VM as well.
    output
        HTML file to write as well.
    """
    from tracereplay.report.differences import differences_table, write_page
    from tracereplay.report.names import ALL_VMS
    from tracereplay.studies.compare import broken, parse_limit, settings, unmatched
    from tracereplay.studies.compare import compare as differences

    limits = [parse_limit(text) for text in fail_if or []]
    loaded = _loaded(runs)
    table, said = differences(loaded), settings(loaded)
    found = broken(table, limits)
    warn(unmatched(loaded))
    if output is not None:
        write_page(table, said, output, force=force)
    if json:
        print_json(records(table))
    else:
        print_text(differences_table(table if vms else table[table["vm"] == ALL_VMS], said))
    if output is not None:
        say(f"comparison written to {output}", quiet=quiet)
    if found:
        raise CheckError("\n".join(found))


def _loaded(names: list[str]) -> dict[str, Result]:
    from tracereplay.result import load_run

    if len(names) < 2:
        raise UsageError("compare: found one run; expected at least two run directories")
    if len({os.path.realpath(name) for name in names}) < len(names):
        raise UsageError("compare: found the same run twice; expected different run directories")
    return {name: load_run(name) for name in names}
