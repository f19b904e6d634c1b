"""Recorders of real programs, one file each.

A recorder is a module with a docstring whose first line says what it sees and at what cost, and

- ``probe()``: raises CaptureError when this machine cannot run it, saying what is missing and what to
  install;
- ``record(command, outcome, interrupt, *, …)``: runs the program and yields record batches (``time``,
  ``page``, ``op``, ``content``) in order while it runs; what is to be said of the recording it writes into
  ``outcome``.  When ``interrupt.asked``, it ends the program, not the recording: what was seen until then is
  yielded as ever.  Keyword-only arguments are the recorder's parameters.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tracereplay import __version__
from tracereplay.catalog import Catalog
from tracereplay.errors import CaptureError, UsageError
from tracereplay.files import check_target
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.ids import Ids
from tracereplay.trace.schema import Metadata
from tracereplay.trace.writer import MetadataFields, write_recorded

_CATALOG = Catalog(__name__, "recorder", "record")

names = _CATALOG.names
get = _CATALOG.get
describe = _CATALOG.describe
defaults = _CATALOG.defaults


@dataclass
class Outcome:
    """What became of a recording; the recorder fills it, once the program has ended at the latest.

    ``exit_code`` is the program's (negative: minus the signal that ended it); ``said`` are facts on how
    faithful the recording is, for the trace's ``source`` metadata.  ``seen`` counts, while it runs, what was
    recorded: accesses, or rows where a recorder sees no accesses.  What is missing: ``started_others`` tells
    of processes that the program started, ``replaced`` of a program that it became by exec.
    """

    exit_code: int | None = None
    interrupted: bool = False
    seen: int = 0
    started_others: bool = False
    replaced: bool = False
    time_unit: str = "accesses"
    page_space: str = "guest-virtual"
    reduction: dict[str, Any] | None = None
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Captured:
    """A finished recording: the metadata of the file, how the program ended, and what the trace lacks."""

    metadata: Metadata
    exit_code: int | None
    interrupted: bool
    warnings: tuple[str, ...] = ()


def capture(
    command: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    recorder: str = "lackey",
    name: str | None = None,
    family: str | None = "linux",
    force: bool = False,
    progress: Progress | None = None,
    **parameters: Any,
) -> Captured:
    """Run ``command`` under a recorder and write what it accessed as a trace.

    ``recorder`` is a name, with parameters if wanted (``"lackey:exact_above=64"``; also as keywords).
    ``name`` is the VM's, the program's by default.  A program that fails or is interrupted leaves a valid
    trace of what it did until then; ``exit_code`` tells.  Ctrl-C and SIGTERM end the program and what it
    forked, not the recording; a second one raises KeyboardInterrupt, and no trace is left.  ``progress``
    hears of accesses, or of rows where a recorder sees none, and never how many there will be.

    CaptureError: the recorder cannot run here, or the program cannot be started.  OutputError: the target.
    UsageError: no such recorder, wrong parameters, no command.
    """
    target = check_target(target, force=force)
    words = _words(command)
    try:
        kind, given = _CATALOG.parse(recorder, parameters)
    except ValueError as error:
        raise UsageError(f"capture: {error}") from None
    module = get(kind)
    module.probe()
    program_path(words[0])
    vms = [{"name": name or os.path.basename(words[0]), "family": family}]
    Metadata.from_fields({"vms": vms}, target)  # what is wrong with them is not to be found out at the end
    Ids().encode(np.zeros(1, np.uint64))  # loads compiled code, for which the program would have to wait
    outcome = Outcome()

    def said() -> MetadataFields:
        return {
            "time_unit": outcome.time_unit,
            "page_space": outcome.page_space,
            "vms": vms,
            "reduction": outcome.reduction,
            "source": {
                "tool": f"tracereplay capture, {kind}",
                "version": __version__,
                "command": words,
                "parameters": given,
                **_facts(outcome),
            },
        }

    with Interrupt() as interrupt, closing(module.record(words, outcome, interrupt, **given)) as rows:
        metadata = write_recorded(target, _heard_of(rows, outcome, progress), said, force=force)
    return Captured(metadata, outcome.exit_code, outcome.interrupted, _warnings(words[0], outcome))


def program_path(program: str) -> str:
    """Where a program is; CaptureError if there is none of that name."""
    path = shutil.which(program)
    if path is not None:
        return path
    found, expected = f"no program {shown(program)}", "one on the PATH, or its path"
    here = os.path.isfile(program)
    if here and os.path.dirname(program):
        raise CaptureError(
            f"found {shown(program)}, which may not be executed; expected a program (chmod +x makes it one)"
        )
    raise CaptureError(problem(found, expected, f"./{program}" if here else None))


def _words(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    """A program and its arguments as texts."""
    if not command or isinstance(command, str | bytes):
        found = "a text" if command else "no command"
        raise UsageError(f"capture: found {found}; expected a list: a program and its arguments")
    words = []
    for word in command:
        if not isinstance(word, str | bytes | os.PathLike):
            raise UsageError(f"capture: found {shown(word)} in the command; expected texts and paths")
        words.append(os.fsdecode(word))
        if "\0" in words[-1]:
            raise UsageError(f"capture: found {shown(words[-1])} in the command; expected no zero bytes")
    return words


def _heard_of(
    rows: Iterator[pa.RecordBatch], outcome: Outcome, progress: Progress | None
) -> Iterator[pa.RecordBatch]:
    """``rows``; ``progress`` hears of each batch."""
    for batch in rows:
        if progress is not None:
            progress(outcome.seen, 0)
        yield batch


def _facts(outcome: Outcome) -> dict[str, Any]:
    """Where it ran, how it ended, and what a reader of the trace should know of what is not in it."""
    found = {
        "host": _host(),
        "exit_code": outcome.exit_code,
        "interrupted": outcome.interrupted,
        "children": "not followed; the program started some" if outcome.started_others else "none seen",
    }
    if outcome.replaced:
        found["ended_early"] = "the program replaced itself by exec; what followed was not recorded"
    return found | outcome.said


def _warnings(program: str, outcome: Outcome) -> tuple[str, ...]:
    """What is not in the trace, for whoever recorded it."""
    found = []
    if outcome.started_others:
        found.append(
            f"{program} started other processes, which are not in the trace; record their commands themselves"
        )
    if outcome.replaced:
        found.append(
            f"{program} became another program by exec, which is not in the trace; record that one itself"
        )
    return tuple(found)


def _host() -> dict[str, Any]:
    """Facts of this machine that a reader of the trace may want."""
    found = os.uname()
    return {"system": f"{found.sysname} {found.release}", "machine": found.machine, "cpus": os.cpu_count()}
