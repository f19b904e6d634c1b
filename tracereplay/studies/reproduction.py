"""Whether a saved run comes out again, byte for byte, and what does not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tracereplay.problems import shown
from tracereplay.progress import Progress
from tracereplay.provenance import rerun
from tracereplay.result import Result, load_run
from tracereplay.run_directory import STABLE, TIMELINE, read_json

MOST_VALUES = 5
"""Values of a file that are told."""


class Reproduction(NamedTuple):
    """The run once more, and what differs from the saved one, in words; nothing where all bytes are equal."""

    result: Result
    differences: tuple[str, ...]


def reproduce(directory: str | os.PathLike[str], *, progress: Progress | None = None) -> Reproduction:
    """Run a run directory's record once more and compare the files that must be the same.

    ResultError when the directory is damaged, or an input is gone, was a table in memory, or has changed.
    """
    saved = load_run(directory)
    result = rerun(saved.provenance, progress=progress)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(directory), result.save(Path(folder) / "run")
        other = [file for file in STABLE if (old / file).read_bytes() != (new / file).read_bytes()]
        told = [f"{file}: {text}" for file in other for text in _differences(file, old, new)]
    return Reproduction(result, (*told, *(_versions(saved, result) if told else ())))


def _differences(file: str, old: Path, new: Path) -> list[str]:
    """In which values two files differ; in none, where only their bytes do."""
    if file == TIMELINE:
        values = _columns(load_run(old).timeline, load_run(new).timeline)
    else:
        before, now = dict(_leaves(read_json(old / file))), dict(_leaves(read_json(new / file)))
        keys = [key for key in dict.fromkeys((*before, *now)) if before.get(key) != now.get(key)]
        values = [f"{key}: {shown(before.get(key))}, now {shown(now.get(key))}" for key in keys]
    more = [f"{len(values) - MOST_VALUES} more values"] if len(values) > MOST_VALUES else []
    return values[:MOST_VALUES] + more or ["the same values in other bytes"]


def _columns(before: pd.DataFrame, now: pd.DataFrame) -> list[str]:
    """In which columns two timelines differ, or that they are not of one form."""
    if (len(before), *before) != (len(now), *now):
        sizes = (f"{len(table)} rows of {len(table.columns)} columns" for table in (before, now))
        return [", now ".join(sizes)]
    return [f"column {name}" for name in before if not before[name].equals(now[name])]


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a JSON object by their dotted keys; VMs by their numbers."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, f"{key}.{name}" if key else str(name))


def _versions(saved: Result, again: Result) -> list[str]:
    """What the run was made with, where that is not what is here."""
    before, now = saved.provenance["versions"], again.provenance["versions"]
    other = [
        f"{name} {before[name]}, here {now.get(name)}" for name in before if before[name] != now.get(name)
    ]
    return [f"it was made with {'; '.join(other)}"] if other else []
