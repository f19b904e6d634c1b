"""What ran on what: versions, digests of the inputs, seed, command; enough to run it again.

Times and facts about the machine live here and nowhere else, so that every other file of a run is the
same, byte for byte, whenever and wherever it is run.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from tracereplay import __version__
from tracereplay.errors import ResultError
from tracereplay.run_directory import AGAIN, PROVENANCE, read_json
from tracereplay.run_shape import PROVENANCE_SHAPE, misfit

if TYPE_CHECKING:
    from tracereplay.progress import Progress
    from tracereplay.result import Result
    from tracereplay.scenario import Scenario
    from tracereplay.trace.reader import Trace

_LIBRARIES = ("numpy", "numba", "pandas", "pyarrow", "pydantic")
_CHUNK = 1 << 22


class Stopwatch:
    """Wall and CPU seconds since it was made."""

    def __init__(self) -> None:
        self.started = datetime.datetime.now(datetime.UTC)
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Wall and CPU seconds so far."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


@dataclass(frozen=True)
class Provenance:
    """The record of one run.

    ``inputs``: per trace of the scenario its absolute path (None for a table in memory), rows and, for
    local files, the XXH3-128 digest of each part.  ``check``: whether the model's laws were verified.
    """

    versions: dict[str, str]
    scenario: dict[str, Any]
    seed: int
    inputs: dict[str, dict[str, Any]]
    command: list[str]
    started: str
    wall_seconds: float
    cpu_seconds: float
    host: dict[str, Any]
    check: bool = False

    @classmethod
    def of_run(cls, said: Scenario, traces: Mapping[str, Trace], watch: Stopwatch) -> Provenance:
        """The record of a run that has just ended."""
        wall, cpu = watch.read()
        versions = _library_versions()
        return cls(
            versions={"tracereplay": __version__, "python": platform.python_version(), **versions},
            scenario=said.model_dump(mode="json", exclude_unset=True),
            seed=said.seed,
            inputs={key: _input(trace) for key, trace in traces.items()},
            command=list(sys.argv),
            started=watch.started.isoformat(timespec="seconds"),
            wall_seconds=round(wall, 3),
            cpu_seconds=round(cpu, 3),
            host={"system": platform.platform(), "machine": platform.machine(), "cpus": os.cpu_count()},
        )

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-able dicts and lists."""
        return asdict(self)


@functools.cache
def _library_versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _input(trace: Trace) -> dict[str, Any]:
    parts = [Path(part.path) for part in trace.source.parts if part.file is not None]
    name = local_path(trace.name)
    return {
        "path": (name if "://" in name else os.path.abspath(name)) if parts else None,
        "rows": trace.n_rows,
        "xxh3_128": {} if "://" in name else {part.name: digest(part) for part in parts},
    }


def local_path(name: str) -> str:
    """The path that a ``file:`` URI names; anything else as it is."""
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(name).path) if name.startswith("file://") else name


def digest(path: Path) -> str:
    """XXH3-128 of a file's bytes, in hexadecimal."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def rerun(
    record: Provenance | Mapping[str, Any] | str | os.PathLike[str], *, progress: Progress | None = None
) -> Result:
    """Run what a record (or a run directory's ``provenance.json``) describes once more.

    The result's deterministic files are the same bytes.  Raises ResultError when the record is none, or an
    input is gone, is a table that lived in memory, or has changed.
    """
    from tracereplay.run import replay

    where = ""
    if isinstance(record, str | os.PathLike):
        path = Path(record)
        path = path / PROVENANCE if path.is_dir() else path
        record, where = read_json(path), f"{path}: "
    data = record.to_dict() if isinstance(record, Provenance) else dict(record)
    if (why := misfit(data, PROVENANCE_SHAPE)) is not None:
        raise ResultError(f"{where}{why}{AGAIN}")
    traces = {}
    for key, found in data["inputs"].items():
        if found["path"] is None:
            raise ResultError(
                f"input {key} was a table in memory; save it with write_trace to make runs repeatable"
            )
        traces[key] = unchanged(key, found)
    return replay(data["scenario"], traces, check=data.get("check", False), progress=progress)


def unchanged(key: str, found: Mapping[str, Any]) -> Trace:
    """The input, opened; ResultError when it is not what the run read, as far as can be told."""
    from tracereplay.trace.reader import open_trace

    path = Path(found["path"])
    for name, expected in found["xxh3_128"].items():
        part = path / name if path.is_dir() else path
        now = None
        with contextlib.suppress(OSError):
            now = digest(part)
        if now != expected:
            state = "is gone" if now is None else f"has changed: digest {now}, expected {expected}"
            raise ResultError(f"input {key}: {part} {state}; restore the file that the run read")
    trace = open_trace(found["path"])
    names = {Path(part.path).name for part in trace.source.parts}
    new = sorted(names - {*found["xxh3_128"]}) if found["xxh3_128"] else []
    if new or trace.n_rows != found["rows"]:
        state = f"has new parts: {', '.join(new)}" if new else f"has {trace.n_rows} rows, not {found['rows']}"
        raise ResultError(f"input {key}: {path} {state}; restore what the run read")
    return trace
