"""``tracereplay export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say
from tracereplay.cli._formats import print_formats
from tracereplay.errors import UsageError
from tracereplay.problems import shown

_NAMES = 8
"""So many names of VMs are listed."""


def export(
    format: str | None = None,
    source: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    vm: int | None = None,
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write a trace in another tool's format, so that other simulators can check this one.

    Parameters
    ----------
    format
        The format, with parameters as in csv:delimiter=;.
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    output
        File to write.
    vm
        Index of the VM, for formats that have none; not needed where the trace has one.
    listed
        Show the formats.
    """
    from tracereplay.trace import formats
    from tracereplay.trace.convert import export_trace

    if listed:
        print_formats({name: formats.defaults_for_writing(name) for name in formats.writable()}, json)
        return
    if format is None or source is None or output is None:
        raise UsageError(
            "export: expected a format, a trace and -o FILE, as in: export memsim t.parquet -o t.txt"
        )
    found = export_trace(format, source, output, vm=vm, force=force)
    if json:
        print_json(found)
    say(f"{found['rows']:,} rows written to {output}", quiet=quiet)
    if found["frees_left_out"]:
        say(f"left out: {found['frees_left_out']:,} FREE rows, which this format has not", quiet=quiet)
    if found["fetches_as_reads"]:
        say(f"written as reads: {found['fetches_as_reads']:,} instruction fetches", quiet=quiet)
    for what, count in found["changed"].items():
        say(f"changed: {count:,} {what}", quiet=quiet)
    if found["columns_left_out"]:
        say(f"left out: {', '.join(found['columns_left_out'])}, which this format cannot say", quiet=quiet)
    for key, value in found["metadata_left_out"].items():
        say(f"left out: {_told(key, value)}", quiet=quiet)


def _told(key: str, value: Any) -> str:
    """What of the metadata was left out, and what follows from it."""
    match key:
        case "vms":
            names = [shown(vm["name"]) + f" ({vm['family']})" * bool(vm["family"]) for vm in value]
            return f"names of VMs: {', '.join(names[:_NAMES])}{', …' * (len(names) > _NAMES)}"
        case "exact_above":
            return (
                f"{key} {value}: nothing in the file says that memories below {value} pages fault too rarely"
            )
        case "sample":
            return f"{key}: nothing in the file says that it holds {value['rate']:.3g} of the {value['by']}"
        case "page_space":
            return f"{key} {value}, which no import can be told"
    return f"{key} {value}, which an import must be told"
