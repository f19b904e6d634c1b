"""``tracereplay import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_catalog, print_json, progress, say
from tracereplay.errors import UsageError


def import_(
    words: Annotated[list[str] | None, Parameter(name="[format] source", negative="")] = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    page_size: str = "4KiB",
    name: str | None = None,
    family: str | None = None,
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Turn another tool's trace into a trace file.

    Text, binary, memory snapshots; .gz, .xz, .bz2, .zst and .zip are read as they are. Without a format it
    is told from the content. `tracereplay import --list` shows the formats, each with a sample.

    Parameters
    ----------
    words
        The format (with parameters, as in csv:page=lbn), or nothing to have it told; then files in order, a
        directory where the format is one, or - for standard input.
    output
        Trace file to write.
    page_size
        Bytes of a page, where addresses are in bytes.
    name
        Name of the VM; default: the file's.
    family
        Operating-system family of the VM, such as linux.
    listed
        Show the formats.
    """
    from tracereplay.trace import formats
    from tracereplay.trace.convert import DETECT, import_trace
    from tracereplay.units import parse_size

    if listed:
        rows = [
            {
                "format": f,
                "sample": formats.get(f).SAMPLE,
                "parameters": formats.defaults(f),
                "is": formats.describe(f),
            }
            for f in formats.names()
        ]
        print_catalog(rows, json)
        return

    words = words or []
    first = words[0].partition(":")[0] if words else ""
    named = first in formats.names() and not Path(words[0]).exists()
    kind, sources = (words[0], words[1:]) if named or len(words) > 1 else (DETECT, words)
    if not sources or output is None:
        raise UsageError("import: expected a source and -o FILE, as in: import lackey log.gz -o t.parquet")
    try:
        page_bytes = parse_size(page_size, page_size=1)
    except ValueError as error:
        raise UsageError(f"--page-size: {error}") from None
    with progress("import", quiet=quiet, unit="bytes") as update:
        metadata = import_trace(
            kind,
            sources,
            output,
            page_size=page_bytes,
            name=name,
            family=family,
            force=force,
            progress=update,
        )
    source = metadata.source or {}
    if json:
        print_json(metadata.to_dict())
    say(f"{metadata.rows:,} rows of {len(metadata.vms)} VM(s) written to {output}", quiet=quiet)
    for why, count in source.get("skipped", {}).items():
        say(f"left out: {count:,} {why}", quiet=quiet)
