"""``tracereplay synth``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter as Option

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, say_written
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    from tracereplay.catalog import Parameter


def synth(
    kind: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Option(name=["--output", "-o"])] = None,
    listed: Annotated[bool, Option(name="--list", negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Make a synthetic trace; the same parameters give the same bytes.

    `tracereplay synth --list` shows the generators, what each is for, and their parameters;
    `tracereplay synth zipf --list` shows one, and what its parameters mean.

    Parameters
    ----------
    kind
        A generator, with parameters as in zipf:pages=10k,alpha=0.9,seed=1.
    output
        Trace file to write.
    listed
        Show the generators, or one, and their parameters, with defaults and units.
    """
    if listed:
        return _list(kind, json=json)
    from tracereplay.files import check_target
    from tracereplay.trace import synth as home
    from tracereplay.trace.writer import write_trace

    if kind is None or output is None:
        raise UsageError("synth: expected a generator and -o FILE, as in: synth zipf:pages=10k -o t.parquet")
    check_target(output, force=force)
    metadata = write_trace(output, home.synth(kind), force=force)
    if json:
        print_json(metadata.to_dict())
    say_written(metadata, output, quiet=quiet)
    return None


def _list(kind: str | None, *, json: bool) -> None:
    """All generators, or the one called ``kind`` with what its parameters mean."""
    from tracereplay.trace import synth as home

    names = home.names() if kind is None else (kind.partition(":")[0],)
    try:
        home.get(names[0])
    except ValueError as error:
        raise UsageError(f"synth: {error}") from None
    if json:
        print_json([_for_programs(name) for name in names])
    else:
        print_text(_for_people(names, whole=kind is not None))


def _for_programs(name: str) -> dict[str, Any]:
    from tracereplay.trace import synth as home

    known = home.parameters(name)
    return {
        "generator": name,
        "makes": home.describe(name),
        "stresses": home.stresses(name),
        "parameters": {key: {"default": p.shown, "unit": p.kind.unit} for key, p in known.items()},
        "meaning": " ".join(home.explain(name)),
    }


def _for_people(names: Sequence[str], *, whole: bool) -> Any:
    """Some paragraphs on each, as wide as the terminal; those on its parameters only in the ``whole``."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from tracereplay.trace import synth as home

    lines: list[Any] = []
    for name in names:
        said = [home.describe(name), home.stresses(name), _parameters(home.parameters(name))]
        said += home.explain(name) if whole else []
        lines.append(Text(name, style="bold"))
        lines += [Padding(Text(text), (0, 0, 0, 2), expand=False) for text in said]
    return Group(*lines)


def _parameters(known: Mapping[str, Parameter]) -> str:
    """Each with its default, if it has one, and its unit; an ellipsis is something to fill in."""
    return ", ".join(f"{key}{p.shown and '='}{p.shown} ({p.kind.unit})" for key, p in known.items())
