"""``tracereplay slice``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say_written
from tracereplay.errors import UsageError


def slice(
    source: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    time: str | None = None,
    rows: str | None = None,
    vms: str | None = None,
    rebase: bool = True,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Cut a window of time or rows, or some VMs, out of a trace.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    output
        Trace file to write.
    time
        FROM:TO in the trace's time, as in 10s:60s or 1M:; TO is not in it.
    rows
        FROM:TO in row numbers, as in 0:100k; TO is not in it.
    vms
        Names or indices, as in web,1; they become 0, 1, … in this order.
    rebase
        Count times from where the window begins.
    """
    from tracereplay.files import check_target
    from tracereplay.trace.slice import slice_trace
    from tracereplay.trace.writer import write_trace

    if output is None:
        raise UsageError("slice: expected -o FILE, as in: slice t.parquet --time 10s:60s -o part.parquet")
    check_target(output, force=force)
    names = None if vms is None else [vm.strip() for vm in vms.split(",")]
    part = slice_trace(source, time=time, rows=rows, vms=names, rebase=rebase)
    metadata = write_trace(output, part, force=force)
    if json:
        print_json(metadata.to_dict())
    say_written(metadata, output, quiet=quiet)
