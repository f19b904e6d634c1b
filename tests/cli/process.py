"""Runs the command line as a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping


def clean(**variables: str) -> dict[str, str]:
    """This environment without what colours and widths depend on, with ``variables``."""
    ours = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES", "TERM")
    return {k: v for k, v in os.environ.items() if k not in ours} | {"COLUMNS": "80", **variables}


def tracereplay(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """``python -m tracereplay …`` with its outputs in pipes."""
    line = [sys.executable, "-m", "tracereplay", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, env=clean(**variables), check=False)


def on_a_terminal(line: list[str], env: Mapping[str, str]) -> str:
    """All that a process writes when its outputs are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(env))
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            text += chunk
    except OSError:  # Linux: how a terminal says that nobody writes any more
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0
    return text.decode()
