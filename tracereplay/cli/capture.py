"""``tracereplay capture``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli import EXIT_INTERRUPTED
from tracereplay.cli._console import Force, Json, Quiet, print_catalog, print_json, say, warn
from tracereplay.errors import CaptureError, UsageError

if TYPE_CHECKING:
    from tracereplay.trace.capture import Captured

EXIT_FAILED = 1


def capture(
    command: Annotated[list[str] | None, Parameter(name="command", negative="")] = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    writes: Annotated[bool, Parameter(negative="")] = False,
    qemu: Annotated[bool, Parameter(negative="")] = False,
    interval: str | None = None,
    exact_above: str | None = None,
    name: str | None = None,
    family: str = "linux",
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Record the memory of a real program, page contents included.

    The program runs as ever, on this terminal: `tracereplay capture -o t.parquet -- sort file`. Ctrl-C and
    SIGTERM end it and what it forked, and keep what was recorded (exit code 130). Without a flag Valgrind
    records every access; `tracereplay capture --list` shows the recorders and which can run here. Several
    captures, merged, are VMs on one host.

    Parameters
    ----------
    command
        The program and its arguments; put -- before them.
    output
        Trace file to write.
    writes
        Record only which pages are written, and their contents, at native speed.
    qemu
        Record under QEMU's emulation.
    interval
        From one look at the contents to the next: accesses such as 1M, with --writes a time such as 10ms.
    exact_above
        Leave out accesses that no LRU memory of so many pages or more could miss.
    name
        Name of the VM; default: the program's.
    family
        Operating-system family of the VM.
    listed
        Show the recorders.
    """
    from tracereplay.trace import capture as home

    if listed:
        print_catalog([_recorder(r) for r in home.names()], json)
        return 0
    if not command or output is None:
        raise UsageError("capture: expected -o FILE and a command, as in: capture -o t.parquet -- sort file")
    if writes and qemu:
        raise UsageError("capture: found --writes and --qemu; expected one of them")
    if sys.stderr.isatty() and not (writes or qemu):
        say("every access is recorded, thousands of times slower; Ctrl-C keeps what there is", quiet=quiet)
    given = {"interval": interval, "exact_above": exact_above}
    found = home.capture(
        command,
        output,
        recorder="writes" if writes else "qemu" if qemu else "lackey",
        name=name,
        family=family,
        force=force,
        **{key: value for key, value in given.items() if value is not None},
    )
    if json:
        print_json(found.metadata.to_dict())
    return _told(found, command[0], output, quiet)


def _recorder(name: str) -> dict[str, Any]:
    """A recorder as a row of the list."""
    from tracereplay.trace import capture as home

    try:
        home.get(name).probe()
        here = "yes"
    except CaptureError as missing:
        here = f"no: {missing}"
    return {
        "recorder": name,
        "sees": home.describe(name),
        "parameters": home.defaults(name),
        "runs here": here,
    }


def _told(found: Captured, program: str, output: Path, quiet: bool) -> int:
    """Say what was recorded and how the program ended; the exit code for it."""
    rows = f"{found.metadata.rows:,} rows"
    if found.interrupted:
        warn([f"interrupted: the {rows} recorded until then are kept in {output}"])
        return EXIT_INTERRUPTED
    if found.exit_code:
        how = f"exit code {found.exit_code}"
        if found.exit_code < 0:
            how = f"killed by {_name_of_signal(-found.exit_code)}"
        warn([f"{program} failed ({how}); the {rows} recorded until then are kept in {output}"])
        return EXIT_FAILED
    say(f"{rows} of {program} written to {output}", quiet=quiet)
    return 0


def _name_of_signal(number: int) -> str:
    """As signal.h has it; most real-time signals have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
