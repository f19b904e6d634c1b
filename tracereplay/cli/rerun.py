"""``tracereplay rerun``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn
from tracereplay.errors import CheckError


def rerun(
    run: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Run a saved run once more, and say whether it comes out the same, byte for byte; exit code 1 if not.

    Parameters
    ----------
    run
        A run directory; the traces that it read must be where they were, unchanged.
    output
        Run directory to write what came out this time.
    """
    from tracereplay.run_directory import STABLE, check_target
    from tracereplay.studies.reproduction import reproduce

    if output is not None:
        check_target(output, force=force)
    with progress("rerun", quiet=quiet) as update:
        result, differences = reproduce(run, progress=update)
    warn(result.warnings)
    if output is not None:
        say(f"run written to {result.save(output, force=force)}", quiet=quiet)
    if json:
        print_json({"run": run, "reproduced": not differences, "differences": list(differences)})
    elif not differences:
        print_text(f"{run}: reproduced, byte for byte: {', '.join(STABLE)}")
    if differences:
        raise CheckError("\n".join([f"{run}: not reproduced", *differences]))
