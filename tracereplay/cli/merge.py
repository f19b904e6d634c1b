"""``tracereplay merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say_written
from tracereplay.errors import UsageError


def merge(
    *sources: str,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    starts: str = "",
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Put the VMs of several traces onto one clock, as one trace.

    Parameters
    ----------
    sources
        Traces; one of them may be named twice.
    output
        Trace file to write.
    starts
        When each of them starts, as in 0,10s,10s; default: all at once.
    """
    from tracereplay.files import check_target
    from tracereplay.trace.merge import merge as merged
    from tracereplay.trace.writer import write_trace

    if not sources or output is None:
        raise UsageError(
            "merge: expected traces and -o FILE, as in: merge a.parquet b.parquet -o both.parquet"
        )
    check_target(output, force=force)
    shifts = [start.strip() for start in starts.split(",")] if starts else []
    metadata = write_trace(output, merged(sources, starts=shifts), force=force)
    if json:
        print_json(metadata.to_dict())
    say_written(metadata, output, quiet=quiet)
