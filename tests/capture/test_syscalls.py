"""What Valgrind's lines of system calls say of a program's memory."""

from __future__ import annotations

import pytest

from tracereplay.trace.capture._syscalls import SystemCalls
from tracereplay.trace.schema import Op

CASES = {
    "a result on the same line": (
        ["SYSCALL[9,1](318) sys_getrandom ( 0x4a21478, 8, 1 )[sync] --> Success(0x8) "],
        [(0x4A21478, 8, Op.WRITE)],
    ),
    "a result on a later line": (
        [
            "SYSCALL[9,1](0) sys_read ( 3, 0x1ffefff9a8, 832 ) --> [async] ... ",
            "SYSCALL[9,1](0) ... [async] --> Success(0x340) ",
        ],
        [(0x1FFEFFF9A8, 832, Op.WRITE)],
    ),
    "two threads in turn": (
        [
            "SYSCALL[9,1](0) sys_read ( 3, 0x1000, 8 ) --> [async] ... ",
            "SYSCALL[9,2](1) sys_write ( 6, 0x2000, 5 ) --> [async] ... ",
            "SYSCALL[9,2](1) ... [async] --> Success(0x5) ",
            "SYSCALL[9,1](0) ... [async] --> Success(0x8) ",
        ],
        [(0x2000, 5, Op.READ), (0x1000, 8, Op.WRITE)],
    ),
    "less read than asked for": (
        [
            "SYSCALL[9,1](17) sys_pread64 ( 3, 0x5000, 784, 64 ) --> [async] ... ",
            "SYSCALL[9,1](17) ... [async] --> Success(0x10) ",
        ],
        [(0x5000, 16, Op.WRITE)],
    ),
    "a path with commas and brackets before the buffer": (
        ["SYSCALL[9,1](262) sys_newfstatat ( 3, 0x1a010(/a,b)/(c,d), 0x1fff0005c0 )[sync] --> Success(0x0)"],
        [(0x1FFF0005C0, 144, Op.WRITE)],
    ),
    "two buffers, one of them not given": (
        [
            "SYSCALL[9,1](61) sys_wait4 ( 4294967295, 0x1fff0003ec, 0, 0x0 ) --> [async] ... ",
            "SYSCALL[9,1](61) ... [async] --> Success(0x2a51) ",
        ],
        [(0x1FFF0003EC, 4, Op.WRITE)],
    ),
    "a failure": (
        [
            "SYSCALL[9,1](0) sys_read ( 99, 0x200000000, 10 ) --> [async] ... ",
            "SYSCALL[9,1](0) ... [async] --> Failure(0x9) ",
        ],
        [],
    ),
    "the end of a file": (
        [
            "SYSCALL[9,1](0) sys_read ( 3, 0x200000000, 10 ) --> [async] ... ",
            "SYSCALL[9,1](0) ... [async] --> Success(0x0) ",
        ],
        [],
    ),
    "calls that give no buffer, and lines that are odd": (
        [
            "SYSCALL[9,1](3) sys_close ( 3 )[sync] --> Success(0x0) ",
            "SYSCALL[9,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)",
            "SYSCALL[9,1](7) sys_poll ( 0x1fff0003f8, 1, 1 )",
            "SYSCALL[9,1](7) ... [async] --> Success(0x0) ",
            "SYSCALL[9,1](158) arch_prctl ( 4098, 4a29740 ) --> [pre-success] Success(0x0) ",
            "SYSCALL[9,2](0) ... [async] --> Success(0x340) ",
            "SYSCALL[",
        ],
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_lines(case):
    """Lines as Valgrind 3.19 writes them, and what the kernel accessed."""
    lines, expected = CASES[case]
    calls = SystemCalls()
    assert [made for line in lines for made in calls.accesses(line)] == expected
