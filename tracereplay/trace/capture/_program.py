"""A running program with all its threads: stopped as a whole, resumed, seen to its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from tracereplay.errors import CaptureError
from tracereplay.trace.capture import _ptrace
from tracereplay.trace.capture._family import signal_family, started_others

_EVENT_CLONE = 3
_OPTIONS = 1 << _EVENT_CLONE | 1 << _ptrace.EVENT_EXEC | 1 << _ptrace.EVENT_EXIT | _ptrace.EXIT_KILL
_SECONDS_BETWEEN_LOOKS = 0.0002


class Program:
    """A child process under ptrace; it dies with this one.

    Its threads run until ``attend`` has seen them all about to exit: then it is ``ending``, stopped a last
    time while its memory is still there.  Children that it forks are not traced, and run on when it ends by
    itself; ``kill`` ends them, too.  ``started_others`` tells of them once it is ending.
    """

    def __init__(self, pid: int) -> None:
        """CaptureError, and no process, where the kernel forbids it."""
        self.pid = pid
        self.exit_code: int | None = None
        self.ending = False
        self.killed = False
        self.replaced = False
        self.started_others = False
        self.memory: int | None = None
        self._threads: dict[int, _ptrace.Stop | None] = {pid: None}  # its stop, None while it runs
        self._leaving: set[int] = set()
        try:
            _ptrace.seize(pid, _OPTIONS)
        except OSError as problem:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:  # before it could be traced, which is then not permitted either
                self.exit_code = os.waitstatus_to_exitcode(status)
                return
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise CaptureError(
                f"ptrace of a child process failed ({problem.strerror}); in a container allow it "
                "(--cap-add=SYS_PTRACE), elsewhere see /proc/sys/kernel/yama/ptrace_scope"
            ) from None

    def open_memory(self) -> None:
        """Open the memory of what runs now; when the program is replaced by exec, it is no longer there."""
        if self.memory is None and self.exit_code is None:
            with suppress(OSError):  # it has just ended
                self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY)

    def attend(self, *, stopping: bool = False) -> None:
        """See what became of each running thread, and let it go on unless all are to be ``stopping``."""
        for thread, stopped in list(self._threads.items()):
            if stopped is not None:
                continue
            try:
                stop = _ptrace.wait(thread, block=False)
            except ChildProcessError:  # another thread's exec took its place
                del self._threads[thread]
                continue
            if stop is not None:
                self._note(stop, stopping)

    def stop(self, meanwhile: Callable[[], object]) -> None:
        """Stop every thread; ``meanwhile`` is called until they have, to let out one that is blocked."""
        for thread, stopped in self._threads.items():
            if stopped is None:
                with suppress(ProcessLookupError):
                    _ptrace.interrupt(thread)
        while any(s is None and thread not in self._leaving for thread, s in self._threads.items()):
            meanwhile()
            self.attend(stopping=True)
            time.sleep(_SECONDS_BETWEEN_LOOKS)

    def resume(self) -> None:
        """Let every stopped thread go on."""
        self.ending = False
        for thread, stop in self._threads.items():
            if stop is not None:
                self._threads[thread] = None
                _ptrace.resume(stop)

    def kill(self) -> None:
        """End the program and the children that it forked, unless it has ended."""
        if self.memory is not None:
            os.close(self.memory)
            self.memory = None
        if self.exit_code is not None:
            return
        self.killed = True
        self.started_others |= started_others(self.pid)
        signal_family(self.pid, signal.SIGKILL)
        while self.exit_code is None:
            self.resume()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            self.attend()

    def _note(self, stop: _ptrace.Stop, stopping: bool) -> None:
        """Keep the stop of a thread that is not to go on yet."""
        if stop.exit_code is not None:
            del self._threads[stop.thread]
            if stop.thread == self.pid:
                self.exit_code = stop.exit_code
            return
        if stop.event == _EVENT_CLONE:
            for name in os.listdir(f"/proc/{self.pid}/task"):
                self._threads.setdefault(int(name), None)
        elif stop.event == _ptrace.EVENT_EXEC:
            self.replaced = self.memory is not None  # the first one is Valgrind's own start
        elif stop.event == _ptrace.EVENT_EXIT:
            self._leaving.add(stop.thread)
            self.started_others |= started_others(self.pid)
            self.ending = self._leaving >= self._threads.keys()
        if stopping or self.ending:
            self._threads[stop.thread] = stop
        else:
            _ptrace.resume(stop)
