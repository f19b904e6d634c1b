"""A run directory on disk: plain files under fixed names, there as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tracereplay.errors import ResultError

SUMMARY, TIMELINE, PROVENANCE = "summary.json", "timeline.parquet", "provenance.json"
STABLE = (SUMMARY, TIMELINE)
"""The files that are the same, byte for byte, for the same scenario, traces and seed."""
AGAIN = "; replay the scenario again"
NO_RUN = "not found; expected a run directory that `tracereplay replay -o` wrote"
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_TRIES = 100


def check_target(target: Path, *, force: bool) -> None:
    """Raise ResultError if a run must not be written to ``target``: long runs ask before they start."""
    try:
        exists = target.exists()
    except OSError as error:  # a name that no file system takes
        raise _unwritable(target, error) from error
    if not exists:
        around = next(folder for folder in target.absolute().parents if folder.exists())
        if not around.is_dir() or not os.access(around, os.W_OK | os.X_OK):
            why = "may not be written to" if around.is_dir() else "is not a directory"
            raise ResultError(f"{target}: cannot be written: {around} {why}; choose another directory")
        return
    if not force:
        raise _exists(target)
    try:
        found = {path.name for path in target.iterdir()} if target.is_dir() else {""}
    except FileNotFoundError:
        return  # another run is just taking its place
    if found and SUMMARY not in found:
        raise ResultError(
            f"{target}: exists and is not a run directory, so it is not overwritten; choose another"
        )


@contextmanager
def appearing_run(directory: Path, *, force: bool) -> Iterator[Path]:
    """An empty directory that becomes ``directory`` on success and disappears on any exception.

    A link is written through.  ResultError when ``directory`` exists, at the beginning or at the end (unless
    ``force`` and it is a run), or for what the disk refuses.
    """
    check_target(directory, force=force)
    target = Path(os.path.realpath(directory))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        yield draft
        draft.chmod(0o755)
        _put_in_place(draft, target, force=force)
    except OSError as error:
        if error.errno in _TAKEN and not force:
            raise _exists(directory) from None
        raise _unwritable(directory, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, target: Path, *, force: bool) -> None:
    """Rename ``draft`` to ``target``; what is there is removed once the new one is in its place.

    OSError that the target is taken, unless ``force``: the system renames onto no directory with files.
    Others may write to the same target meanwhile: the last one's stays.
    """
    for _ in range(_TRIES if force else 1):
        try:
            _exchange(draft, target) if force and target.exists() else draft.replace(target)
        except FileNotFoundError:
            continue  # what was to be replaced has just been taken away
        except OSError as error:
            if not force or error.errno not in _TAKEN:
                raise
        else:
            return
    raise OSError(errno.EBUSY, "others write to it all the time")


def _exchange(draft: Path, target: Path) -> None:
    """Rename ``target`` out of the way and ``draft`` to it; undo the first if the second fails."""
    old = draft.with_name(f"{draft.name}.old")
    target.replace(old)
    try:
        draft.replace(target)
    except BaseException:
        with suppress(OSError):  # another run has taken the place
            old.replace(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; ResultError when it is missing or none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ResultError(f"{path}: {NO_RUN}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: cannot be read: {error}{AGAIN}") from error
    if not isinstance(data, dict):
        raise ResultError(f"{path}: found {type(data).__name__}; expected a JSON object{AGAIN}")
    return data


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write an object as it is read by people and programs."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _exists(target: Path) -> ResultError:
    return ResultError(f"{target}: exists already; choose another directory or overwrite it with --force")


def _unwritable(target: Path, error: OSError) -> ResultError:
    return ResultError(f"{target}: cannot be written: {error.strerror}; choose another directory")
