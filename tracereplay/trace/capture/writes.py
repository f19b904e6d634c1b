"""Pages written and their contents, at native speed: write protection from outside (Linux 6.7).

Every ``interval`` the program is stopped for a moment; the pages that it wrote since the last stop become
rows, in order of their numbers, with the contents that they have then.  Reads are not seen.  ``time``
counts the nanoseconds in which the program ran, without its stops.  The rows at time 0 are what the
kernel wrote before the first instruction: arguments on the stack, zeros behind initialised data.  A stop
can end an epoll_wait early (EINTR), as a debugger's would.
"""

from __future__ import annotations

import math
import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pyarrow as pa

from tracereplay.catalog import Duration
from tracereplay.errors import CaptureError, UsageError
from tracereplay.problems import problem
from tracereplay.trace.capture import Outcome, _ptrace
from tracereplay.trace.capture._contents import contents
from tracereplay.trace.capture._family import signal_family, started_others
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.capture._ptrace import Stop
from tracereplay.trace.capture._userfault import WrittenPages, check_kernel
from tracereplay.trace.schema import Op
from tracereplay.units import format_duration_ns

_SHORTEST = 100_000
_POLL_SECONDS = 0.0005  # between two looks whether the program wants something
_GRACE_NS = 2_000_000_000

# stops before it becomes the program, so that it can be traced from its first instruction
_LAUNCHER = ["/bin/sh", "-c", 'kill -STOP $$; exec "$0" "$@"']
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)

_FIDELITY = {
    "sees": "pages written in each interval and their contents after it; no reads, no order within",
    "threads": "all, stopped together; until the main thread ends",
    "shared mappings": "a page counts as written when the program first gets it",
}


def probe() -> None:
    """CaptureError unless this machine lets a program's writes be watched."""
    if (machine := platform.machine()) != "x86_64":
        raise _refused(f"machine {machine}", "x86_64")
    try:
        check_kernel()
    except PermissionError:
        raise _refused(
            "userfaultfd forbidden", "it to be allowed, as it is where no container filters it"
        ) from None
    except OSError as error:
        raise _refused(
            f"Linux {platform.release()} without asynchronous write protection ({error.strerror})",
            "Linux 6.7 or later with CONFIG_USERFAULTFD and CONFIG_PROC_PAGE_MONITOR",
        ) from None


def _refused(found: str, expected: str) -> CaptureError:
    return CaptureError(f"{problem(found, expected)}; or use the recorder lackey (needs valgrind only)")


def record(
    command: Sequence[str], outcome: Outcome, interrupt: Interrupt, *, interval: Duration = 10_000_000
) -> Iterator[pa.RecordBatch]:
    """Run ``command`` and yield the pages written in each ``interval``."""
    if interval < _SHORTEST:
        expected = f"at least {format_duration_ns(_SHORTEST)}"
        raise UsageError(
            f"capture: interval: {problem(format_duration_ns(interval), expected, suggestion='10ms')}"
        )
    outcome.time_unit = "ns"
    outcome.said.update(_FIDELITY, interval_ns=interval)
    with _started(command) as pid:
        recording = _Recording(pid, interval, interrupt, outcome)
        try:
            yield from recording.batches()
        finally:
            recording.close()
            outcome.exit_code, outcome.interrupted = recording.exit_code, interrupt.asked
            outcome.said.update(recording.figures())


