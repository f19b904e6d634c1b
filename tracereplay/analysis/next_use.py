"""When every access's page is used next: a backward pass over any trace, in bounded memory.

The pages go to a temporary file first and are read from its end; what is found goes to a second one.  They
take 12 bytes of disk an access, in the system's directory for temporary files; memory is 8 bytes a page.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from types import TracebackType
from typing import IO

import numpy as np

from tracereplay.core import _jit
from tracereplay.errors import OutputError
from tracereplay.policies.opt import NEVER
from tracereplay.trace.schema import Op

_BLOCK_ROWS = 1 << 20
_FREE = int(Op.FREE)


class NextUses:
    """The next uses of rows that are given once, to be taken in the same order; a context manager.

    ``batches`` gives page ids (int32, dense) of all rows, how many ids there are so far, and operations
    (uint8) or None.  The next use of a row is the index of the next row of the same page; NEVER if there is
    none, or if the page is freed before.  OutputError: no room for the files.
    """

    def __init__(self, batches: Iterable[tuple[np.ndarray, int, np.ndarray | None]]) -> None:
        self._found = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        try:
            with tempfile.TemporaryFile() as pages:
                n_rows, n_pages = _spool(batches, pages)
                _look_back(pages, n_rows, n_pages, self._found)
        except OSError as problem:
            self._found.close()
            raise OutputError(
                f"{tempfile.gettempdir()}: cannot hold when pages are used next ({problem}); set TMPDIR to a "
                "directory with 12 bytes of room for each access"
            ) from None
        except BaseException:
            self._found.close()
            raise
        self._found.seek(0)

    def __enter__(self) -> NextUses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._found.close()

    def take(self, n_rows: int) -> np.ndarray:
        """The next uses (int64) of the next ``n_rows`` rows."""
        return np.fromfile(self._found, np.int64, n_rows)


def _spool(batches: Iterable[tuple[np.ndarray, int, np.ndarray | None]], file: IO[bytes]) -> tuple[int, int]:
    """Write the pages of all rows, of FREE rows their complement; how many rows and pages there are."""
    n_rows = n_pages = 0
    for page, known, op in batches:
        (page if op is None else np.where(op == _FREE, ~page, page)).tofile(file)
        n_rows += len(page)
        n_pages = known
    return n_rows, n_pages


def _look_back(pages: IO[bytes], n_rows: int, n_pages: int, found: IO[bytes]) -> None:
    """Write the next use of every row to ``found``, block by block from the end."""
    next_of = np.full(n_pages, NEVER, np.int64)
    for start in reversed(range(0, n_rows, _BLOCK_ROWS)):
        pages.seek(4 * start)
        block = np.fromfile(pages, np.int32, min(_BLOCK_ROWS, n_rows - start))
        out = np.empty(len(block), np.int64)
        _kernel()(block, start, next_of, out)
        found.seek(8 * start)
        out.tofile(found)


def look_back(pages, start, next_of, out):
    """Write the next use of each row of a block to ``out``; ``next_of`` holds those of what comes after."""
    for i in range(pages.shape[0] - 1, -1, -1):
        page = np.int64(pages[i])
        if page < 0:
            next_of[~page] = NEVER
            out[i] = NEVER
        else:
            out[i] = next_of[page]
            next_of[page] = start + i


@functools.cache
def _kernel() -> _jit.Kernel:
    return _jit.specialise(look_back)
