"""DAMON's recordings of accesses by region (damo record, as JSON or compressed; perf script of its events).

DAMON watches one page of each region at a time, and says for each aggregation interval how often it found it
accessed.  Each interval becomes a touch of every page of every region with accesses (at least ``least`` of
them), in address order, at the interval's end, as reads: DAMON takes the pages of a region to be alike.  That
overstates large regions of few accesses and says nothing on the order within an interval: good for working
sets and their change, not for counts of accesses.  The rule and its sum are those of ``damo report wss``.

One VM for each target, addresses taken to be virtual.  Files may have any length; of JSON, whose targets
follow each other, the numbers are in memory, 24 bytes a region.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracereplay.catalog import Count
from tracereplay.problems import shown
from tracereplay.trace.formats._json import JsonReader
from tracereplay.trace.formats._records import Array, Findings, Records
from tracereplay.trace.formats._source import BLOCK_BYTES, Source, first_lines

SAMPLE = "kdamond.0 4452 [000] 82820.952659: damon:damon_aggregated: target_id=0 nr_regions=8 4096-8192: 3"

_BATCH_BYTES = 1 << 30
_WHEN = r".*?\s\[\d+\]\s+(?:.*?\s)??(\d{1,9})\.(\d{6,9}):\s+"
_AGGREGATED = re.compile(
    _WHEN + r"damon:damon_aggregated:\s+(?:.*?\s)??"
    r"target_id=(\d+) nr_regions=(\d{1,9}) (\d{1,19})-(\d{1,19}): (\d{1,9})(?: .*)?"
)
_EVENT = re.compile(_WHEN + r"([\w-]+(?::[\w-]+)?):\s*(.*)")
_PERF = re.compile(rb"\sdamon:\w+:\s")
_LINE = f"an event as perf script prints it, such as {SAMPLE}"
_RECORD = "records of damo: target_id, snapshots of end_time, regions of start, end, nr_accesses.samples"


class Region(NamedTuple):
    """Bytes from ``start`` up to ``end``, and how many samples found an access."""

    start: int
    end: int
    accesses: int


class Snapshot(NamedTuple):
    """The regions of one target in one interval that ended at ``time`` (ns)."""

    time: int
    target: str
    regions: Sequence[Region]


def looks_like(head: bytes) -> bool:
    """Whether it is JSON of damo, compressed or not, or the first lines are events of DAMON."""
    text = _inflated(head, 1 << 12) if _is_zlib(head) else head
    if text.lstrip().startswith(b"["):
        return b'"kdamond_idx"' in text or (b'"target_id"' in text and b'"snapshots"' in text)
    return any(map(_PERF.search, first_lines(head)))


def read(sources: Sequence[Source], findings: Findings, *, least: Count = 1) -> Iterator[Records]:
    """Every page of each region with at least ``least`` accesses, once an interval."""
    findings.time_unit = "ns"
    findings.said |= {"sampled": True, "snapshots": 0, "regions_touched": 0}
    for source in sources:
        yield from _batches(_touches(_snapshots(source, findings), findings, least))


def _snapshots(source: Source, findings: Findings) -> Iterator[Snapshot]:
    head = source.head()
    if _is_zlib(head) or head.lstrip().startswith(b"["):
        yield from _of_json(source, findings)
    else:
        yield from _of_perf(source, findings)


def _touches(
    snapshots: Iterable[Snapshot], findings: Findings, least: int
) -> Iterator[tuple[int, int, int, int]]:
    """Time, VM, first byte and bytes of each region that is touched; the others are counted."""
    for time, target, regions in snapshots:
        vm = findings.vm(f"target {target}")
        findings.said["snapshots"] += 1
        for start, end, accesses in regions:
            if accesses >= least:
                findings.said["regions_touched"] += 1
                yield time, vm, start, end - start
            else:
                findings.skip("regions below least" if accesses else "regions without accesses")


def _batches(touches: Iterable[tuple[int, int, int, int]]) -> Iterator[Records]:
    """Regions cut so that no batch spans more than _BATCH_BYTES."""
    batch: list[tuple[int, int, int, int]] = []
    room = _BATCH_BYTES
    for time, vm, start, left in touches:
        while left:
            size = min(left, room)
            batch.append((time, vm, start, size))
            start, left, room = start + size, left - size, room - size
            if not room:
                yield _records(batch)
                batch, room = [], _BATCH_BYTES
    if batch:
        yield _records(batch)


def _records(batch: list[tuple[int, int, int, int]]) -> Records:
    time, vm, start, size = np.array(batch, np.uint64).T
    return Records(start.copy(), size.copy(), time=time.copy(), vm=vm.astype(np.uint16))


class _Event(NamedTuple):
    """One region of a snapshot, as ``perf script`` tells it."""

    seconds: str
    fraction: str
    target: str
    nr_regions: int
    region: Region


def _of_perf(source: Source, findings: Findings) -> Iterator[Snapshot]:
    """Snapshots of consecutive ``damon_aggregated`` events; those that lack some are counted."""
    events: list[_Event] = []
    for event in _events(source, findings):
        if events and not _continues(events, event):
            yield _snapshot_of(events, findings)
            events = []
        events.append(event)
    if events:
        yield _snapshot_of(events, findings)


def _events(source: Source, findings: Findings) -> Iterator[_Event]:
    """The ``damon_aggregated`` events; others are counted by name."""
    for number, line in source.lines():
        if found := _AGGREGATED.fullmatch(line):
            seconds, fraction, target, count, start, end, accesses = found.groups()
            region = Region(int(start), int(end), int(accesses))
            if region.start < region.end:
                yield _Event(seconds, fraction, target, int(count), region)
                continue
        if line.strip():
            findings.skip(f"events {_other_event(source, number, line)}")


def _other_event(source: Source, number: int, line: str) -> str:
    """The name of an event that is not ``damon_aggregated``; TraceError for what is none."""
    event = _EVENT.fullmatch(line)
    if not event:
        source.refuse_line(number, shown(line.strip()), _LINE)
    *_, name, said = event.groups()
    if name == "damon:damon_aggregated":
        source.refuse_line(number, shown(said), "target_id=… nr_regions=… START-END: ACCESSES")
    return name


def _continues(events: Sequence[_Event], event: _Event) -> bool:
    """Whether ``event`` is of the snapshot of ``events``, whose regions rise."""
    last = events[-1]
    return (
        event.target == last.target
        and event.nr_regions == last.nr_regions
        and len(events) < last.nr_regions
        and event.region.start >= last.region.end
    )


def _snapshot_of(events: Sequence[_Event], findings: Findings) -> Snapshot:
    first = events[0]
    if len(events) < first.nr_regions:
        findings.said["snapshots that lack regions"] = findings.said.get("snapshots that lack regions", 0) + 1
    time = int(first.seconds + first.fraction.ljust(9, "0"))
    return Snapshot(time, first.target, [event.region for event in events])


class _Found(NamedTuple):
    """A snapshot that waits for those of other targets."""

    time: int
    record: int
    regions: Array  # uint64[regions, 3], as in Region


def _of_json(source: Source, findings: Findings) -> Iterator[Snapshot]:
    """Snapshots of all records, by time."""
    text = JsonReader(source, _json_text(source), f"a whole file: {_RECORD}")
    snapshots: list[_Found] = []
    targets: list[str] = []
    for i in text.items():
        record: dict[str, Any] = {}
        for key in text.keys():  # noqa: SIM118
            if key != "snapshots":
                record[key] = text.value()
                continue
            record[key] = True
            snapshots.extend(_found(source, text.value(), i, j) for j in text.items())
        if missing := [key for key in ("target_id", "snapshots") if key not in record]:
            source.refuse(f"record {i} without {missing[0]}", _RECORD)
        targets.append(str(record["target_id"]))
        if record.get("intervals"):
            findings.said["intervals"] = record["intervals"]
    text.end()
    for time, i, regions in sorted(snapshots, key=lambda snapshot: snapshot.time):
        yield Snapshot(time, targets[i], [Region(*region) for region in regions.tolist()])


def _json_text(source: Source) -> Iterator[bytes]:
    """The JSON, inflated if need be."""
    if not _is_zlib(source.head()):
        yield from source.blocks()
        return
    inflate = zlib.decompressobj()
    for block in source.blocks():
        left = block
        while left:
            try:
                yield inflate.decompress(left, BLOCK_BYTES)
            except zlib.error as problem:
                source.refuse(f"data that cannot be decompressed ({problem})", "a whole file; copy it again")
            left = inflate.unconsumed_tail


def _found(source: Source, snapshot: Any, record: int, number: int) -> _Found:
    """A snapshot of damo's."""
    try:
        regions = [_region(r["start"], r["end"], r["nr_accesses"]["samples"]) for r in snapshot["regions"]]
        time = _number(snapshot["end_time"])
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        where = f"record {record}, snapshot {number}"
        source.refuse(f"{where} that cannot be read ({type(problem).__name__}: {problem})", _RECORD)
    return _Found(time, record, np.array(regions, np.uint64).reshape(-1, 3))


def _region(start: object, end: object, accesses: object) -> Region:
    """A region of these numbers; ValueError if they are none, or out of order."""
    region = Region(_number(start), _number(end), _number(accesses))
    if region.start >= region.end:
        raise ValueError(f"the region {region.start}-{region.end} ends before it begins")
    return region


def _number(value: object) -> int:
    """damo writes numbers as texts, with commas."""
    number = int(str(value).replace(",", ""))
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{number} is no unsigned number of 64 bits")
    return number


def _is_zlib(head: bytes) -> bool:
    """Whether it begins with a zlib header (RFC 1950): deflate, and a multiple of 31."""
    return len(head) > 2 and head[0] == 0x78 and int.from_bytes(head[:2]) % 31 == 0


def _inflated(head: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(head, most)
    except zlib.error:
        return b""
