"""Ctrl-C in the middle of a replay: exit code 130, one line, nothing written."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from process import clean

import tracereplay as tr

# says when the replay has begun, so that the signal meets it there
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tracereplay.cli import main
from tracereplay.run import Run
scan = Run._tick
def tick(self, time):
    scan(self, time)
    if self._ticks == 100:
        print("begun", flush=True)
Run._tick = tick
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def long_trace(tmp_path):
    """A trace whose replay, a tick at every row, takes far longer than a test may."""
    rng = np.random.default_rng(1)
    tr.write_trace(tmp_path / "long.parquet", {"page": rng.integers(0, 2_000, 2_000_000)})
    return tmp_path / "long.parquet"


@pytest.mark.parametrize("force", [False, True])
def test_an_interrupt_leaves_nothing(tmp_path, long_trace, force):
    """Neither a new run directory, nor anything in the place of an old one."""
    if force:
        tr.replay({"vm": [{"trace": "a"}]}, {"a": {"page": [1, 2]}}, jit=False).save(tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    line = [sys.executable, "-c", PROGRAM, "replay", str(long_trace), "--tick", "1", "-q", "-o"]
    with subprocess.Popen(
        [*line, str(tmp_path / "run"), *(["--force"] if force else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    said = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert said == ["tracereplay: interrupted; nothing half-written is left"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
