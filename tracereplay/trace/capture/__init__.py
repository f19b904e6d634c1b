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
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tracereplay import __version__
from tracereplay.catalog import Catalog
from tracereplay.errors import CaptureError, UsageError
from tracereplay.files import check_target
from tracereplay.problems import shown
from tracereplay.trace.capture._interrupt import Interrupt
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
    faithful the recording is, for the trace's ``source`` metadata.
    """

    exit_code: int | None = None
    interrupted: bool = False
    time_unit: str = "accesses"
    page_space: str = "guest-virtual"
    reduction: dict[str, Any] | None = None
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Captured:
    """A finished recording: the metadata of the file, and how the program ended."""

    metadata: Metadata
    exit_code: int | None
    interrupted: bool


def capture(
    command: Sequence[str],
    target: str | os.PathLike[str],
    *,
    recorder: str = "lackey",
    name: str | None = None,
    family: str | None = "linux",
    force: bool = False,
    **parameters: Any,
) -> Captured:
    """Run ``command`` under a recorder and write what it accessed as a trace.

    ``recorder`` is a name, with parameters if wanted (``"lackey:exact_above=64"``; also as keywords).
    ``name`` is the VM's, the program's by default.  A program that fails or is interrupted leaves a valid
    trace of what it did until then; ``exit_code`` tells.  Ctrl-C and SIGTERM end the program and what it
    forked, not the recording; a second one raises KeyboardInterrupt, and no trace is left.

    CaptureError: the recorder cannot run here, or the program cannot be started.  OutputError: the target.
    UsageError: no such recorder, wrong parameters.
    """
    target = check_target(target, force=force)
    if not command or isinstance(command, str):
        found = "a text" if command else "no command"
        raise UsageError(f"capture: found {found}; expected a list: a program and its arguments")
    try:
        kind, given = _CATALOG.parse(recorder, parameters)
    except ValueError as error:
        raise UsageError(f"capture: {error}") from None
    module = get(kind)
    module.probe()
    program_path(command[0])
    outcome = Outcome()

    def said() -> MetadataFields:
        return {
            "time_unit": outcome.time_unit,
            "page_space": outcome.page_space,
            "vms": [{"name": name or os.path.basename(command[0]), "family": family}],
            "reduction": outcome.reduction,
            "source": {
                "tool": f"tracereplay capture, {kind}",
                "version": __version__,
                "command": list(command),
                "parameters": given,
                "host": _host(),
                "exit_code": outcome.exit_code,
                "interrupted": outcome.interrupted,
                **outcome.said,
            },
        }

    with Interrupt() as interrupt, closing(module.record(command, outcome, interrupt, **given)) as rows:
        metadata = write_recorded(target, rows, said, force=force)
    return Captured(metadata, outcome.exit_code, outcome.interrupted)


def program_path(program: str) -> str:
    """Where a program is; CaptureError if there is none of that name."""
    path = shutil.which(program)
    if path is None:
        raise CaptureError(f"found no program {shown(program)}; expected one on the PATH, or its path")
    return path


def _host() -> dict[str, Any]:
    """Facts of this machine that a reader of the trace may want."""
    found = os.uname()
    return {"system": f"{found.sysname} {found.release}", "machine": found.machine, "cpus": os.cpu_count()}
