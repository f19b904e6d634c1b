"""Where the small traces that come with tracereplay are: inside an installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from tracereplay.errors import TraceError

_HERE = Path(__file__).parent


def trace_path(name: str) -> Path:
    """Path of a bundled trace by name (``"sort"``); TraceError when this installation lacks it."""
    for folder in (_HERE / "_bundled", _HERE.parent / "traces"):
        path = folder / f"{name}.parquet"
        if path.exists():
            return path
    raise TraceError("this bundled trace is not installed; reinstall tracereplay", f"{name}.parquet")
