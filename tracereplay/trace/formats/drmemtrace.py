"""DynamoRIO's drmemtrace: instructions and their data accesses, 12-byte entries, one file per thread.

Layout and numbers: clients/drcachesim/common/trace_entry.h of DynamoRIO.  Physical addresses, which some
traces carry in markers, are not used.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np

from tracereplay.catalog import Flag
from tracereplay.trace.formats._codes import LEFT_OUT, table
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source
from tracereplay.trace.schema import Op

SAMPLE = "u16 type, u16 size, u64 address, 12 bytes an entry; a file, or a directory of threads"

_ENTRY = np.dtype([("type", "<u2"), ("size", "<u2"), ("addr", "<u8")])
_ACCESS = np.dtype([("address", np.uint64), ("size", np.uint64), ("op", np.uint8)])

_INSTRUCTION, _BUNDLE, _THREAD, _PROCESS, _HEADER, _MARKER, _NO_FETCH = 10, 17, 22, 24, 25, 28, 29
_TIMESTAMP, _FILE_TYPE = 2, 9
_FILTERED = 0x1 | 0x80 | 0x100  # bits of the file type
_VERSIONS = range(1, 8)
_MOST_IN_BUNDLE = 8

_CODES = 1 << 16
_FETCHES = (*range(_INSTRUCTION, _BUNDLE), 31, 48, 49)
_OPS = table({Op.READ: (0,), Op.WRITE: (1,), Op.FETCH: _FETCHES}, _CODES)
_LEFT_OUT = {
    "prefetches": (*range(2, 10), 27, *range(32, 47)),
    "cache flushes": (*range(18, 22),),
    "repeated instructions without a fetch": (_NO_FETCH,),
    "markers": (_MARKER,),
    "instruction encodings": (47,),
    "headers, footers, thread and process entries": (*range(_THREAD, 27),),
}
_KNOWN = np.isin(np.arange(_CODES), [0, 1, *_FETCHES, _BUNDLE, *itertools.chain(*_LEFT_OUT.values())])
_EXECUTED = np.isin(np.arange(_CODES), [*_FETCHES, _NO_FETCH])
_BESIDE_THREADS = (".", "cpu_schedule.bin", "serial_schedule.bin", "modules.log", "funclist.log",
                   "encodings.bin", "v2p.textproto")  # fmt: skip
_MERGED = 1 << 16


@dataclass
class _Seen:
    """What the entries of all files say of themselves."""

    threads: set[int] = field(default_factory=set)
    processes: set[int] = field(default_factory=set)
    filtered: bool = False


def looks_like(head: bytes) -> bool:
    """Whether it begins with a header entry, of any version, and a marker or thread entry."""
    first = np.frombuffer(head, _ENTRY, min(len(head) // _ENTRY.itemsize, 2))
    if len(first) < 2:
        return False
    header, following = first.tolist()
    return header[:2] == (_HEADER, 0) and header[2] < 256 and following[0] in (_MARKER, _THREAD)


def read(sources: Sequence[Source], findings: Findings, *, instructions: Flag = True) -> Iterator[Records]:
    """Fetches, reads and writes of one process, its threads merged by their timestamps.

    Several sources, and the files of a directory, are threads of one address space: one VM.  Time is the
    number of instructions that all threads have fetched.  A prefetch is no access: it cannot fault.
    ``instructions``: with the fetches of the code pages.
    """
    findings.time_unit = "instructions"
    files = [file for source in sources for file in _files(source)]
    findings.said["drmemtrace version"] = max(map(_version, files))
    seen = _Seen()
    done = 0
    for accesses in _merged([_accesses(file, findings, seen) for file in files]):
        fetched = accesses["op"] == Op.FETCH
        time = done + np.cumsum(fetched)
        done = int(time[-1])
        if not instructions:
            findings.skip("instruction fetches", int(fetched.sum()))
            accesses, time = accesses[~fetched], time[~fetched]
        yield Records(accesses["address"], accesses["size"], accesses["op"], time.astype(np.uint64))
    findings.said["threads"] = len(seen.threads)
    if seen.filtered:
        findings.said["filtered"] = "by a cache while recording: accesses that hit in it are missing"


def _files(source: Source) -> list[Source]:
    """The threads' files of a directory in name order; of a file, itself."""
    directory = Path(source.name)
    if not directory.is_dir():
        return [source]
    paths = sorted(p for p in directory.iterdir() if p.is_file() and not p.name.startswith(_BESIDE_THREADS))
    if not paths:
        source.refuse("a directory without files of threads", "one for each, such as NAME.trace.zip")
    return [source.beside(path) for path in paths]


def _version(source: Source) -> int:
    """The version in the header entry, checked."""
    head = source.head()[: _ENTRY.itemsize]
    if len(head) < _ENTRY.itemsize:
        source.refuse(f"{len(head)} bytes", f"a drmemtrace header of {_ENTRY.itemsize} bytes")
    kind, _, version = np.frombuffer(head, _ENTRY)[0].tolist()
    if kind != _HEADER:
        source.refuse_byte(0, f"an entry of type {kind}", f"a drmemtrace header, type {_HEADER}")
    if version not in _VERSIONS:
        known = f"a version whose layout is known, {_VERSIONS[0]} to {_VERSIONS[-1]}"
        source.refuse_byte(4, f"drmemtrace version {version}", known)
    return int(version)


