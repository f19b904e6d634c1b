"""Opening a trace and streaming its rows in batches, in bounded memory whatever the size of the file."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tracereplay.errors import TraceError
from tracereplay.trace.batch import Batch, Checker
from tracereplay.trace.schema import COLUMNS, MAX_VMS, Metadata, Op
from tracereplay.trace.source import BATCH_ROWS, Part, Source, as_table, open_parquet, open_table

__all__ = ["Batch", "Trace", "open_trace"]


def open_trace(source: object) -> Trace:
    """A Trace over a path, a URI, a directory of part files, or a table in memory.

    Tables are pa.Table, pandas DataFrames, dicts of arrays and anything with ``__arrow_c_stream__`` (polars,
    DuckDB); a Trace comes back as it is. Reads footers only; rows are checked when they are streamed.
    TraceError: no such file, not Parquet, cut off, no rows, no ``page`` column, a column that does not hold
    integers, broken metadata.
    """
    if isinstance(source, Trace):
        return source
    if isinstance(source, str | os.PathLike):
        return _trace(open_parquet(source))
    table = as_table(source)
    if table is None:
        raise TraceError(
            f"found a {type(source).__name__}; expected a path, a table (Arrow, pandas, "
            "polars, DuckDB) or a Trace",
            "<trace>",
        )
    return _trace(open_table(table))


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace that can be streamed any number of times; made by ``open_trace``.

    ``columns`` are those of the five that exist; ``metadata`` is always filled as far as can be told without
    reading rows (``has_metadata`` says whether the file brought any).
    """

    name: str
    metadata: Metadata
    columns: frozenset[str]
    n_rows: int
    has_metadata: bool
    source: Source

    @cached_property
    def n_vms(self) -> int:
        """Number of VMs: listed in the metadata, else highest index + 1 by statistics or the rows."""
        if self.metadata.vms:
            return len(self.metadata.vms)
        if "vm" not in self.columns:
            return 1
        found = self.source.statistics("vm")
        if found is not None and all(s.has_min_max for _, s in found if _):
            # Statistics may be nonsense; the rows are still checked, but nothing is sized by nonsense.
            return min(max(0, *(int(s.max) for rows, s in found if rows)), MAX_VMS - 1) + 1
        return max(int(b.vm.max()) for b in self._stream(("vm",), BATCH_ROWS, MAX_VMS)) + 1

    @cached_property
    def has_content(self) -> bool:
        """Whether any row knows its content."""
        if "content" not in self.columns:
            return False
        found = self.source.statistics("content")
        if found is not None and all(s.has_null_count for _, s in found):
            return any(s.null_count < rows for rows, s in found)
        return any(bool(b.known.any()) for b in self.batches(("content",)))

    @cached_property
    def may_free(self) -> bool:
        """Whether rows may free pages: False where statistics say that none does; rows are not read."""
        if "op" not in self.columns:
            return False
        found = self.source.statistics("op")
        reads_and_writes = (Op.READ, Op.WRITE)
        return found is None or any(
            not s.has_min_max or int(s.max) not in reads_and_writes for rows, s in found if rows
        )

    def batches(self, columns: Collection[str] = COLUMNS, batch_rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """All rows in order, at most ``batch_rows`` at a time, decoding only ``columns``.

        A column that is absent or not asked for is constant: time = row number, vm = 0, op = READ, content
        unknown (and page = 0). The first bad row or damaged byte raises TraceError after the batches before.
        """
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise ValueError(f"no column {', '.join(map(repr, unknown))}; choose from {', '.join(COLUMNS)}")
        if batch_rows < 1:
            raise ValueError(f"batch_rows: found {batch_rows}; expected 1 or more")
        return self._stream(columns, batch_rows, self.n_vms if "vm" in columns else MAX_VMS)

    def _stream(self, columns: Collection[str], batch_rows: int, vm_limit: int) -> Iterator[Batch]:
        wanted = [c for c in COLUMNS if c in columns and c in self.columns]
        checker = Checker(wanted, vm_limit)
        # With nothing to decode, pages still say how many rows there are.
        for path, piece in self.source.pieces(wanted or ["page"], batch_rows):
            yield checker.check(piece, path)

    def footprints(self) -> tuple[int, ...]:
        """Distinct pages of each VM: the metadata's numbers, else counted in one pass (kept)."""
        return self._footprints

    def time_range(self) -> tuple[int, int]:
        """First and last time: the metadata's, else the column's ends (kept); row numbers without one."""
        return self._time_range

    def raw_accesses(self) -> tuple[int | None, ...]:
        """Accesses of each VM, FREE rows left out, before any reduction; None where nobody knows.

        The metadata's numbers where the trace is reduced, else counted, if need be in one pass (kept).
        """
        return self._raw_accesses

    @cached_property
    def _raw_accesses(self) -> tuple[int | None, ...]:
        if self.metadata.reduction is not None:
            return tuple(vm.raw_accesses for vm in self.metadata.vms) or (None,) * self.n_vms
        if self.n_vms == 1 and not self.may_free:
            return (self.n_rows,)
        counts = np.zeros(self.n_vms, np.int64)
        for batch in self.batches(("vm", "op")):
            counts += np.bincount(batch.vm[batch.op != Op.FREE], minlength=self.n_vms)
        return tuple(counts.tolist())

    @cached_property
    def _footprints(self) -> tuple[int, ...]:
        listed = [vm.pages for vm in self.metadata.vms if vm.pages is not None]
        if listed and len(listed) == self.n_vms:
            return tuple(listed)
        # Numba is behind it: not before it is needed.
        from tracereplay.trace.ids import Ids

        ids = Ids(self.n_vms)
        for batch in self.batches(("vm", "page")):
            ids.encode(batch.page, batch.vm)
        return tuple(int(n) for n in ids.counts)

    @cached_property
    def _time_range(self) -> tuple[int, int]:
        if "time" not in self.columns:
            return 0, self.n_rows - 1
        if self.metadata.time_range is not None:
            return self.metadata.time_range
        path, first = self.source.end("time", last=False)
        start = int(Checker(("time",)).check(first, path).time[0])
        path, last = self.source.end("time", last=True)
        checker = Checker(("time",))
        checker.row = self.n_rows - 1
        end = int(checker.check(last, path).time[0])
        if end < start:
            raise TraceError(
                f"column time: found {end}; expected {start} or more, the first time; sort the rows by time",
                path,
                self.n_rows - 1,
            )
        return start, end


def _trace(source: Source) -> Trace:
    texts = [part.metadata_json for part in source.parts]
    rows = sum(part.rows for part in source.parts)
    metadata = _metadata(source.parts, rows)
    if "time" not in source.columns:
        metadata = replace(metadata, time_unit="accesses", time_range=None)
    return Trace(source.name, metadata, source.columns, rows, any(t is not None for t in texts), source)


def _metadata(parts: tuple[Part, ...], rows: int) -> Metadata:
    """One Metadata for all parts; what they counted is dropped where it does not speak of all these rows.

    Rows that were filtered by another tool keep the old metadata; their number gives it away.
    """
    found = [
        (p.path, Metadata.from_json(p.metadata_json, p.path)) for p in parts if p.metadata_json is not None
    ]
    if not found:
        return Metadata(rows=rows)
    first = found[0][1]
    if len(parts) == 1 and first.rows in (None, rows):
        return replace(first, rows=rows)
    for path, other in found[1:]:
        for key in ("page_size", "time_unit", "page_space"):
            if getattr(other, key) != getattr(first, key):
                raise TraceError(
                    f"metadata: {key}: found {getattr(other, key)!r}; "
                    f"expected {getattr(first, key)!r} as in the part files before it; write all parts alike",
                    path,
                )
    vms = max((m.vms for _, m in found), key=len)
    reduced = [m.reduction for _, m in found if m.reduction is not None]
    return replace(
        first,
        rows=rows,
        time_range=None,
        vms=tuple(replace(vm, pages=None, raw_accesses=None) for vm in vms),
        reduction=max(reduced, key=lambda r: r.get("exact_above") or 0, default=None),
    )
