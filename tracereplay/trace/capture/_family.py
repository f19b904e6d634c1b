"""Signals to a program and to all that it forked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def signal_family(pid: int, number: int) -> None:
    """Send a signal to a process, its children, their children and so on, as far as the kernel tells."""
    for member in [pid, *_descendants(pid)]:
        with suppress(ProcessLookupError):
            os.kill(member, number)


def _descendants(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *_descendants(child)]
    return found
