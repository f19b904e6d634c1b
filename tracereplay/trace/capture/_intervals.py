"""Accesses gathered into intervals, each closed with the contents that its pages have at its end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tracereplay.errors import UsageError
from tracereplay.trace.capture._contents import contents
from tracereplay.trace.ids import Ids
from tracereplay.trace.reduce import Kept, Reduction
from tracereplay.trace.schema import Op

CONTENT = (
    "XXH3-64 of the 4 KiB page at the end of the row's interval, before the page's first write in it at the "
    "end of the interval before; 0 is the zero page"
)
"""What ``Intervals`` gives a row as content, as a trace's ``source`` says it."""

_NO_ACCESSES = Kept(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.uint8))


def at_least_one(name: str, value: int) -> None:
    """UsageError for a recorder's parameter that is less."""
    if value < 1:
        raise UsageError(f"capture: {name}: found {value}; expected at least 1")


class Everything:
    """Keeps every access, where no reduction is wanted."""

    def __init__(self) -> None:
        self._added: list[Kept] = []

    def add(self, time: np.ndarray, page: np.ndarray, op: np.ndarray) -> None:
        """The next accesses."""
        self._added.append(Kept(time, page, op))

    def settle(self) -> Kept:
        """All accesses since the last call."""
        kept = Kept(*map(np.concatenate, zip(_NO_ACCESSES, *self._added, strict=True)))
        self._added.clear()
        return kept


class Intervals:
    """Rows of a trace, interval by interval, from the accesses in ``kept``.

    ``count`` is that of intervals; ``unexplained`` counts pages whose content changed from one interval that
    touched them to the next one without a write.
    """

    def __init__(self, kept: Everything | Reduction) -> None:
        self.count = 0
        self.unexplained = 0
        self._kept = kept
        self._ids = Ids()
        self._page = np.zeros(0, np.uint64)
        self._content = np.zeros(0, np.uint64)
        self._known = np.zeros(0, np.bool_)

    def close(self, memory: int | None) -> pa.RecordBatch:
        """The rows since the last call.

        Their content is the page's now, read from ``memory`` (a descriptor of /proc/PID/mem); before the
        page's first write, what it was at the end of the interval before; null where neither is known.
        """
        time, page, op = self._kept.settle()
        ids = self._ids.encode(page)
        self._grow(len(self._ids))
        self._page[ids] = page
        touched, written = (np.zeros(len(self._ids), np.bool_) for _ in range(2))
        touched[ids] = True
        written[ids[op == Op.WRITE]] = True
        unwritten = _before_first_write(ids, op, written)
        earlier, was_known = self._content[ids[unwritten]], self._known[ids[unwritten]]
        pages = np.flatnonzero(touched)
        pages = pages[np.argsort(self._page[pages])]
        if memory is None:
            self._known[pages] = False
        else:
            found, known = contents(memory, self._page[pages])
            changed = known & self._known[pages] & (found != self._content[pages])
            self.unexplained += int((changed & ~written[pages]).sum())
            self._content[pages], self._known[pages] = found, known
        self.count += 1
        content, known = self._content[ids], self._known[ids]
        content[unwritten], known[unwritten] = earlier, was_known
        column = pa.array(content, pa.uint64(), mask=~known)
        return pa.record_batch({"time": time, "page": page, "op": op, "content": column})

    def _grow(self, pages: int) -> None:
        """Room for more pages."""
        more = pages - len(self._page)
        self._page, self._content, self._known = (
            np.concatenate((column, np.zeros(more, column.dtype)))
            for column in (self._page, self._content, self._known)
        )


def _before_first_write(ids: np.ndarray, op: np.ndarray, written: np.ndarray) -> np.ndarray:
    """Rows of pages that are ``written`` in these rows, but only later; ``ids`` tells each row's page."""
    writes = np.flatnonzero(op == Op.WRITE)[::-1]
    first_write = np.zeros(len(written), np.int64)
    first_write[ids[writes]] = writes
    rows = np.flatnonzero(written[ids])
    return rows[rows < first_write[ids[rows]]]
