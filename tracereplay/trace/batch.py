"""Arrow batches checked and turned into plain arrays: the one place that knows what a valid row is.

Both the reader and the writer pass every row through a ``Checker``, so nothing can be written that
could not be read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tracereplay.errors import TraceError
from tracereplay.trace.schema import COLUMNS, MAX_VMS, Op

Array = npt.NDArray[Any]

_DTYPES: dict[str, Any] = {
    "time": np.uint64,
    "vm": np.uint16,
    "page": np.uint64,
    "op": np.uint8,
    "content": np.uint64,
}
_OPS = "0 (read), 1 (write), 2 (free) or 3 (fetch)"


class Batch(NamedTuple):
    """Consecutive rows as C-contiguous, read-only arrays of equal length (at least 1 as read).

    ``row`` is the index of the first one in the trace; ``time``, ``page``, ``content`` are uint64,
    ``vm`` is uint16, ``op`` uint8; ``known`` is False where the content is null
    (what ``content`` holds there means nothing).
    """

    row: int
    time: Array
    vm: Array
    page: Array
    op: Array
    content: Array
    known: Array


def check_schema(schema: pa.Schema, path: object) -> frozenset[str]:
    """Which of the five columns exist; TraceError when ``page`` is missing or one has a wrong type."""
    for name in COLUMNS:
        found = schema.get_all_field_indices(name)
        if len(found) > 1:
            raise TraceError(f"column {name}: found {len(found)} columns of that name; expected one", path)
        if found and not _is_integer(schema.field(found[0]).type, nullable=name == "content"):
            raise TraceError(
                f"column {name}: found type {schema.field(found[0]).type}; expected an integer type "
                f"({np.dtype(_DTYPES[name])}); convert the column",
                path,
            )
    if "page" not in schema.names:
        names = ", ".join(schema.names[:12]) or "none"
        raise TraceError(
            f"column page: not found (columns: {names}); expected the page number "
            "of each access; rename or add it",
            path,
        )
    return frozenset(name for name in COLUMNS if name in schema.names)


def _is_integer(kind: pa.DataType, *, nullable: bool) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_integer(kind) or (nullable and pa.types.is_null(kind)))


class Checker:
    """Turns the record batches of one pass into Batches, in order, and refuses what is not a trace.

    ``vm_limit`` is the number of VMs there may be. Keeps the row number and the last time between batches.
    """

    def __init__(self, columns: Collection[str], vm_limit: int = MAX_VMS) -> None:
        self.columns = frozenset(columns)
        self.vm_limit = vm_limit
        self.row = 0
        self._last_time: int | None = None
        self._constants: dict[str, Array] = {}
        self._counted = np.empty(0, np.uint64)

    def check(self, piece: pa.RecordBatch, path: object = None) -> Batch:
        """The next rows. TraceError names the column, the row in the whole trace, found and expected."""
        n = piece.num_rows
        time = self._time(piece, path)
        vm = self._column(piece, "vm", path)
        page = self._column(piece, "page", path)
        op = self._column(piece, "op", path)
        content, known = self._content(piece, path)
        for array in (time, vm, page, op, content, known):
            array.flags.writeable = False
        batch = Batch(self.row, time, vm, page, op, content, known)
        self.row += n
        return batch

    def _column(self, piece: pa.RecordBatch, name: str, path: object) -> Array:
        """A column without nulls; zeros when it is absent."""
        if name not in self.columns:
            return self._constant(f"no {name}", 0, _DTYPES[name], piece.num_rows)
        array = _decoded(piece.column(name))
        if array.null_count:
            at = pc.index(array.is_null(), True).as_py()
            self._refuse(name, at, "null", "a number in every row; fill or drop such rows", path)
        return self._integers(name, array, path)

    def _time(self, piece: pa.RecordBatch, path: object) -> Array:
        """The times, never decreasing, also over the border to the batch before; absent: row numbers."""
        n = piece.num_rows
        if "time" not in self.columns:
            return self._row_numbers(n)
        time = self._column(piece, "time", path)
        last = self._last_time
        if last is not None and n and int(time[0]) < last:
            self._refuse_order(0, int(time[0]), last, path)
        falls = time[1:] < time[:-1]
        if falls.any():
            at = int(falls.argmax()) + 1
            self._refuse_order(at, int(time[at]), int(time[at - 1]), path)
        if n:
            self._last_time = int(time[-1])
        return time

    def _content(self, piece: pa.RecordBatch, path: object) -> tuple[Array, Array]:
        """Contents (anything where unknown) and whether they are known."""
        n = piece.num_rows
        array = _decoded(piece.column("content")) if "content" in self.columns else None
        if array is None or array.null_count == n:
            unknown = self._constant("unknown", False, np.bool_, n)
            return self._constant("no content", 0, np.uint64, n), unknown
        if array.null_count == 0:
            return self._integers("content", array, path), self._constant("known", True, np.bool_, n)
        validity, values = array.buffers()
        known = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little").view(np.bool_)
        known = np.ascontiguousarray(known[array.offset : array.offset + n])
        if pa.types.is_uint64(array.type):  # leave what stands under the nulls: filling costs a pass
            plain = pa.Array.from_buffers(array.type, n, [None, values], offset=array.offset)
        else:
            plain = array.fill_null(0)
        return self._integers("content", plain, path), known

    def _integers(self, name: str, array: pa.Array, path: object) -> Array:
        """An Arrow integer array without nulls in the column's type: a view where possible; range checked."""
        values = array.to_numpy(zero_copy_only=True)
        if values.dtype.kind == "i" and len(values) and values.min() < 0:
            at = int((values < 0).argmax())
            self._refuse(name, at, int(values[at]), "0 or more; convert the column to an unsigned type", path)
        limit = {"vm": self.vm_limit, "op": len(Op)}.get(name)
        if limit is not None and len(values) and values.max() >= limit:
            at = int((values >= limit).argmax())
            vms = f"less than {limit}, the number of VMs; list every VM in the metadata"
            expected = _OPS if name == "op" else vms
            self._refuse(name, at, int(values[at]), expected, path)
        dtype = np.dtype(_DTYPES[name])
        values = values.view(dtype) if values.dtype.itemsize == dtype.itemsize else values.astype(dtype)
        return np.ascontiguousarray(values)

    def _row_numbers(self, n: int) -> Array:
        """Row numbers from ``row`` on: adding to numbers made once is faster than counting anew."""
        if len(self._counted) < n:
            self._counted = np.arange(n, dtype=np.uint64)
        return self._counted[:n] + np.uint64(self.row)

    def _constant(self, key: str, value: int, dtype: Any, n: int) -> Array:
        """The first ``n`` of a constant array that all batches share: absent columns cost nothing."""
        array = self._constants.get(key)
        if array is None or len(array) < n:
            array = self._constants[key] = np.full(n, value, dtype)
        return array[:n]

    def _refuse(self, name: str, at: int, found: object, expected: str, path: object) -> None:
        raise TraceError(f"column {name}: found {found}; expected {expected}", path, self.row + at)

    def _refuse_order(self, at: int, found: int, before: int, path: object) -> None:
        expected = f"{before} or more, the time of the row before; sort the rows by time"
        self._refuse("time", at, found, expected, path)


def _decoded(array: pa.Array) -> pa.Array:
    """Arrow's dictionary arrays (pandas' categories) as plain ones."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
