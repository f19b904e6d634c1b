"""Runs command lines in this process, in a directory of their own, on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tracereplay.cli import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch, tmp_path) -> Callable[..., Done]:
    """``command("info", path)`` is what ``tracereplay info PATH`` does in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def files(tmp_path) -> Callable[[], set[str]]:
    """The files and directories below ``tmp_path`` now, hidden ones included."""
    return lambda: {str(path.relative_to(tmp_path)) for path in Path(tmp_path).rglob("*")}
