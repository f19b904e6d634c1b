"""Tables whose columns have names of their own: which is what, and how their values become accesses."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracereplay.catalog import Text
from tracereplay.errors import UsageError
from tracereplay.problems import one_of, shown
from tracereplay.trace.formats._records import MOST_PAGES, Array, Findings, Records
from tracereplay.trace.formats._source import Source
from tracereplay.trace.schema import MAX_VMS, Op

DECIMALS = {"s": 9, "ms": 6, "us": 3}
"""Decimals that a time can have, by its unit: those that are whole nanoseconds."""
TIME_UNITS = (*DECIMALS, "ns", "instructions", "accesses")

_MOST_BYTES = MOST_PAGES * 4096
_NUMBER = "a whole number from 0 to 2^64 - 1, decimal or 0x…"
_OPS = {**{op.name: op for op in Op}, **{str(int(op)): op for op in Op}, "R": Op.READ, "W": Op.WRITE}
_OP = "read, write, free or fetch, r or w, or 0 to 3 (op= leaves the column out)"

Refuse = Callable[[int, str, str], NoReturn]
"""Told a row of a table, what was found in it and what was expected."""


@dataclass
class Columns:
    """Which columns say what an access consists of, by their names; none where the name is empty.

    Its arguments are parameters of every format of tables (``with_columns``).
    ``address`` (bytes) takes the place of ``page`` where it is named; ``size`` is in the same unit.
    ``time_unit`` is that of the column ``time``.  Numbers in a column that is called ``vm`` are indices, as
    in a trace; anything else, in whichever column, is the name of a VM.  The first row of an import says
    which of the two they all are.
    """

    page: Text = "page"
    address: Text = ""
    size: Text = ""
    time: Text = "time"
    op: Text = "op"
    vm: Text = "vm"
    content: Text = "content"
    time_unit: Text = "accesses"
    _vms_by_index: bool | None = field(default=None, init=False)

    def tell(self, findings: Findings) -> None:
        """What the names alone say of the trace; UsageError for an unknown unit of time."""
        try:
            one_of(self.time_unit, TIME_UNITS)
        except ValueError as error:
            raise UsageError(f"import: time_unit: {error}") from None
        findings.blocks = not self.address
        findings.time_unit = "ns" if self.time_unit in DECIMALS else self.time_unit

    def among(self, names: Iterable[str], file: str, findings: Findings) -> dict[str, str]:
        """Ours → theirs; UsageError if one that was named, or the page, is missing; others are left out."""
        known = tuple(names)
        place = "address" if self.address else "page"
        found = {}
        for ours in (place, "size", "time", "op", "vm", "content"):
            name = getattr(self, ours)
            if known.count(name) > 1:
                raise UsageError(f"{file}: column {ours}: found two columns {shown(name)}; expected one")
            if name in known:
                found[ours] = name
            elif name and (name != ours or ours == place):
                try:
                    one_of(name, known)
                except ValueError as error:
                    raise UsageError(f"{file}: column {ours}: {error}; say which: {ours}=NAME") from None
        if left_out := [name for name in known if name not in found.values()]:
            findings.said["columns left out"] = ", ".join(map(shown, left_out))
        return found

    def records(self, table: pa.Table, findings: Findings, refuse: Refuse) -> Records:
        """The accesses of a table whose columns have our names; their values are numbers or texts."""
        found: dict[str, Any] = {}
        for name in table.schema.names:
            column = _Column(name, table.column(name).combine_chunks(), refuse)
            match name:
                case "page" | "address":
                    found["address"] = column.integers()
                case "size":
                    found["size"] = column.sizes(_MOST_BYTES if self.address else MOST_PAGES)
                case "time":
                    found["time"] = column.times(self.time_unit)
                case "op":
                    found["op"] = column.mapped(_op, _OP).astype(np.uint8)
                case "vm":
                    if self._vms_by_index is None:
                        self._vms_by_index = self.vm == "vm" and column.begins_with_a_number()
                    found["vm"] = column.vms(findings, by_index=self._vms_by_index).astype(np.uint16)
                case "content":
                    found["content"], found["known"] = column.contents()
        return Records(**found)


def with_columns(read: Callable[..., Iterator[Records]]) -> Callable[..., Iterator[Records]]:
    """``read(sources, findings, columns, *, …)`` as a format's: the arguments of ``Columns`` by keyword."""
    names = inspect.signature(Columns).parameters

    @functools.wraps(read)
    def read_table(sources: Sequence[Source], findings: Findings, **given: Any) -> Iterator[Records]:
        columns = Columns(**{name: given.pop(name) for name in names if name in given})
        columns.tell(findings)
        return read(sources, findings, columns, **given)

    own = inspect.signature(read).parameters.values()
    shared = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in names.values()]
    of_read = [p for p in own if p.name != "columns"]
    parameters = sorted([*of_read[:2], *shared, *of_read[2:]], key=lambda p: p.kind)
    read_table.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    read_table.__annotations__ |= typing.get_type_hints(Columns, include_extras=True)
    return read_table


