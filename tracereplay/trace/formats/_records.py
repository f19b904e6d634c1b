"""What every importer yields, and how it becomes rows: byte ranges split into pages, one clock, one count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError, UsageError
from tracereplay.trace.schema import MAX_VMS

Array = np.ndarray

MOST_PAGES = 1 << 22
"""Most pages that one access can touch: 16 GiB of pages of 4 KiB."""
_PAGES_AT_ONCE = 1 << 20


class Records(NamedTuple):
    """Consecutive accesses of a foreign trace, arrays of equal length; None where the format does not say.

    ``address`` and ``size`` are uint64: bytes, or, of a format that counts in pages (``Findings.blocks``),
    page numbers and pages.  An access of size 0 touches one byte.  ``time`` is uint64 in
    ``Findings.time_unit``, on any origin; ``op`` uint8 (``schema.Op``); ``vm`` uint16 (``Findings.vm``);
    ``content`` uint64 with ``known`` bool, both or neither: of an access within one page, else not kept.
    """

    address: Array
    size: Array | None = None
    op: Array | None = None
    time: Array | None = None
    vm: Array | None = None
    content: Array | None = None
    known: Array | None = None


@dataclass
class Findings:
    """What an importer learns beside the rows; filled while it reads.

    ``blocks``: addresses are page numbers, not bytes.  ``time_unit``: of ``Records.time``.  ``said``: facts
    for the trace's ``source`` metadata, such as how faithful the recording is.  ``page_size`` is in bytes;
    ``page_size_asked`` what the user wants, None if nothing.
    """

    page_size_asked: int | None = None
    page_size: int = 4096
    blocks: bool = False
    time_unit: str = "accesses"
    page_space: str = "guest-virtual"
    skipped: Counter[str] = field(default_factory=Counter)
    said: dict[str, Any] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)
    _vms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.page_size = self.page_size_asked or self.page_size

    def fix_page_size(self, size: int) -> None:
        """Say which pages the format has; UsageError if the user wants others."""
        if self.page_size_asked not in (None, size):
            raise UsageError(
                f"import: found a page size of {self.page_size_asked} bytes; expected {size}, or none: this "
                "format says what its pages are"
            )
        self.page_size = size

    def skip(self, why: str, count: int = 1) -> None:
        """Count records that are left out, by reason: nothing is dropped silently."""
        if count:
            self.skipped[why] += count

    def vm(self, name: str) -> int:
        """Index of the VM of this name; a new one for a new name."""
        if len(self._vms) == MAX_VMS and name not in self._vms:
            raise TraceError(
                f"found the VM {name} after {MAX_VMS} others; expected no more: import a part of the trace"
            )
        return self._vms.setdefault(name, len(self._vms))

    @property
    def unit(self) -> int:
        """What an address counts in a page."""
        return 1 if self.blocks else self.page_size

    @property
    def vms(self) -> tuple[str, ...]:
        """Names of the VMs so far, by index."""
        return tuple(self._vms)


def tables(batches: Iterator[Records], findings: Findings) -> Iterator[pa.RecordBatch]:
    """Rows of a trace: one per page that an access touches, times counted from the first one.

    A time below the one before it is raised to that, and counted in ``findings.said``.
    """
    clock = _Clock(findings)
    for records in _bounded(batches, findings):
        page, of_record = pages_touched(records, findings.unit)
        columns: dict[str, Any] = {"page": page}
        if records.time is not None:
            columns["time"] = _spread(clock.counted(records.time), of_record)
        for name in ("vm", "op"):
            if (values := getattr(records, name)) is not None:
                columns[name] = _spread(values, of_record)
        if records.content is not None and records.known is not None:
            known = _of_one_page(records.known, of_record, findings)
            columns["content"] = pa.array(_spread(records.content, of_record), pa.uint64(), mask=~known)
        yield pa.record_batch(columns)


def _bounded(batches: Iterator[Records], findings: Findings) -> Iterator[Records]:
    """The same in batches that are not empty and touch few pages at a time, however long their ranges are."""
    done = 0
    for records in batches:
        if records.size is None or not len(records.address):
            cuts = [0, len(records.address)]
        else:
            pages = records.size // np.uint64(findings.unit)
            if (most := int(pages.max())) > MOST_PAGES:
                record = done + int(pages.argmax()) + 1
                raise TraceError(
                    f"found an access of {most} pages (record {record}); expected at most {MOST_PAGES}"
                )
            group = np.cumsum(pages) // np.uint64(_PAGES_AT_ONCE)
            cuts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(pages)]
        done += len(records.address)
        for begin, end in pairwise(cuts):
            if begin < end:
                yield Records._make(None if column is None else column[begin:end] for column in records)


def pages_touched(records: Records, page_size: int) -> tuple[Array, Array | None]:
    """The pages touched, and, where some record touches several, the record of each."""
    unit = np.uint64(page_size)
    first = records.address // unit
    if records.size is None:
        return first, None
    # bounded by the end of the address space, which a range may touch but not cross
    most = np.uint64(2**64 - 1) - records.address
    last = (records.address + np.minimum(np.maximum(records.size, 1) - np.uint64(1), most)) // unit
    count = (last - first).astype(np.int64) + 1
    if len(count) == count.sum():
        return first, None
    of_record = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(of_record)) - np.repeat(np.cumsum(count) - count, count)
    return first[of_record] + within.astype(np.uint64), of_record


def _spread(values: Array, of_record: Array | None) -> Array:
    return values if of_record is None else values[of_record]


def _of_one_page(known: Array, of_record: Array | None, findings: Findings) -> Array:
    """``known`` of each page, where its record touches no other: one content is not that of several pages."""
    if of_record is None:
        return known
    several = np.bincount(of_record) > 1
    if left_out := int((known & several).sum()):
        said, what = findings.said, "contents of several pages at once left out"
        said[what] = said.get(what, 0) + left_out
    return (known & ~several)[of_record]


class _Clock:
    """Times counted from the first one of the trace, never falling."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._first: np.uint64 | None = None
        self._last = np.uint64(0)

    def counted(self, time: Array) -> Array:
        if self._first is None:
            self._first = self._last = time[0]
        raised = np.maximum.accumulate(np.maximum(time, self._last))
        late = int((raised != time).sum())
        if late:
            said = self._findings.said
            said["times raised to the one before"] = said.get("times raised to the one before", 0) + late
        self._last = raised[-1]
        return raised - self._first
