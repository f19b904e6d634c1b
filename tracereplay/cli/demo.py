"""``tracereplay demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn


def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("runs/demo"),
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Replay four real programs as four VMs on a host with too little memory, three ways, and compare.

    The hypervisor pages alone; balloons let the guests choose; balloons and page sharing together.

    Parameters
    ----------
    output
        Directory for the three run directories, each with a report.
    """
    from tracereplay.report.table import comparison_table
    from tracereplay.run_directory import check_target
    from tracereplay.studies.demo import PROGRAMS, ROWS, WAYS, run_demo, verdict

    targets = {name: output / name.replace(" + ", "-and-").replace(" ", "-") for name in WAYS}
    for target in targets.values():
        check_target(target, force=force)
    say(
        f"Replaying {', '.join(PROGRAMS)} as four VMs; the first time, each way compiles its kernels.",
        quiet=quiet,
    )
    results = run_demo(lambda name: progress(name, quiet=quiet))
    for result in results.values():
        warn(result.warnings)
    for name, result in results.items():
        result.save(targets[name], force=force)
        result.report(targets[name] / "report.html", title=f"Demonstration: {name}")
    if json:
        print_json({name: result.summary() for name, result in results.items()})
    else:
        print_text(comparison_table(results, ROWS))
        print_text("\n" + verdict(results))
    first = targets["host paging"]
    say(f"\nrun directories: {', '.join(map(str, targets.values()))}", quiet=quiet)
    say(f"each has a report; open {first / 'report.html'} in a browser", quiet=quiet)
