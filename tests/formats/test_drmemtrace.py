"""drmemtrace: entries of one thread, many threads on one clock, what is left out and why."""

from __future__ import annotations

import gzip
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.analysis.one_level import count_misses
from tracereplay.errors import TraceError
from tracereplay.trace import formats, open_trace, write_trace
from tracereplay.trace.convert import import_trace
from tracereplay.trace.formats._records import Findings
from tracereplay.trace.formats._source import Source

READ, WRITE, PREFETCH, INSTRUCTION, JUMP, BUNDLE, FLUSH = 0, 1, 2, 10, 11, 17, 20
THREAD, EXIT, PROCESS, HEADER, FOOTER, MARKER, NO_FETCH, ENCODING, TAKEN = 22, 23, 24, 25, 26, 28, 29, 47, 48
TIMESTAMP, CPU, FILE_TYPE = 2, 3, 9
FETCH = 3


def entry(type: int, size: int, addr: int) -> bytes:
    return struct.pack("<HHQ", type, size, addr)


def thread(*entries: tuple[int, int, int], id: int = 100, process: int = 100, version: int = 7) -> bytes:
    """A whole file of one thread."""
    begin = [(HEADER, 0, version), (THREAD, 4, id), (PROCESS, 4, process)]
    return b"".join(entry(*e) for e in [*begin, *entries, (EXIT, 4, id), (FOOTER, 0, 0)])


def at(microseconds: int) -> tuple[int, int, int]:
    return MARKER, TIMESTAMP, microseconds


EXAMPLE = thread(
    at(1000),
    (ENCODING, 4, 0x1234),
    (INSTRUCTION, 4, 0x400FFE),
    (READ, 8, 0x7FFF00001000),
    (PREFETCH, 1, 0x9000),
    (TAKEN, 2, 0x401002),
    (NO_FETCH, 2, 0x401002),
    (WRITE, 16, 0x601FF8),
    (FLUSH, 64, 0x601000),
)
BOUNDS = "headers, footers, thread and process entries"


def test_entries_become_accesses(tmp_path):
    """Fetches, reads and writes of their sizes, both pages where they cross; the rest is counted by kind."""
    metadata, rows = imported(tmp_path, "drmemtrace", EXAMPLE)
    assert rows == {
        "time": [0, 0, 0, 1, 1, 1],
        "page": [0x400, 0x401, 0x7FFF00001, 0x401, 0x601, 0x602],
        "op": [FETCH, FETCH, READ, FETCH, WRITE, WRITE],
    }
    assert metadata.time_unit == "instructions"
    assert metadata.source["skipped"] == {
        "prefetches": 1,
        "cache flushes": 1,
        "repeated instructions without a fetch": 1,
        "markers": 1,
        "instruction encodings": 1,
        BOUNDS: 5,
    }
    assert (metadata.source["drmemtrace version"], metadata.source["threads"]) == (7, 1)
    assert "filtered" not in metadata.source


def test_without_fetches(tmp_path):
    """The data accesses; times are counted from the first of them."""
    metadata, rows = imported(tmp_path, "drmemtrace:instructions=false", EXAMPLE)
    assert rows == {"time": [0, 1, 1], "page": [0x7FFF00001, 0x601, 0x602], "op": [READ, WRITE, WRITE]}
    assert metadata.source["skipped"]["instruction fetches"] == 2


def test_bundles_are_instructions(tmp_path):
    """Up to eight lengths, one after the other from the end of the instruction before; here byte by byte."""
    content = thread(
        (INSTRUCTION, 2, 0x10FE),
        (BUNDLE, 3, 0x02_03_01),
        (READ, 1, 0x5000),
        (BUNDLE, 1, 0x03),
        (JUMP, 2, 0x2000),
        (BUNDLE, 8, 0x01_01_01_01_01_01_01_01),
    )
    _, rows = imported(tmp_path, "drmemtrace", content, page_size=1)
    assert rows["page"] == [*range(0x10FE, 0x1106), 0x5000, *range(0x1106, 0x1109), *range(0x2000, 0x200A)]
    assert rows["time"] == [0, 0, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, *range(6, 14)]


def test_bundles_follow_the_instruction_of_a_block_before(tmp_path):
    """However many entries lie between."""
    content = thread((INSTRUCTION, 4, 0xFFC), *[(READ, 1, 0x5000)] * 70_000, (BUNDLE, 2, 0x04_04))
    _, rows = imported(tmp_path, "drmemtrace", content)
    assert rows["page"] == [0, *[5] * 70_000, 1, 1]


