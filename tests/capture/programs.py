"""Tiny C programs with known contents at a fixed address; what recordings say of them, and leave behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import xxhash
from cli.process import clean

from tracereplay.trace import open_trace
from tracereplay.trace.capture import Captured, capture

BASE = 0x200000000 >> 12
"""Page number of ``base`` in the programs."""

_PRELUDE = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile unsigned char *base;
static void fill(int page, int byte) { for (int i = 0; i < 4096; i++) base[page * 4096 + i] = byte; }
static void pause_ms(int ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left));
}
"""
_MAIN = """
int main(int argc, char **argv) {
    (void)argc, (void)argv, (void)fill, (void)pause_ms;
    base = mmap((void *)0x200000000, 1024 * 4096, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
"""


class Row(NamedTuple):
    """One row of the fixed region; ``page`` counts from its start."""

    page: int
    op: int
    content: int | None


def build(tmp_path: Path, body: str, before: str = "", *flags: str) -> str:
    """A program whose main is ``body``; 1024 pages lie at ``base``."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(f"{_PRELUDE}{before}{_MAIN}{body}\n    return 0;\n}}\n")
    subprocess.run(["gcc", "-O1", "-pthread", *flags, "-o", program, source], check=True)
    return str(program)


def recorded(tmp_path: Path, recorder: str, *command: str, **parameters: Any) -> tuple[Captured, list[Row]]:
    """What a recorder says of a program, and its rows of the fixed region in order."""
    target = tmp_path / "recorded.parquet"
    captured = capture(command, target, recorder=recorder, force=True, **parameters)
    rows = [
        Row(page - BASE, op, content if known else None)
        for batch in open_trace(target).batches()
        for page, op, content, known in zip(
            batch.page.tolist(), batch.op.tolist(), batch.content.tolist(), batch.known, strict=True
        )
        if BASE <= page < BASE + 1024
    ]
    return captured, rows


def filled(byte: int) -> int:
    """Content of a page that holds one byte 4096 times."""
    return xxhash.xxh3_64_intdigest(bytes([byte]) * 4096) if byte else 0


@contextmanager
def verb(*words: object) -> Iterator[subprocess.Popen[str]]:
    """``tracereplay capture …`` while it runs, with pipes to and from it; told to end with the block."""
    line = [sys.executable, "-m", "tracereplay", "capture", *map(str, words)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(line, text=True, env=clean(), **pipes) as process:
        try:
            yield process
        finally:
            process.terminate()


def running(program: str) -> list[int]:
    """Processes, whoever their parents are, that run ``program`` themselves or through a recorder's."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it is gone
            words = path.read_text().split("\0")
            if program in words and "tracereplay" not in words:
                found.append(int(path.parent.name))
    return found


def left_behind(program: str, seconds: float = 10) -> list[int]:
    """The processes that still run ``program`` when they have had time to die of a signal."""
    until = time.monotonic() + seconds
    while (found := running(program)) and time.monotonic() < until:
        time.sleep(0.01)
    return found