@dataclass(frozen=True)
class _Column:
    """One column of a table, and whom to tell of what it should not hold."""

    name: str
    values: pa.Array
    refuse: Refuse

    def integers(self) -> Array:
        """Numbers as uint64."""
        return self._cast(self._filled(_NUMBER), pa.uint64(), _NUMBER).to_numpy()

    def sizes(self, most: int) -> Array:
        """Numbers of bytes or pages as uint64."""
        sizes = self.integers()
        if (beyond := sizes > most).any():
            self._refuse_row(int(beyond.argmax()), f"a size of at most {most}")
        return sizes

    def times(self, unit: str) -> Array:
        """Times as uint64: ns, of longer units exactly so."""
        expected = f"a time of at least 0 in {unit}"
        values = self._filled(expected)
        if unit not in DECIMALS:
            return self._cast(values, pa.uint64(), f"{expected}, a whole number").to_numpy()
        decimals = self._cast(values, pa.decimal128(38, DECIMALS[unit]), expected)
        halves = np.frombuffer(decimals.buffers()[1], np.uint64).reshape(-1, 2)
        low, high = halves[decimals.offset : decimals.offset + len(decimals)].T
        if high.any():
            self._refuse_row(int((high != 0).argmax()), expected)
        return low

    def contents(self) -> tuple[Array, Array]:
        """Contents as uint64, and whether they are known: null and an empty text are not."""
        values = self.values
        if _is_text(values.type):
            values = pc.replace_with_mask(values, pc.equal(values, ""), pa.scalar(None, values.type))
        numbers = self._cast(values, pa.uint64(), f"{_NUMBER}, or nothing")
        return numbers.fill_null(0).to_numpy(), numbers.is_valid().to_numpy(zero_copy_only=False)

    def begins_with_a_number(self) -> bool:
        """Whether the first value is a whole number, negative or not, or a text of one."""
        kind = self.values.type
        return pa.types.is_integer(kind) or _cast_whole(self.values[:1].drop_null(), pa.int64()) is not None

    def vms(self, findings: Findings, *, by_index: bool) -> Array:
        """Indices of VMs; those that are new are added to ``findings``."""
        if not by_index:
            return self.mapped(findings.vm, "the name of a VM")
        expected = f"the index of a VM, below {MAX_VMS}, or in all rows a name"
        numbers = self._cast(self._filled(expected), pa.uint16(), expected).to_numpy()
        for index in range(len(findings.vms), int(numbers.max()) + 1):
            findings.vm(f"vm{index}")
        return numbers

    def mapped(self, value: Callable[[str], int | None], expected: str) -> Array:
        """``value`` of each text or number; it is asked once for equal ones, and None is refused."""
        coded = pc.dictionary_encode(self._filled(expected))
        values = [value(str(text)) for text in coded.dictionary.to_pylist()]
        codes = coded.indices.to_numpy()
        if None in values:
            self._refuse_row(int((codes == values.index(None)).argmax()), expected)
        return np.array(values)[codes]

    def _filled(self, expected: str) -> pa.Array:
        """The values, none of which may be null."""
        if self.values.null_count:
            self._refuse_row(pc.index(self.values.is_null(), True).as_py(), expected)
        return self.values

    def _cast(self, values: pa.Array, kind: pa.DataType, expected: str) -> pa.Array:
        """The values as another type; the first that cannot be so is refused."""
        if (cast := _cast_whole(values, kind)) is not None:
            return cast
        good, bad = 0, len(values)
        while bad - good > 1:
            middle = (good + bad) // 2
            if _cast_whole(values[good:middle], kind) is not None:
                good = middle
            else:
                bad = middle
        self._refuse_row(good, expected)

    def _refuse_row(self, row: int, expected: str) -> NoReturn:
        self.refuse(row, f"{shown(self.values[row].as_py())} in column {self.name}", expected)


def _op(text: str) -> int | None:
    return _OPS.get(text.upper())


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _cast_whole(values: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return values.cast(kind)
    except pa.ArrowException:
        return None
