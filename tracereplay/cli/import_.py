"""``tracereplay import``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, progress, say, say_written
from tracereplay.cli._formats import print_formats
from tracereplay.errors import UsageError

_ALWAYS_SAID = {"tool", "version", "files", "parameters", "skipped"}
"""What every import tells of its source; anything else is worth a line."""


def import_(
    *words: Annotated[str, Parameter(name="[format] source")],
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    page_size: str | None = None,
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
        Bytes of a page, where addresses are in bytes (default 4KiB).
    name
        Name of the VM; default: the file's.
    family
        Operating-system family of the VM, such as linux.
    listed
        Show the formats.
    """
    from tracereplay.problems import wrong
    from tracereplay.trace import formats
    from tracereplay.trace.convert import DETECT, import_trace
    from tracereplay.units import parse_size

    if listed:
        print_formats({name: formats.defaults(name) for name in formats.names()}, json)
        return
    kind, sources = _split(words)
    if not sources or output is None:
        raise UsageError("import: expected a source and -o FILE, as in: import lackey log.gz -o t.parquet")
    try:
        page_bytes = None if page_size is None else parse_size(page_size, page_size=1)
        if page_bytes == 0:
            raise wrong(page_size, "at least 1 byte")
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
    if json:
        print_json(metadata.to_dict())
    source = metadata.source or {}
    if kind == DETECT:
        say(f"read as {source['tool'].split()[-1]}", quiet=quiet)
    say_written(metadata, output, quiet=quiet)
    for why, count in source["skipped"].items():
        say(f"left out: {count:,} {why}", quiet=quiet)
    for what, fact in source.items():
        if what not in _ALWAYS_SAID:
            say("\n".join(_told(what, fact)), quiet=quiet)


def _told(what: str, fact: Any) -> list[str]:
    """A fact on a line, or on one for each thing that it lists."""
    match fact:
        case [{}, *_]:
            return [line for i, one in enumerate(fact, 1) for line in _told(f"{what} {i}", one)]
        case list():
            fact = "; ".join(map(_shown, fact))
        case dict():
            fact = "; ".join(f"{key} {_shown(value)}" for key, value in fact.items())
    return [f"{what}: {_shown(fact)}"]


def _shown(fact: Any) -> str:
    return f"{fact:,}" if type(fact) is int else str(fact)


def _split(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The format and the sources.

    The first word is the format where it names one, or is no file, and sources follow; alone, it is one
    where it names one and is no file.
    """
    from tracereplay.trace import formats
    from tracereplay.trace.convert import DETECT

    if not words:
        return DETECT, []
    first, *others = words
    named = first.partition(":")[0] in (DETECT, *formats.names())
    if (named and others) or ((named or others) and not Path(first).exists()):
        return first, others
    return DETECT, words
