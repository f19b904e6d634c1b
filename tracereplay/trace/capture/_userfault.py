"""Which pages of another process were written: userfaultfd's asynchronous write protection, from outside.

A userfaultfd belongs to the memory of the process that made it, so one is made inside the program
(an injected system call) and fetched with pidfd_getfd.  Through it every mapping is registered, and
PAGEMAP_SCAN then reports written pages and protects them again in one go: the program pays one short
page fault for the first write to a page after each scan.  See Documentation/admin-guide/mm/pagemap.rst
and userfaultfd.rst of Linux 6.7.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tracereplay.trace.capture import _ptrace
from tracereplay.trace.capture._contents import PAGE_SIZE


def _iowr(kind: int, number: int, size: int) -> int:
    """An ioctl that passes ``size`` bytes in and out, as <asm/ioctl.h> counts them."""
    return 3 << 30 | size << 16 | kind << 8 | number


class _Syscall:
    """Numbers of x86-64."""

    CLOSE, PRCTL, USERFAULTFD, PIDFD_GETFD = 3, 157, 323, 438


_UFFD_API = 0xAA
_UFFD_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | 1  # USER_MODE_ONLY: needs no privilege
_UFFD_FEATURES = 1 << 0 | 1 << 12 | 1 << 13 | 1 << 15  # WP, of shared memory, of holes, asynchronous
_REGISTER_WP = 2
_UFFDIO_API = _iowr(0xAA, 0x3F, 24)
_UFFDIO_REGISTER = _iowr(0xAA, 0x00, 32)

_PAGEMAP_SCAN = _iowr(ord("f"), 16, 96)
_PROTECT_MATCHING = 1
_WRITTEN, _FILE, _PRESENT, _SWAPPED, _ZERO = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5
_REGIONS = 1 << 14  # reported by one scan, at most

_PR_SET_THP_DISABLE = 41
_RAX, _RDX, _RSI, _RDI, _ORIG_RAX, _RIP, _CS = 10, 12, 13, 14, 15, 16, 17
_CS_64_BIT = 0x33
_SYSCALL_INSTRUCTION = b"\x0f\x05"

_MAPPING = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) .(.).(.) ")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Mapping(NamedTuple):
    """One line of /proc/PID/maps that writes may reach."""

    start: int
    end: int
    shared: bool


class WrittenPages:
    """The pages that a program writes; made while it is stopped at its start, used while it is stopped.

    ``memory`` is a descriptor of its bytes, ``unwatched`` are mappings that the kernel does not let us watch.
    OSError: the kernel refuses altogether.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._userfault = _fetched(pid)
        fcntl.ioctl(self._userfault, _UFFDIO_API, struct.pack("QQQ", _UFFD_API, _UFFD_FEATURES, 0))
        self._pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
        self.memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self._regions = np.zeros((_REGIONS, 3), np.uint64)
        self.unwatched: set[Mapping] = set()

    def close(self) -> None:
        """Let the program's memory be."""
        for descriptor in (self._userfault, self._pagemap, self.memory):
            os.close(descriptor)

    def take(self) -> np.ndarray:
        """Ascending numbers (uint64) of the pages written since the last call, or since the start.

        In a private mapping that is exact.  Of a shared one, a page also counts as written when the program
        first gets it, as its page table does not tell how.
        """
        found = [np.empty(0, np.uint64)]
        with suppress(ProcessLookupError):  # killed while it was stopped
            for span in _spans(_mappings(self._pid)):
                self._register(span)
                for start, end, _ in self._scan(span):
                    found.append(np.arange(start // PAGE_SIZE, end // PAGE_SIZE, dtype=np.uint64))
        return np.concatenate(found)

    def _register(self, span: Sequence[Mapping]) -> None:
        """Watch mappings, all at once if that can be; known ones cost nothing."""
        start, end = span[0].start, span[-1].end
        try:
            fcntl.ioctl(
                self._userfault, _UFFDIO_REGISTER, struct.pack("QQQQ", start, end - start, _REGISTER_WP, 0)
            )
        except ProcessLookupError:
            raise
        except OSError:
            if len(span) == 1:
                self.unwatched.add(span[0])
                return
            middle = len(span) // 2
            self._register(span[:middle])
            self._register(span[middle:])

    def _scan(self, span: Sequence[Mapping]) -> Iterator[tuple[int, int, int]]:
        """Regions (start, end, categories) written, which are protected again.

        Of a private mapping, file pages and the kernel's zero page are what a read brings in.
        """
        start, end = span[0].start, span[-1].end
        brought_in = _ZERO if span[0].shared else _ZERO | _FILE
        while start < end:
            request = bytearray(
                struct.pack("12Q", 96, _PROTECT_MATCHING, start, end, 0, self._regions.ctypes.data, _REGIONS,
                            0, brought_in, _WRITTEN | brought_in, _PRESENT | _SWAPPED, _WRITTEN)
            )  # fmt: skip
            count = fcntl.ioctl(self._pagemap, _PAGEMAP_SCAN, request)
            yield from self._regions[:count].tolist()
            (start,) = struct.unpack_from("Q", request, 32)


def check_kernel() -> None:
    """Raise OSError when this kernel does not let a process watch its own writes."""
    userfault = _checked(_libc.syscall(_Syscall.USERFAULTFD, _UFFD_FLAGS))
    try:
        fcntl.ioctl(userfault, _UFFDIO_API, struct.pack("QQQ", _UFFD_API, _UFFD_FEATURES, 0))
    finally:
        os.close(userfault)
    with open("/proc/self/pagemap", "rb") as pagemap:
        fcntl.ioctl(pagemap, _PAGEMAP_SCAN, struct.pack("12Q", 96, 0, 0, PAGE_SIZE, *[0] * 8))


def _fetched(pid: int) -> int:
    """A userfaultfd of the stopped program, here; of the program's own descriptors nothing changes.

    Huge pages are turned off in it: they would be written as a whole.
    """
    _run_syscall(pid, _Syscall.PRCTL, _PR_SET_THP_DISABLE, 1)
    inside = _run_syscall(pid, _Syscall.USERFAULTFD, _UFFD_FLAGS)
    process = os.pidfd_open(pid)
    try:
        return _checked(_libc.syscall(_Syscall.PIDFD_GETFD, process, inside, 0))
    finally:
        os.close(process)
        _run_syscall(pid, _Syscall.CLOSE, inside)


def _run_syscall(pid: int, number: int, *arguments: int) -> int:
    """Let the stopped program do a system call, with the instruction that its vDSO has for that."""
    before = _ptrace.registers(pid)
    if before[_CS] != _CS_64_BIT:
        raise OSError(errno.ENOEXEC, "not a 64-bit x86 program")
    values = _ptrace.Registers(*before)
    values[_RIP] = _syscall_instruction(pid)
    values[_RAX], values[_ORIG_RAX] = number, 2**64 - 1
    values[_RDI], values[_RSI], values[_RDX] = (*arguments, 0, 0, 0)[:3]
    _ptrace.set_registers(pid, values)
    _ptrace.step(pid)
    result = ctypes.c_long(_ptrace.registers(pid)[_RAX]).value
    _ptrace.set_registers(pid, before)
    return _checked(result, -result)


def _syscall_instruction(pid: int) -> int:
    """Address of a system call instruction of the program."""
    with open(f"/proc/{pid}/maps", "rb") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        (line,) = (line for line in maps if line.endswith(b"[vdso]\n"))
        start, end = (int(address, 16) for address in line.split()[0].split(b"-"))
        offset = os.pread(memory.fileno(), end - start, start).index(_SYSCALL_INSTRUCTION)
    return start + offset


def _mappings(pid: int) -> Iterator[Mapping | None]:
    """Mappings that can be watched, in order; None for each other one."""
    with open(f"/proc/{pid}/maps", "rb") as maps:
        for line in maps:
            found = _MAPPING.match(line)
            assert found is not None
            shared = found[4] == b"s"
            kernel_owned = b" [v" in line  # [vdso], [vvar], [vsyscall] and the like
            watched = not kernel_owned and (found[3] == b"w" or not shared)
            yield Mapping(int(found[1], 16), int(found[2], 16), shared) if watched else None


def _spans(mappings: Iterator[Mapping | None]) -> Iterator[list[Mapping]]:
    """Neighbours of one kind: what is registered and scanned at once."""
    for kind, group in groupby(mappings, lambda mapping: mapping and mapping.shared):
        if kind is not None:
            yield [mapping for mapping in group if mapping is not None]


def _checked(result: int, number: int | None = None) -> int:
    """``result``, or OSError if it is negative."""
    if result < 0:
        number = ctypes.get_errno() if number is None else number
        raise OSError(number, os.strerror(number))
    return result