def _merged(threads: Sequence[Iterator[tuple[int, np.ndarray]]]) -> Iterator[np.ndarray]:
    """The threads' pieces in the order of their timestamps, put together into arrays of useful size."""
    pieces: list[np.ndarray] = []
    length = 0
    for _, piece in heapq.merge(*threads, key=itemgetter(0)):
        pieces.append(piece)
        length += len(piece)
        if length >= _MERGED:
            yield np.concatenate(pieces)
            pieces, length = [], 0
    if pieces:
        yield np.concatenate(pieces)


def _accesses(source: Source, findings: Findings, seen: _Seen) -> Iterator[tuple[int, np.ndarray]]:
    """The accesses of a file in pieces, each with the timestamp (µs) in force."""
    at, end, clock = 0, np.uint64(0), np.uint64(0)
    for entries in source.records(_ENTRY):
        _count(source, entries, at, findings)
        _note(source, entries, seen)
        at += entries.nbytes
        entries, end = _unbundled(entries, end)
        stamped = (entries["type"] == _MARKER) & (entries["size"] == _TIMESTAMP)
        stamps = np.maximum.accumulate(np.where(stamped, entries["addr"], clock))
        clock = max(clock, stamps[-1])
        op = _OPS[entries["type"]]
        kept = np.flatnonzero(op != LEFT_OUT)
        accesses = np.empty(len(kept), _ACCESS)
        accesses["address"], accesses["size"] = entries["addr"][kept], entries["size"][kept]
        accesses["op"] = op[kept]
        yield from _cut(accesses, stamps[kept])


def _count(source: Source, entries: np.ndarray, at: int, findings: Findings) -> None:
    """Count entries that are no accesses; refuse those that no version has."""
    counts = np.bincount(entries["type"], minlength=_CODES)
    for why, codes in _LEFT_OUT.items():
        findings.skip(why, int(counts[list(codes)].sum()))
    bundled = entries["type"] == _BUNDLE
    wrong = np.flatnonzero(~_KNOWN[entries["type"]] | (bundled & (entries["size"] > _MOST_IN_BUNDLE)))
    if len(wrong):
        kind, size, _ = entries[wrong[0]].tolist()
        found = f"an entry of type {kind} and size {size}"
        source.refuse_byte(at + int(wrong[0]) * _ENTRY.itemsize, found, "one that drmemtrace has")


def _note(source: Source, entries: np.ndarray, seen: _Seen) -> None:
    """What the entries say of threads, processes and filters; refuse a second process."""
    seen.threads.update(entries["addr"][entries["type"] == _THREAD].tolist())
    seen.processes.update(entries["addr"][entries["type"] == _PROCESS].tolist())
    if len(seen.processes) > 1:
        found = " and ".join(map(str, sorted(seen.processes)))
        source.refuse(
            f"the processes {found}", "one address space: import each process alone, then merge them"
        )
    file_types = entries["addr"][(entries["type"] == _MARKER) & (entries["size"] == _FILE_TYPE)]
    seen.filtered |= bool((file_types & np.uint64(_FILTERED)).any())


def _cut(accesses: np.ndarray, stamps: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Pieces of one timestamp each."""
    edges = [0, *(np.flatnonzero(stamps[1:] != stamps[:-1]) + 1).tolist(), len(accesses)]
    for first, end in itertools.pairwise(edges):
        if first < end:
            yield int(stamps[first]), accesses[first:end]


def _unbundled(entries: np.ndarray, end: np.uint64) -> tuple[np.ndarray, np.uint64]:
    """``entries`` with bundles as the instructions that they stand for, and where the last one ends.

    A bundle has the lengths of up to 8 instructions, one after the other from ``end`` of the one before.
    """
    bundled = entries["type"] == _BUNDLE
    if bundled.any():
        entries = _expanded(entries, bundled, end)
    last = entries[np.flatnonzero(_EXECUTED[entries["type"]])[-1:]]
    return entries, (last["addr"] + last["size"])[0] if len(last) else end


def _expanded(entries: np.ndarray, bundled: np.ndarray, end: np.uint64) -> np.ndarray:
    """``entries`` with one of each instruction in a bundle, its length out of the bundle's bytes.

    Addresses: that of the last instruction that has one, or ``end``, and all lengths since.
    """
    count = np.where(bundled, entries["size"], 1).astype(np.int64)
    of = np.repeat(np.arange(len(entries)), count)
    inside = bundled[of]
    within = (np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count))[inside].astype(np.uint64)
    found = entries[of]
    found["size"][inside] = (found["addr"][inside] >> (within * np.uint64(8))) & np.uint64(255)
    found["type"][inside] = _INSTRUCTION
    executed = _EXECUTED[found["type"]]
    size, has_address = found["size"][executed].astype(np.uint64), ~inside[executed]
    before = np.cumsum(size) - size
    origins = np.append(end, (found["addr"][executed] - before)[has_address])
    found["addr"][executed] = origins[np.cumsum(has_address)] + before
    return found