def test_threads_are_merged_by_their_timestamps(tmp_path):
    """A thread runs from one timestamp to its next; equal ones in the order of the files."""
    first = thread(at(10), (INSTRUCTION, 1, 0x1000), at(30), (INSTRUCTION, 1, 0x2000), (READ, 1, 0x3000))
    then = (at(20), (INSTRUCTION, 1, 0x5000), at(40), (WRITE, 1, 0x6000))
    second = thread(at(10), (INSTRUCTION, 1, 0x4000), *then, id=101)
    expected = {
        "time": [0, 1, 2, 3, 3, 3],
        "page": [1, 4, 5, 2, 3, 6],
        "op": [FETCH, FETCH, FETCH, FETCH, READ, WRITE],
    }
    metadata, rows = imported(tmp_path, "drmemtrace", first, second)
    assert rows == expected
    assert (metadata.source["threads"], len(metadata.vms)) == (2, 1)

    directory = tmp_path / "app.dir"
    directory.mkdir()
    (directory / "app.1.trace.gz").write_bytes(gzip.compress(first))
    with zipfile.ZipFile(directory / "app.2.trace.zip", "w") as archive:
        archive.writestr("chunk.0001", second[60:])
        archive.writestr("chunk.0000", second[:60])
    (directory / "serial_schedule.bin.gz").write_bytes(gzip.compress(bytes(32)))
    (directory / "cpu_schedule.bin.zip").write_bytes(b"")
    metadata = import_trace("drmemtrace", directory, tmp_path / "merged.parquet")
    assert columns(tmp_path / "merged.parquet") == expected
    assert [vm.name for vm in metadata.vms] == ["app"]


def test_a_filter_is_told(tmp_path):
    """A recorder that leaves out what hits in a small cache says so in the file type."""
    metadata, _ = imported(tmp_path, "drmemtrace", thread((MARKER, FILE_TYPE, 0x140), (READ, 1, 0x1000)))
    assert metadata.source["filtered"] == "by a cache while recording: accesses that hit in it are missing"


def test_it_is_told_by_its_header():
    """Of any version, known or not; only this format."""
    for version in (1, 7, 99):
        assert formats.matching(thread(at(1), version=version)) == ("drmemtrace",)
    assert formats.matching(entry(HEADER, 0, 7) + entry(READ, 4, 0x1000)) == ()


BAD = {
    "version": (
        (thread(version=8),),
        "source0: byte 4: found drmemtrace version 8; expected a version whose layout is known, 1 to 7",
    ),
    "no header": (
        (entry(INSTRUCTION, 4, 0x1000),),
        "source0: byte 0: found an entry of type 10; expected a drmemtrace header, type 25",
    ),
    "type": (
        (EXAMPLE, EXAMPLE + entry(30, 4, 0x1000)),
        "source1: byte 168: found an entry of type 30 and size 4; expected one that drmemtrace has",
    ),
    "bundle": (
        (thread((BUNDLE, 9, 0)),),
        "source0: byte 36: found an entry of type 17 and size 9; expected one that drmemtrace has",
    ),
    "cut": ((EXAMPLE[:-1],), "source0: byte 156: found 11 bytes at the end; expected records of 12 bytes"),
    "nothing": ((b"",), "source0: found 0 bytes; expected a drmemtrace header of 12 bytes"),
    "processes": (
        (EXAMPLE, thread(process=7)),
        "source1: found the processes 7 and 100; expected one address space: import each process alone",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path, case):
    """File, byte, found and expected; no file is left."""
    contents, message = BAD[case]
    assert refused(tmp_path, "drmemtrace", *contents).startswith(message)


def test_a_directory_without_threads_is_refused(tmp_path):
    """Schedules are no threads."""
    (tmp_path / "cpu_schedule.bin.zip").write_bytes(b"")
    with pytest.raises(TraceError, match="found a directory without files of threads; expected one for each"):
        import_trace("drmemtrace", tmp_path, tmp_path.parent / "none.parquet")


@pytest.mark.parametrize(
    ("name", "entries", "version"),
    [
        ("drmemtrace.small.x64.trace", 251, 1),
        ("drmemtrace.simple_app.trace.zip", 191_901, 4),
        ("offline-legacy-trace.gz", 128_035, 1),
    ],
)
def test_real_traces(tmp_path, name, entries, version):
    """Accesses and what is left out are all entries: with pages too large to be crossed, each is one row."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample(f"drmemtrace/{name}"), target, page_size=1 << 40)
    assert metadata.rows + sum(metadata.source["skipped"].values()) == entries
    assert metadata.source["drmemtrace version"] == version


def test_real_reuse_distances(tmp_path):
    """DynamoRIO's own reuse distances of the small trace: 229 references to five lines of 64 bytes.

    Its tool counts the line of an access's first byte only.
    """
    source = Source(sample("drmemtrace/drmemtrace.small.x64.trace"))
    addresses = [records.address for records in formats.get("drmemtrace").read([source], Findings())]
    lines = np.concatenate(addresses) // np.uint64(64)
    assert (len(lines), len(set(lines.tolist()))) == (229, 5)
    write_trace(tmp_path / "lines.parquet", pa.table({"page": lines}))
    references_at = {0: 103, 1: 42, 2: 13, 3: 13, 4: 53}
    for frames in range(1, 6):
        hits = sum(count for distance, count in references_at.items() if distance < frames)
        assert count_misses(open_trace(tmp_path / "lines.parquet"), "lru", frames) == 229 - hits


def test_a_real_directory_of_threads(tmp_path):
    """Every entry of nine threads, on one clock of instructions."""
    target = tmp_path / "t.parquet"
    directory = sample("drmemtrace/drmemtrace.threadsig.x64.tracedir")
    entries = sum(
        info.file_size // 12
        for path in directory.glob("*.trace.zip")
        for info in zipfile.ZipFile(path).infolist()
    )
    metadata = import_trace("drmemtrace", directory, target, page_size=1 << 40)
    assert metadata.rows + sum(metadata.source["skipped"].values()) == entries
    assert metadata.source["threads"] == 9
    assert metadata.time_range == (0, columns(target)["op"].count(FETCH) - 1)