class _Recording:
    """One program from its first instruction to its end."""

    def __init__(self, pid: int, interval: int, interrupt: Interrupt, outcome: Outcome) -> None:
        self.exit_code: int | None = None
        self._outcome = outcome
        self._pid = pid
        self._interval = interval
        self._interrupt = interrupt
        self._kill_at: int | None = None
        self._ran = self._stopped = 0
        self._images = Counter(watched=0, unwatched=0)
        self._unwatched_mappings = 0
        self._pages: WrittenPages | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows of one stop at a time; the program stands still until the next batch is asked for."""
        stop = Stop(self._pid, event=_ptrace.EVENT_EXEC)
        while stop.exit_code is None:
            began = time.monotonic_ns()
            if stop.event == _ptrace.EVENT_EXEC:
                stop = self._enter()
            leaving = stop.event == _ptrace.EVENT_EXIT
            self._outcome.started_others |= leaving and started_others(self._pid)
            others = [] if leaving else _held(self._pid)
            try:
                yield from self._look()
            finally:
                for other in others:
                    _ptrace.release(other)
                _ptrace.resume(stop)
            resumed = time.monotonic_ns()
            self._stopped += resumed - began
            stop = self._next_stop(math.inf if leaving else self._interval)
            self._ran += time.monotonic_ns() - resumed
        self.exit_code = stop.exit_code

    def figures(self) -> dict[str, Any]:
        """What the recording cost and missed."""
        return {
            "program_ns": self._ran,
            "stopped_ns": self._stopped,
            "images": dict(self._images),
            "mappings not watched": self._unwatched_mappings,
        }

    def close(self) -> None:
        """Let go of the program's memory."""
        if self._pages is not None:
            self._unwatched_mappings += len(self._pages.unwatched)
            self._pages.close()
            self._pages = None

    def _enter(self) -> Stop:
        """Watch the new image of the program, which is stopped before its first instruction."""
        self.close()
        _ptrace.interrupt(self._pid)
        _ptrace.resume(Stop(self._pid, event=_ptrace.EVENT_EXEC))
        stop = _ptrace.wait(self._pid)
        assert stop is not None
        try:
            self._pages = WrittenPages(self._pid)
        except OSError as error:
            if not self._images["watched"]:
                found = f"a program whose writes cannot be watched ({error.strerror})"
                raise _refused(found, "a 64-bit x86 program") from None
        self._images["unwatched" if self._pages is None else "watched"] += 1
        return stop

    def _look(self) -> Iterator[pa.RecordBatch]:
        """The pages written since the last look, if there are any."""
        if self._pages is None or not len(page := self._pages.take()):
            return
        content, known = contents(self._pages.memory, page)
        self._outcome.seen += len(page)
        yield pa.record_batch(
            {
                "time": np.full(len(page), self._ran, np.uint64),
                "page": page,
                "op": np.full(len(page), Op.WRITE, np.uint8),
                "content": pa.array(content, pa.uint64(), mask=~known),
            }
        )

    def _next_stop(self, interval: float) -> Stop:
        """Wait for the end of the interval (ns), a new image or the end; signals go on to the program."""
        due = time.monotonic_ns() + interval
        asked = False
        while True:
            stop = _ptrace.wait(self._pid, block=asked)
            if stop is None:
                self._end_if_asked()
                left = (due - time.monotonic_ns()) / 1e9
                if left <= 0:
                    _ptrace.interrupt(self._pid)
                    asked = True
                else:
                    time.sleep(min(left, _POLL_SECONDS))
            elif _is_worth_a_look(stop, asked):
                return stop
            else:
                _ptrace.resume(stop)

    def _end_if_asked(self) -> None:
        """When asked to: end the program and what it forked, by force if it does not listen."""
        if not self._interrupt.asked:
            return
        now = time.monotonic_ns()
        if self._kill_at is None:
            self._kill_at = now + _GRACE_NS
            signal_family(self._pid, signal.SIGTERM)
        elif now >= self._kill_at:
            signal_family(self._pid, signal.SIGKILL)


def _is_worth_a_look(stop: Stop, asked: bool) -> bool:
    ours = asked and stop.event == _ptrace.EVENT_STOP
    return ours or stop.exit_code is not None or stop.event in (_ptrace.EVENT_EXEC, _ptrace.EVENT_EXIT)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[int]:
    """A process that has just become ``command``; it does not outlive the block."""
    launcher = [*_LAUNCHER, *command]
    pid = os.posix_spawn(launcher[0], launcher, os.environ, setsigdef=_IGNORED_BY_PYTHON)
    try:
        os.waitpid(pid, os.WUNTRACED)
        try:
            _ptrace.seize(pid, _ptrace.TRACE_EXEC | _ptrace.TRACE_EXIT | _ptrace.EXIT_KILL)
        except OSError as error:
            raise _refused(
                f"ptrace forbidden ({error.strerror})",
                "it to be allowed; see kernel.yama.ptrace_scope, or what the container filters",
            ) from None
        os.kill(pid, signal.SIGCONT)
        _wait_for_image(pid, command)
        yield pid
    finally:
        with suppress(ChildProcessError):  # its end has been waited for
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            signal_family(pid, signal.SIGKILL)
            while (stop := _ptrace.wait(pid)) and stop.exit_code is None:
                _ptrace.resume(stop)


def _wait_for_image(pid: int, command: Sequence[str]) -> None:
    while (stop := _ptrace.wait(pid)) and stop.event != _ptrace.EVENT_EXEC:
        if stop.exit_code is not None:
            raise CaptureError(
                f"found {command[0]}, which could not be started (exit code {stop.exit_code}); expected a "
                "program for this machine"
            )
        _ptrace.resume(stop)


def _held(pid: int) -> list[Stop]:
    """Stop every other thread of the program, new ones included; what releases them."""
    held: dict[int, Stop | None] = {pid: None}
    while new := [thread for thread in _threads(pid) if thread not in held]:
        for thread in new:
            held[thread] = None
            with suppress(OSError):  # it has just ended
                _ptrace.seize(thread)
                held[thread] = _stopped(thread)
    return [stop for stop in held.values() if stop is not None and stop.exit_code is None]


def _stopped(thread: int) -> Stop | None:
    with suppress(ProcessLookupError):  # its end is still to be waited for
        _ptrace.interrupt(thread)
    return _ptrace.wait(thread)


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []
