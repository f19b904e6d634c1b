"""A program and all that it forked: whether there is any, and signals to them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_FAULTS_OF_CHILDREN = 8  # cminflt of /proc/PID/stat, after the name: no process lives without a page fault


def signal_family(pid: int, number: int) -> None:
    """Send a signal to a process, its children, their children and so on, as far as the kernel tells."""
    for member in [pid, *_descendants(pid)]:
        with suppress(ProcessLookupError):
            os.kill(member, number)


def started_others(pid: int) -> bool:
    """Whether a process has children, or had one that it waited for; False when it is gone itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[_FAULTS_OF_CHILDREN]) > 0 or bool(_descendants(pid))


def _descendants(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *_descendants(child)]
    return found
