"""The command line: one file per verb; parsing and printing only.

A verb's file and its function carry the verb's name (``import_`` where Python has a word of that name);
it is imported when the verb is used, so that ``--help`` stays fast, which is also why the one-line
summaries stand here.
"""

from __future__ import annotations

import contextlib
import keyword
import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from tracereplay import __version__
from tracereplay.errors import TraceReplayError, UsageError

GROUPS = {
    "Replay": {
        "demo": "Replay the bundled captures three ways and compare: the first five minutes.",
        "replay": "Replay a scenario, or traces with settings, and say what it cost.",
        "plot": "Draw a figure of a run.",
        "report": "Make one offline HTML file of a run.",
        "compare": "Say what differs between runs, and by how much.",
        "rerun": "Run a saved run once more, and say whether it comes out the same.",
    },
    "Get a trace": {
        "capture": "Record the memory of a real program, page contents included.",
        "import": "Turn another tool's trace into a trace file.",
        "synth": "Make a synthetic trace.",
    },
    "Work with traces": {
        "info": "Say what a trace or a run directory holds, and whether it is sound.",
        "check": "Say what is to be known of a trace before its numbers are believed.",
        "heatmap": "Show where and when a VM touches its memory.",
        "merge": "Put the VMs of several traces onto one clock, as one trace.",
        "slice": "Cut a window of time or rows, or some VMs, out of a trace.",
        "sample": "Keep a part of a trace that stands for the whole.",
        "reduce": "Leave out the accesses that no memory of so many pages or more could miss.",
        "export": "Write a trace in another tool's format.",
        "compat": "Print what another simulator prints, so that the two can be compared.",
    },
    "Analyse a trace": {
        "stat": "Say how a trace reuses its pages: mix, working sets, idle memory, popularity, phases.",
        "mrc": "Say what a memory of each size would miss, under one policy or several.",
        "dedup": "Say what VMs miss where memory holds each content once, and what they need.",
        "surface": "Say what guest and host read and write at every size of both, exactly, LRU in both.",
        "partition": "Split a host's memory between VMs so that they miss least.",
    },
    "Reference": {
        "policies": "List the replacement policies and their parameters.",
        "schema": "Print the JSON schema of a scenario.",
        "bench": "Measure replay speed on this machine, alone or beside another simulator.",
    },
}
"""Verbs and what they do, as the help groups them."""
VERBS = {verb: summary for verbs in GROUPS.values() for verb, summary in verbs.items()}

EXIT_INTERRUPTED = 130
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; intended errors print one message, no traceback."""
    from cyclopts import App, CycloptsError, Group

    words = sys.argv[1:] if arguments is None else list(arguments)
    app = App(
        name="tracereplay",
        help="Replay page-access traces through guest paging, hypervisor paging, balloons and page sharing.",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    options = Group("Options", sort_key=len(GROUPS))
    for flag in ("--help", "--version"):
        app[flag].group = options
    for place, (title, verbs) in enumerate(GROUPS.items()):
        group = Group(title, sort_key=place)
        for number, (verb, summary) in enumerate(verbs.items()):
            file = f"{verb}_" if keyword.iskeyword(verb) else verb
            target = f"tracereplay.cli.{file}:{file}"
            # a verb's own help is its whole docstring, which is read only where it is asked for
            said = None if verb in words[:1] else summary
            app.command(target, name=verb, help=said, group=group, sort_key=number)
    try:
        code = app(_with_standard_input(words), exit_on_error=False)
        if sys.stdout is not None:  # as where it was closed
            sys.stdout.flush()
        return int(code or 0)
    except CycloptsError:
        return EXIT_USAGE  # cyclopts has printed what was wrong
    except TraceReplayError as error:
        print(f"tracereplay: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tracereplay: interrupted; nothing half-written is left", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has had enough; keep Python from complaining about it at exit
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"tracereplay: {where}{error.strerror or error}", file=sys.stderr)
        return TraceReplayError.exit_code
    except MemoryError as error:
        print(f"tracereplay: out of memory: {error}; simulate fewer pages", file=sys.stderr)
        return TraceReplayError.exit_code


def _with_standard_input(words: list[str]) -> list[str]:
    """``words`` with a lone ``-`` by name, as cyclopts takes it for an option; after ``--`` none is ours.

    UsageError where it stands for an output.
    """
    ours = words.index("--") if "--" in words else len(words)
    for option, word in pairwise(words[:ours]):
        if option in ("--output", "-o") and word == "-":
            raise UsageError(f"{option}: found -; expected the name of a file, not standard output")
    return ["/dev/stdin" if word == "-" else word for word in words[:ours]] + words[ours:]
