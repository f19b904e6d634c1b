"""ptrace(2) for recorders: stop a program anywhere, let it go on as if nothing had been.

All calls for one program come from one thread, as the kernel demands.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from contextlib import suppress
from typing import NamedTuple

EVENT_EXEC, EVENT_EXIT, EVENT_STOP = 4, 6, 128
TRACE_EXEC, TRACE_EXIT, EXIT_KILL = 1 << EVENT_EXEC, 1 << EVENT_EXIT, 1 << 20

_CONT, _SINGLESTEP, _GETREGS, _SETREGS, _DETACH = 7, 9, 12, 13, 17
_SEIZE, _INTERRUPT, _LISTEN = 0x4206, 0x4207, 0x4208
_WALL = 0x40000000  # wait for threads, too
_JOB_CONTROL = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long] * 4
_libc.ptrace.restype = ctypes.c_long

Registers = ctypes.c_ulonglong * 27
"""struct user_regs_struct of x86-64."""


class Stop(NamedTuple):
    """What waitpid said of one thread: it stopped, or, with an exit code, it is gone."""

    thread: int
    signal: int = 0
    event: int = 0
    exit_code: int | None = None


def seize(thread: int, options: int = 0) -> None:
    """Become the tracer of a thread, which runs on.  OSError: not permitted, or it is gone."""
    _call(_SEIZE, thread, 0, options)


def interrupt(thread: int) -> None:
    """Ask a thread to stop; the next ``wait`` tells when it has."""
    _call(_INTERRUPT, thread)


def wait(thread: int, *, block: bool = True) -> Stop | None:
    """The next stop or the end of a thread; None when there is none yet and ``block`` is False."""
    found, status = os.waitpid(thread, _WALL | (0 if block else os.WNOHANG))
    if found == 0:
        return None
    if os.WIFSTOPPED(status):
        return Stop(thread, os.WSTOPSIG(status), status >> 16)
    return Stop(thread, exit_code=os.waitstatus_to_exitcode(status))


def resume(stop: Stop) -> None:
    """Let a thread go on: with the signal that it was about to get, and still stopped if a shell stopped it.

    A thread that was killed meanwhile needs nothing, or has its next stop to tell of.
    """
    with suppress(ProcessLookupError):
        if stop.event == EVENT_STOP and stop.signal in _JOB_CONTROL:
            try:
                _call(_LISTEN, stop.thread)
            except OSError as error:
                if error.errno != errno.EIO:  # it is no longer in the stop that a shell's would be
                    raise
        else:
            _call(_CONT, stop.thread, 0, 0 if stop.event else stop.signal)


def release(stop: Stop) -> None:
    """Let a thread go on, traced no longer; if it was killed meanwhile, its end is taken note of."""
    try:
        _call(_DETACH, stop.thread, 0, 0 if stop.event else stop.signal)
    except ProcessLookupError:
        wait(stop.thread)


def registers(thread: int) -> ctypes.Array[ctypes.c_ulonglong]:
    """Registers of a stopped thread."""
    found = Registers()
    _call(_GETREGS, thread, 0, ctypes.addressof(found))
    return found


def set_registers(thread: int, values: ctypes.Array[ctypes.c_ulonglong]) -> None:
    """Give a stopped thread other registers."""
    _call(_SETREGS, thread, 0, ctypes.addressof(values))


def step(thread: int) -> None:
    """Run one instruction of a stopped thread; signals that come meanwhile are sent again after it."""
    early = []
    _call(_SINGLESTEP, thread)
    while (stop := wait(thread)) and stop.exit_code is None and stop.signal != signal.SIGTRAP:
        early.append(stop.signal)
        _call(_SINGLESTEP, thread)
    for number in early:
        os.kill(thread, number)


def _call(request: int, thread: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, thread, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
