"""Imports a few bytes and looks at the rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tracereplay.errors import TraceError
from tracereplay.trace import Metadata, open_trace
from tracereplay.trace.convert import import_trace

SAMPLES = os.environ.get("TRACEREPLAY_SAMPLES")
"""A folder with real files of other tools, which are not ours to pass on."""


def sample(name: str) -> Path:
    """A real file of another tool; the test is skipped where it is not at hand."""
    if SAMPLES is None or not (path := Path(SAMPLES) / name).exists():
        pytest.skip(f"needs the file {name} in a folder that TRACEREPLAY_SAMPLES names")
    return path


def imported(
    tmp_path: Path, format: str, *contents: bytes, **options: Any
) -> tuple[Metadata, dict[str, list]]:
    """What ``contents`` (one file each) become: metadata, and the columns that the trace has."""
    sources = []
    for i, content in enumerate(contents):
        sources.append(tmp_path / f"source{i}")
        sources[-1].write_bytes(content)
    target = tmp_path / "imported.parquet"
    metadata = import_trace(format, sources, target, force=True, **options)
    return metadata, columns(target)


def columns(path: Path) -> dict[str, list]:
    """The columns of a trace file; null contents are None."""
    trace = open_trace(path)
    found: dict[str, list] = {}
    for batch in trace.batches():
        for name in trace.columns:
            values: Sequence[Any] = getattr(batch, name).tolist()
            if name == "content":
                values = [v if k else None for v, k in zip(values, batch.known.tolist(), strict=True)]
            found.setdefault(name, []).extend(values)
    return found


def refused(tmp_path: Path, format: str, *contents: bytes, **options: Any) -> str:
    """The message for ``contents``, with the files' folder taken out; nothing may be left behind."""
    with pytest.raises(TraceError) as caught:
        imported(tmp_path, format, *contents, **options)
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("source")}
    assert left == set(), left
    assert not open_files(tmp_path), "while the error is still held"
    return str(caught.value).replace(f"{tmp_path}/", "")


def open_files(folder: Path) -> set[str]:
    """Files in ``folder`` that this process holds open, where the system tells."""
    held = (os.path.realpath(link) for link in Path("/proc/self/fd").glob("*"))
    return {path for path in held if path.startswith(f"{folder}/")}
