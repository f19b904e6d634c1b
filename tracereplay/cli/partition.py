"""``tracereplay partition``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn
from tracereplay.errors import UsageError


def partition(
    sources: Annotated[list[str], Parameter(name="trace", negative="")],
    /,
    *,
    memory: Annotated[str | None, Parameter(name=["--memory", "-m"])] = None,
    policy: str = "lru",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    jobs: int = 1,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Split a host's memory between VMs so that they miss least.

    Each VM keeps its part throughout: the best that static balloons can do, which balloon controllers can be
    measured against.

    Parameters
    ----------
    sources
        Traces (Parquet files, directories of part files, URIs), each of one VM or more.
    memory
        Memory to split: 256MiB, pages, or a percentage of all footprints together.
    policy
        Replacement policy of the VMs: lru, clock, or another of `tracereplay policies`.
    output
        Table to write: .parquet or .csv.
    jobs
        Threads; they change no number.
    """
    from tracereplay.analysis.partition import partition as best
    from tracereplay.report import partition as report
    from tracereplay.report import table_file

    if memory is None:
        raise UsageError("partition: expected --memory, as in: partition a.parquet b.parquet --memory 75%")
    if output is not None:
        table_file.check_target(output, force=force)
    with progress("partition", quiet=quiet) as update:
        table = best(sources, memory, policy=policy, jobs=jobs, progress=update)
    warn(table.attrs["warnings"])
    if output is not None:
        table_file.save(table, output)
        say(f"table written to {output}", quiet=quiet)
    if json:
        print_json({**table.attrs, "vms": table.to_dict(orient="records")})
    else:
        print_text(report.terminal(table))
