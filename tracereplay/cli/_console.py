"""What every verb shares: data to standard output, talk and progress to standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    import pandas as pd

    from tracereplay.trace import Metadata

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
Quiet = Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", help="No progress and no talk.")]
Force = Annotated[bool, Parameter(name="--force", negative="", help="Overwrite an existing output.")]

LEAST_WIDTH = 80
_SECONDS_BETWEEN_LINES = 5.0


def print_json(data: Any) -> None:
    """Print data for programs."""
    print(json.dumps(data, indent=1, ensure_ascii=False))


def records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """A dict per row, for JSON; None for what is not known."""
    return table.astype(object).where(table.notna(), None).to_dict(orient="records")


def print_text(renderable: Any, *, wrap: bool = True) -> None:
    """Print a text or a rich renderable for people, as wide as the terminal, or as wide as it is.

    Tables fit into LEAST_WIDTH columns: a narrower terminal folds their lines, which loses no digit.
    """
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # rich would leave with code 1, which means another thing here

    console = Plain(highlight=False, markup=False)
    console.width = max(console.width, LEAST_WIDTH)
    console.print(renderable, soft_wrap=not wrap)


def say(text: str, *, quiet: bool = False) -> None:
    """Talk to the person at the terminal."""
    if not quiet:
        print(text, file=sys.stderr)


def say_written(metadata: Metadata, output: Path, *, quiet: bool = False) -> None:
    """Say what a trace that was written holds."""
    vms = len(metadata.vms)
    say(f"{metadata.rows:,} rows of {vms} VM{'s' * (vms != 1)} written to {output}", quiet=quiet)


def warn(warnings: list[str] | tuple[str, ...]) -> None:
    """Warnings are said even when quiet: they change what the numbers mean."""
    for text in warnings:
        print(f"warning: {text}", file=sys.stderr)


def print_catalog(rows: Sequence[Mapping[str, Any]], json: bool) -> None:
    """Print what there is of a kind: a column per key, the first one the name; dicts as parameters."""
    if json:
        return print_json(rows)
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in rows[0]:
        table.add_column(title)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return print_text(table)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={default}" for key, default in value.items())
    return str(value) or "-"


@contextlib.contextmanager
def progress(
    what: str, *, quiet: bool = False, unit: str = "rows", shared: bool = False
) -> Iterator[Callable[[int, int], None] | None]:
    """A callback (done, total): a bar on a terminal, a line every few seconds elsewhere, None when quiet.

    On a terminal that is ``shared`` with a program there are lines as well, as a bar would garble what it
    writes, and none while it takes keys one by one, as an editor does.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty() and not shared:
        with _bar(what) as update:
            yield update
    else:
        yield _lines(what, unit, shared)


@contextlib.contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _lines(what: str, unit: str, shared: bool) -> Callable[[int, int], None]:
    said = [time.monotonic()]

    def update(done: int, total: int) -> None:
        now = time.monotonic()
        if now - said[0] >= _SECONDS_BETWEEN_LINES and not (shared and _keys_go_to_a_program()):
            said[0] = now
            of = f" of {total:,}" if total else ""
            say(f"{what}: {done:,}{of} {unit}")

    return update


def _keys_go_to_a_program() -> bool:
    """Whether standard error is a terminal in which a program reads keys one by one, and draws."""
    import termios

    try:
        return not termios.tcgetattr(2)[3] & termios.ICANON
    except termios.error:
        return False
