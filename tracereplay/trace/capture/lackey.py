"""Every load, store and fetch of a program, with page contents (Valgrind lackey; thousands of times slower).

The program runs unchanged under ``valgrind --tool=lackey --trace-mem=yes``, which writes a line an access
into a pipe.  ``time`` is the number of the access.  What the kernel writes into buffers of the program
(``read`` and the like) is told by Valgrind's lines of system calls and stands in the trace as well.

At intervals the program is stopped (ptrace) and the pages that it touched are hashed.  **A row's content is
its page's at the end of the row's interval**, for rows before the page's first write in it that of the
interval before; null where neither is known.  The last interval ends when
the program exits, with its memory still there.

Not seen: children that the program forks, and what it becomes by exec.  Threads are seen in the order in
which Valgrind ran them, one at a time.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from tracereplay.catalog import Accesses, Pages
from tracereplay.errors import CaptureError
from tracereplay.trace.capture import Outcome
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.capture._intervals import CONTENT, Everything, Intervals, at_least_one
from tracereplay.trace.capture._log import Log
from tracereplay.trace.capture._program import Program
from tracereplay.trace.reduce import Reduction

_OPTIONS = (
    "-q",
    "--tool=lackey",
    "--trace-mem=yes",
    "--basic-counts=no",
    "--trace-syscalls=yes",
    "--child-silent-after-fork=yes",
    "--vgdb=no",
)
_LINE_BYTES = 14
_PIPE_BYTES = (1 << 12, 1 << 20)
_BYTES_PER_SECOND = 50e6  # more than Valgrind writes: no pipe fills up during a pause
_LONGEST_PAUSE = 0.005


def probe() -> None:
    """CaptureError where there is no Valgrind with lackey."""
    try:
        found = subprocess.run(["valgrind", "--tool=lackey", "--help"], capture_output=True, check=False)
    except OSError:
        raise CaptureError(
            "found no valgrind; expected it on the PATH: install it (on Debian: apt-get install valgrind)"
        ) from None
    if b"--trace-mem" not in found.stdout:
        said = found.stderr.decode("utf-8", "replace").strip()
        raise CaptureError(f"found a valgrind without its tool lackey ({said}); install all of Valgrind")


def record(
    command: Sequence[str],
    outcome: Outcome,
    interrupt: Interrupt,
    *,
    interval: Accesses = 1_000_000,
    exact_above: Pages = 0,
) -> Iterator[pa.RecordBatch]:
    """Rows ``time, page, op, content``, an interval at a time.

    ``interval`` is at least how many accesses lie between two looks at the contents; memory grows with what
    is kept of one.  ``exact_above`` leaves out accesses that no LRU memory of so many pages could miss
    (``trace.reduce``); 0 keeps all.  CaptureError: it made no access.
    """
    at_least_one("interval", interval)
    if exact_above:
        outcome.reduction = {"method": "sad", "exact_above": exact_above}
    kept = Reduction(exact_above) if exact_above else Everything()
    intervals = Intervals(kept)
    capacity = min(max(interval * _LINE_BYTES, _PIPE_BYTES[0]), _PIPE_BYTES[1])
    with _running(command, capacity) as (program, pipe):
        log = Log(pipe, kept)
        for rows in _rows(program, log, intervals, interrupt, interval):
            outcome.seen = log.accesses
            yield rows
        outcome.interrupted = interrupt.asked
    outcome.exit_code = None if program.killed else program.exit_code
    outcome.started_others, outcome.replaced = program.started_others, program.replaced
    outcome.said.update(_fidelity(log, intervals, interval))
    if log.accesses == 0:
        if interrupt.asked:
            raise KeyboardInterrupt
        raise CaptureError(
            f"{command[0]} ended with exit code {program.exit_code} before its first access; expected a "
            "program that Valgrind can run"
        )


def _rows(
    program: Program, log: Log, intervals: Intervals, interrupt: Interrupt, interval: int
) -> Iterator[pa.RecordBatch]:
    """The rows until the program has ended; when ``interrupt`` is asked for, it is ended."""
    due = interval
    while program.exit_code is None:
        taken = log.pump()
        if log.accesses:
            program.open_memory()
        program.attend()
        if program.ending or interrupt.asked or log.accesses >= due:
            program.stop(meanwhile=log.pump)
            log.drain()
            due = log.accesses + interval
            rows = intervals.close(program.memory)
            if interrupt.asked and not program.ending:
                program.kill()
            else:
                program.resume()
            yield rows
        elif taken < log.capacity // 2:
            time.sleep(min(log.capacity / _BYTES_PER_SECOND, _LONGEST_PAUSE))
    log.drain()
    yield intervals.close(None)


@contextmanager
def _running(command: Sequence[str], pipe_bytes: int) -> Iterator[tuple[Program, int]]:
    """The program under Valgrind, and the pipe that its log comes from; killed if it has not ended."""
    reading, writing = os.pipe()
    try:
        with suppress(OSError):  # more than an unprivileged user may have: the default will do
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, pipe_bytes)
        try:
            pid = os.posix_spawnp(
                "valgrind",
                ["valgrind", *_OPTIONS, f"--log-fd={writing}", "--", *command],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, writing, writing)],  # lets it be inherited
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
            )
        finally:
            os.close(writing)
        program = Program(pid)
        try:
            yield program, reading
        finally:
            program.kill()
    finally:
        os.close(reading)


def _fidelity(log: Log, intervals: Intervals, interval: int) -> dict[str, Any]:
    """What a reader of the trace should know of it."""
    return {
        "valgrind": _version(),
        "raw_accesses": log.accesses,
        "contents_every": f"{interval} accesses at least",
        "content": CONTENT,
        "intervals": intervals.count,
        "contents_changed_unexplained": intervals.unexplained,
        "kernel_stores": "included, from Valgrind's lines of system calls",
        "threads": "in the order in which Valgrind ran them, one at a time",
    }


def _version() -> str:
    found = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=False)
    return found.stdout.strip().removeprefix("valgrind-")
