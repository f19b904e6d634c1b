"""libCacheSim's oracleGeneral: time, object, size and next access of each request, 24 bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import numpy as np

from tracereplay.errors import UsageError
from tracereplay.trace.batch import Batch
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import HEAD_BYTES, Source
from tracereplay.trace.ids import Ids
from tracereplay.trace.schema import Metadata

SAMPLE = "u32 time in s, u64 object, u32 size, i64 next access (-1: none), 24 bytes a record"
CARRIES = frozenset({"page", "time"})

RECORD = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])
NANOSECONDS = np.uint64(10**9)
_NEVER = (-1, 2**63 - 1)
_BLOCK = 1 << 16


def looks_like(head: bytes) -> bool:
    """Whether times do not fall, and next accesses are those of the objects in sight, or beyond, or none.

    Some must be in sight, or none.  Requests are numbered from 1, as libCacheSim does, or from 0.
    """
    found = np.frombuffer(head, RECORD, len(head) // RECORD.itemsize)
    whole = len(head) == HEAD_BYTES or len(head) == found.nbytes > 0
    falls = (found["time"][1:] < found["time"][:-1]).any()
    return whole and not falls and any(_agree(found, first) for first in (1, 0))


def _agree(found: np.ndarray, first: int) -> bool:
    """Whether next accesses fit, if requests are numbered from ``first``."""
    _, objects = np.unique(found["object"], return_inverse=True)
    in_sight = _next_numbers(objects, first, np.full(len(found), _NEVER[0], np.int64))
    never = np.isin(found["next"], _NEVER)
    fits = np.where(in_sight < 0, never | (found["next"] >= first + len(found)), found["next"] == in_sight)
    return bool(fits.all() and (never.any() or (in_sight >= 0).any()))


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One read of a page a request: an object is a page, whatever its size; time in ns."""
    findings.blocks = True
    findings.time_unit = "ns"
    for source in sources:
        for found in source.records(RECORD):
            yield Records(found["object"].copy(), time=found["time"] * NANOSECONDS)


def write(batches: Iterable[Batch], sink: IO[bytes], metadata: Metadata) -> dict[str, int]:
    """A request a row, of objects of a page's size; next accesses count requests from 1.

    Times in ns become whole seconds, others stay the counts that they are; both are counted.  Memory: 8 bytes
    a page of the trace and the table of its pages (``trace.ids``), whatever its length.
    """
    if metadata.page_size >= 1 << 32:
        raise UsageError(
            f"export: found pages of {metadata.page_size} bytes; expected less than {1 << 32}, as "
            "oracleGeneral has 32 bits for the size of an object: export page numbers (plain)"
        )
    in_ns = metadata.time_unit == "ns"
    unit = NANOSECONDS if in_ns else np.uint64(1)
    ids = Ids()
    rows = cut = 0
    for batch in batches:
        time = batch.time // unit
        if time[-1] >= 1 << 32:
            raise UsageError(
                f"export: found the time {time[-1]}; expected less than {1 << 32}, as oracleGeneral has 32 "
                "bits for it: export a part (tracereplay slice)"
            )
        records = np.empty(len(time), RECORD)
        records["time"], records["object"], records["size"] = time, batch.page, metadata.page_size
        # which page it is, until the pass backwards knows when it comes again
        records["next"] = ids.encode(batch.page)
        sink.write(records.tobytes())
        rows += len(records)
        cut += int(np.count_nonzero(batch.time % unit))
    _fill_in_next(sink, rows, len(ids))
    if not in_ns:
        return {f"times in {metadata.time_unit}, which pass for seconds": rows}
    return {"times cut to whole seconds": cut} if cut else {}


def _fill_in_next(sink: IO[bytes], rows: int, n_pages: int) -> None:
    """Replace dense page ids in ``next`` by the number of the next request of the page, from the end on."""
    upcoming = np.full(n_pages, _NEVER[0], np.int64)
    for first in reversed(range(0, rows, _BLOCK)):
        at = first * RECORD.itemsize
        sink.seek(at)
        records = np.frombuffer(sink.read(_BLOCK * RECORD.itemsize), RECORD).copy()
        records["next"] = _next_numbers(records["next"], first + 1, upcoming)
        sink.seek(at)
        sink.write(records.tobytes())


def _next_numbers(pages: np.ndarray, first: int, upcoming: np.ndarray) -> np.ndarray:
    """For each of consecutive requests, numbered from ``first``, the number of its page's next one.

    ``upcoming`` (int64[pages], −1: none) holds those after them, and is brought to those from ``first`` on.
    """
    order = np.argsort(pages, kind="stable")
    page, number = pages[order], order + first
    last = np.append(page[1:] != page[:-1], True)
    following = np.append(number[1:], 0)
    following[last] = upcoming[page[last]]
    found = np.empty_like(pages)
    found[order] = following
    starts = np.append(True, last[:-1])
    upcoming[page[starts]] = number[starts]
    return found
