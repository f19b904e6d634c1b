"""What the kernel reads and writes of a program's memory, from Valgrind's ``--trace-syscalls=yes`` lines."""

from __future__ import annotations

import re
from typing import NamedTuple

from tracereplay.trace.schema import Op


class KernelAccess(NamedTuple):
    """A stretch of memory that a system call read or wrote."""

    address: int
    size: int
    op: Op


class _Buffer(NamedTuple):
    """A buffer that a call was given: which argument, counted from the last (-1), as paths come first."""

    argument: int
    unit: int
    returned: bool = False  # whether the size is ``unit`` times the call's result, or ``unit``
    op: Op = Op.WRITE


def _filled(argument: int, unit: int = 1) -> _Buffer:
    return _Buffer(argument, unit, returned=True)


def _sent(argument: int) -> _Buffer:
    return _Buffer(argument, 1, returned=True, op=Op.READ)


_BUFFERS = {
    "read": (_filled(-2),),
    "pread64": (_filled(-3),),
    "recvfrom": (_filled(-5),),
    "getdents": (_filled(-2),),
    "getdents64": (_filled(-2),),
    "getrandom": (_filled(-3),),
    "getcwd": (_filled(-2),),
    "readlink": (_filled(-2),),
    "readlinkat": (_filled(-2),),
    "epoll_wait": (_filled(-3, 12),),
    "write": (_sent(-2),),
    "pwrite64": (_sent(-3),),
    "sendto": (_sent(-5),),
    "newstat": (_Buffer(-1, 144),),
    "newlstat": (_Buffer(-1, 144),),
    "newfstat": (_Buffer(-1, 144),),
    "newfstatat": (_Buffer(-1, 144),),
    "statx": (_Buffer(-1, 256),),
    "statfs": (_Buffer(-1, 120),),
    "fstatfs": (_Buffer(-1, 120),),
    "newuname": (_Buffer(-1, 390),),
    "sysinfo": (_Buffer(-1, 112),),
    "getrusage": (_Buffer(-1, 144),),
    "getrlimit": (_Buffer(-1, 16),),
    "prlimit64": (_Buffer(-1, 16),),
    "clock_gettime": (_Buffer(-1, 16),),
    "gettimeofday": (_Buffer(-2, 16),),
    "pipe": (_Buffer(-1, 8),),
    "pipe2": (_Buffer(-2, 8),),
    "socketpair": (_Buffer(-1, 8),),
    "rt_sigaction": (_Buffer(-2, 32),),
    "rt_sigprocmask": (_Buffer(-2, 8),),
    "wait4": (_Buffer(-3, 4), _Buffer(-1, 144)),
}
"""Calls of 64-bit Linux as Valgrind names them; vectors (readv, recvmsg) are not in its lines."""

# SYSCALL[10832,1](0) sys_read ( 3, 0x1ffefff9a8, 832 ) --> [async] ...
_CALL = re.compile(r"SYSCALL\[(\d+,\d+)\]\(\s*\d+\) (?:sys_)?(\w+) ?\((.*)\)", re.ASCII)
# SYSCALL[10832,1](0) ... [async] --> Success(0x340)
_REST = re.compile(r"SYSCALL\[(\d+,\d+)\]\(\s*\d+\) \.\.\. ", re.ASCII)
_SUCCESS = re.compile(r"Success\(0x([0-9a-f]+)\)")
_POINTER = re.compile(r"0x([0-9a-f]+)")
_NO_ARGUMENT = "0x0"


class SystemCalls:
    """Reads the lines in order; a call that blocks has two, which may stand far apart."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, str]] = {}

    def accesses(self, line: str) -> list[KernelAccess]:
        """What the kernel has accessed when ``line`` is written."""
        said, _, outcome = line.rpartition("-->")
        success = _SUCCESS.search(outcome)
        if rest := _REST.match(line):
            call = self._begun.pop(rest[1], None)
        elif begun := _CALL.match(said or line):
            call = begun[2], begun[3]
            if success is None:
                self._begun[begun[1]] = call
        else:
            call = None
        return [] if call is None or success is None else _accesses(*call, int(success[1], 16))


def _accesses(name: str, arguments: str, result: int) -> list[KernelAccess]:
    found = []
    texts = arguments.split(",")
    for buffer in _BUFFERS.get(name, ()):
        text = texts[buffer.argument] if len(texts) >= -buffer.argument else _NO_ARGUMENT
        pointer = _POINTER.match(text.strip())
        address = int(pointer[1], 16) if pointer else 0
        size = buffer.unit * result if buffer.returned else buffer.unit
        if address and size:
            found.append(KernelAccess(address, size, buffer.op))
    return found
