"""``tracereplay capture``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli import EXIT_INTERRUPTED
from tracereplay.cli._console import Force, Json, Quiet, print_catalog, print_json, progress, say, warn
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
    captures, merged, are VMs on one host. Processes that the program starts are not recorded.

    Parameters
    ----------
    command
        The program and its arguments; put -- before them: capture -o t.parquet -- sort file
    output
        Trace file to write.
    writes
        Record only which pages are written, and their contents, at native speed.
    qemu
        Record under QEMU's emulation: a program, or, where the command is qemu-system-x86_64, a whole guest.
    interval
        From one look at the contents to the next: accesses (default 1M), with --writes a time (default 10ms).
    exact_above
        Leave out accesses that no LRU memory of so many pages or more could miss; default with --qemu: 64.
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
    recorder = _chosen(writes, qemu, exact_above)
    if sys.stderr.isatty() and recorder == "lackey":
        say("every access is recorded, thousands of times slower; Ctrl-C keeps what there is", quiet=quiet)
    given = {"interval": interval, "exact_above": exact_above}
    with progress("capture", quiet=quiet, unit="rows" if writes else "accesses", shared=True) as update:
        found = home.capture(
            command,
            output,
            recorder=recorder,
            name=name,
            family=family,
            force=force,
            progress=update,
            **{key: value for key, value in given.items() if value is not None},
        )
    if json:
        print_json(found.metadata.to_dict())
    return _told(found, command[0], output, quiet)


def _chosen(writes: bool, qemu: bool, exact_above: str | None) -> str:
    """The recorder that the flags name; UsageError for flags that exclude each other."""
    if writes and (qemu or exact_above is not None):
        other = "--qemu" if qemu else "--exact-above"
        raise UsageError(f"capture: found --writes and {other}; expected one of them")
    return "writes" if writes else "qemu" if qemu else "lackey"


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
    """Say what was recorded, what was not, and how the program ended; the exit code for it."""
    warn(found.warnings)
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
