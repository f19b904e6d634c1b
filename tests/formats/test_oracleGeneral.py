"""libCacheSim's oracleGeneral: in and out, and what libCacheSim itself makes of what we write."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pyarrow as pa
import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.analysis.one_level import count_misses
from tracereplay.errors import UsageError
from tracereplay.trace import formats, open_trace, write_trace
from tracereplay.trace.convert import export_trace, import_trace
from tracereplay.trace.synth import synth

NEVER = 2**63 - 1
RECORD = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])


def requests(*rows: tuple[int, int, int]) -> bytes:
    """Time, object, next access."""
    return b"".join(struct.pack("<IQIq", time, object, 512, following) for time, object, following in rows)


EXAMPLE = requests((100, 7, 3), (100, 1 << 40, -1), (103, 7, 5), (104, 9, -1), (104, 7, -1))


def test_requests_become_accesses(tmp_path):
    """An object is a page whatever its size; seconds are ns, from the first request on."""
    metadata, rows = imported(tmp_path, "oracleGeneral", EXAMPLE)
    assert rows == {"time": [0, 0, 3 * 10**9, 4 * 10**9, 4 * 10**9], "page": [7, 1 << 40, 7, 9, 7]}
    assert metadata.time_unit == "ns"


ALIKE = {
    "none again, by libCacheSim's converter": requests((5, 1, NEVER), (5, 2, NEVER)),
    "numbered from 0": requests((5, 1, 2), (5, 2, -1), (6, 1, -1)),
    "next access out of sight": requests((5, 1, 2000), (5, 2, -1)),
}
OTHERS = {
    "time falls": requests((5, 1, -1), (4, 2, -1)),
    "next access is of another object": requests((5, 1, 2), (5, 2, -1), (6, 3, -1)),
    "next access is past": requests((5, 1, -1), (5, 2, 1)),
    "nothing to be seen": requests((5, 1, 2000), (5, 2, 3000)),
    "more accesses after the last": requests((5, 1, -1), (5, 1, -1)),
    "next access is not the next": requests((5, 1, 3), (5, 1, 3), (5, 1, -1)),
    "cut": EXAMPLE[:-1],
    "ones": b"\xff" * 120,
    "zeros": bytes(24 * 10),
    "nothing": b"",
}


@pytest.mark.parametrize("case", ALIKE)
def test_it_is_told_by_its_next_accesses(case):
    """Whatever "never" and the first number are; only this format."""
    assert formats.matching(ALIKE[case]) == ("oracleGeneral",)
    assert formats.matching(EXAMPLE) == ("oracleGeneral",)


@pytest.mark.parametrize("case", OTHERS)
def test_what_does_not_fit_is_not_taken_for_it(case):
    """A next access must be later and of the same object, times may not fall."""
    assert formats.matching(OTHERS[case]) == ()


def test_a_cut_file_is_refused(tmp_path):
    """Where the last whole record ends."""
    expected = "source0: byte 96: found 23 bytes at the end; expected records of 24 bytes"
    assert refused(tmp_path, "oracleGeneral", EXAMPLE[:-1]).startswith(expected)


def exported(tmp_path, pages, times=None, **options) -> np.ndarray:
    table = {"page": pa.array(pages, pa.uint64())}
    if times is not None:
        table["time"] = pa.array(times, pa.uint64())
    metadata = {} if times is None else {"time_unit": "ns"}
    trace, target = tmp_path / "t.parquet", tmp_path / "t.bin"
    write_trace(trace, pa.table(table), force=True, **metadata)
    export_trace("oracleGeneral", trace, target, force=True, **options)
    return np.fromfile(target, RECORD)


def test_export(tmp_path):
    """Whole seconds, the page as object, the page's bytes as size, the number of its next request from 1."""
    found = exported(tmp_path, [7, 1 << 63, 7, 9, 7], [0, 1, 3 * 10**9, 3_999_999_999, 4 * 10**9])
    assert found.tolist() == [
        (0, 7, 4096, 3),
        (0, 1 << 63, 4096, -1),
        (3, 7, 4096, 5),
        (3, 9, 4096, -1),
        (4, 7, 4096, -1),
    ]


def test_next_accesses_over_many_blocks(tmp_path):
    """As a dictionary finds them, going backwards over more rows than are ever looked at together."""
    pages = np.random.default_rng(0).zipf(1.2, 200_000) % 5000
    upcoming: dict[int, int] = {}
    expected = []
    for number in range(len(pages), 0, -1):
        page = int(pages[number - 1])
        expected.append(upcoming.get(page, -1))
        upcoming[page] = number
    assert exported(tmp_path, pages)["next"].tolist() == expected[::-1]


