"""Output files appear whole or not at all, and replace nothing unasked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracereplay.errors import OutputError

# where standard output has a name even if it is a regular file now
_DEVICES = (Path("/dev"), Path("/dev/fd"))


def check_target(path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Where a file could be written; OutputError if it could not.  Ask before long work that ends there."""
    if "://" in os.fspath(path):
        raise OutputError(f"{path}: expected a local path to write to; write there and copy the file")
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{path}: found a directory; expected the name of a file to write")
    if os.fspath(path) == "-" or target.parent in _DEVICES or (target.exists() and not target.is_file()):
        raise OutputError(
            f"{path}: expected the name of a file, which appears whole or not at all; standard output, pipes "
            "and devices cannot be written to"
        )
    if target.exists() and not force:
        raise OutputError(f"{path}: exists already; give another name, or force to replace it (--force)")
    if not target.parent.is_dir():
        raise OutputError(f"{path}: no directory {target.parent} to write to; make it first")
    return target


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A temporary name beside ``target`` that becomes it on success and disappears on any exception.

    OutputError for what the disk refuses.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as problem:
        raise OutputError(f"{target}: cannot be written ({problem}); check space and access") from None
    finally:
        temporary.unlink(missing_ok=True)