def test_export_and_back(tmp_path):
    """The same pages, and the same times where they are whole seconds."""
    times = [0, 0, 3 * 10**9, 4 * 10**9]
    exported(tmp_path, [5, 6, 5, 5], times)
    import_trace("auto", tmp_path / "t.bin", tmp_path / "back.parquet")
    assert columns(tmp_path / "back.parquet") == {"time": times, "page": [5, 6, 5, 5]}


def test_times_that_change(tmp_path):
    """Fractions of seconds, and counts that pass for seconds, are counted; whole seconds are not."""
    trace, target, s = tmp_path / "t.parquet", tmp_path / "t.bin", 10**9
    for times, unit, changed in (
        ([0, 1, s - 1, s], "ns", {"times cut to whole seconds": 2}),
        ([0, s, s, 2 * s], "ns", {}),
        ([0, 5, 6, 9], "instructions", {"times in instructions, which pass for seconds": 4}),
    ):
        write_trace(trace, {"page": [1, 2, 3, 4], "time": times}, time_unit=unit, force=True)
        assert export_trace("oracleGeneral", trace, target, force=True)["changed"] == changed


def test_times_of_other_units(tmp_path):
    """A trace without a clock keeps its counts; 32 bits must be enough for either."""
    assert exported(tmp_path, [5, 6, 5, 5, 6])["time"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match="found the time 4294967296; expected less than 4294967296"):
        exported(tmp_path, [1, 2], [0, 2**32 * 10**9])
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_pages_larger_than_an_object(tmp_path):
    """A size has 32 bits; no file is made of what is beyond."""
    trace = tmp_path / "t.parquet"
    write_trace(trace, {"page": [1]}, page_size=2**32 - 1)
    export_trace("oracleGeneral", trace, tmp_path / "t.bin")
    assert np.fromfile(tmp_path / "t.bin", RECORD)["size"].tolist() == [2**32 - 1]
    write_trace(trace, {"page": [1]}, page_size=2**32, force=True)
    with pytest.raises(UsageError, match="found pages of 4294967296 bytes; expected less than 4294967296"):
        export_trace("oracleGeneral", trace, tmp_path / "u.bin")
    assert not (tmp_path / "u.bin").exists()


def test_real_trace_there_and_back(tmp_path):
    """113,872 requests of 48,974 objects; written again, every next access is as in the original."""
    original = sample("libcachesim/cloudPhysicsIO.oracleGeneral.bin.gz")
    trace, back = tmp_path / "t.parquet", tmp_path / "t.bin"
    metadata = import_trace("auto", original, trace)
    assert (metadata.rows, metadata.vms[0].pages) == (113_872, 48_974)
    export_trace("oracleGeneral", trace, back)
    theirs = np.frombuffer(gzip.decompress(original.read_bytes()), RECORD)
    ours = np.fromfile(back, RECORD)
    for name in ("object", "next"):
        assert np.array_equal(ours[name], theirs[name]), name
    assert np.array_equal(ours["time"], theirs["time"] - theirs["time"][0])


def theirs(path, policy: str, frames: int, rows: int) -> int:
    """Misses of libCacheSim."""
    rival = pytest.importorskip("libcachesim")
    options = rival.ReaderInitParam(ignore_obj_size=True)
    reader = rival.TraceReader(str(path), rival.TraceType.ORACLE_GENERAL_TRACE, options)
    ratio, _ = getattr(rival, policy)(frames).process_trace(reader)
    return round(ratio * rows)


def test_libcachesim_misses_what_we_miss(tmp_path):
    """LRU, FIFO and CLOCK of the exported file, at five sizes."""
    trace, target = tmp_path / "t.parquet", tmp_path / "t.bin"
    write_trace(trace, synth("zipf", pages=2000, accesses=20_000, alpha=0.9))
    export_trace("oracleGeneral", trace, target)
    for ours, name in (("lru", "LRU"), ("fifo", "FIFO"), ("clock", "Clock")):
        for frames in (1, 10, 100, 500, 1999):
            expected = count_misses(open_trace(trace), ours, frames)
            assert theirs(target, name, frames, 20_000) == expected, (ours, frames)


def test_libcachesim_sees_the_future(tmp_path):
    """Belady's algorithm, which needs next accesses, has the optimal faults of the textbook's string."""
    pages = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]
    exported(tmp_path, pages)
    found = [theirs(tmp_path / "t.bin", "Belady", frames, len(pages)) for frames in (2, 3, 4, 5, 6)]
    assert found == [13, 9, 8, 7, 6]
