"""vSCSI commands: byte ranges of a disk to pages, or objects as libCacheSim has them."""

from __future__ import annotations

import struct

import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.trace import formats
from tracereplay.trace.convert import import_trace

READ_10, WRITE_10, READ_16, SYNCHRONISE = 0x28, 0x2A, 0x88, 0x35


def version_1(command: int, sector: int, size: int, microseconds: int, version: int = 1) -> bytes:
    return struct.pack("<IIIHHQQ", 5, size, 1, command, version << 8, sector, microseconds)


def version_2(command: int, sector: int, size: int, microseconds: int, version: int = 2) -> bytes:
    return struct.pack("<HHIIIQQQ", command, version << 8, 5, size, 1, sector, microseconds, 77)


COMMANDS = [
    (WRITE_10, 8, 512, 1000),
    (READ_10, 15, 1024, 1001),
    (SYNCHRONISE, 0, 0, 1002),
    (READ_16, 16, 8192, 1003),
]
EXAMPLE = b"".join(version_1(*command) for command in COMMANDS)
EXAMPLE_2 = b"".join(version_2(*command) for command in COMMANDS)


@pytest.mark.parametrize("content", [EXAMPLE, EXAMPLE_2], ids=["version 1", "version 2"])
def test_commands_become_accesses(tmp_path, content):
    """512-byte sectors to 4,096-byte pages, each page that is touched; µs to ns; the rest is counted."""
    metadata, rows = imported(tmp_path, "vscsi", content)
    assert rows == {
        "time": [0, 1000, 1000, 3000, 3000],
        "page": [1, 1, 2, 2, 3],
        "op": [1, 0, 0, 0, 0],
    }
    assert metadata.time_unit == "ns"
    assert metadata.source["skipped"] == {"SCSI commands 0x35": 1}


def test_objects(tmp_path):
    """One access a command, of the page with the first sector's number."""
    _, rows = imported(tmp_path, "vscsi:objects=true", EXAMPLE)
    assert rows == {"time": [0, 1000, 3000], "page": [8, 15, 16], "op": [1, 0, 0]}


@pytest.mark.parametrize("content", [EXAMPLE, EXAMPLE_2, EXAMPLE[:32]], ids=["1", "2", "one command"])
def test_it_is_told_by_its_versions(content):
    """Both layouts, and only this format."""
    assert formats.matching(content) == ("vscsi",)


BAD = {
    "other": (
        b"\0" * 80,
        "source0: found a beginning that carries neither version 1 nor 2; expected vSCSI records",
    ),
    "mixed": (
        EXAMPLE + version_1(READ_10, 0, 512, 0, version=2),
        "source0: byte 128: found a record of vSCSI version 2; expected version 1, as that of the "
        "first record",
    ),
    "sector": (
        EXAMPLE + version_1(SYNCHRONISE, 1 << 55, 0, 0) + version_1(READ_10, 1 << 55, 512, 0),
        f"source0: byte 160: found a record of sector {1 << 55}; expected at most {(1 << 55) - 1}",
    ),
    "time": (
        EXAMPLE_2 + version_2(READ_10, 0, 512, 18_446_744_073_709_552),
        "source0: byte 160: found a record of time 18446744073709552; expected at most 18446744073709551",
    ),
    "cut": (EXAMPLE[:-1], "source0: byte 96: found 31 bytes at the end; expected records of 32 bytes"),
    "nothing": (b"", "source0: found a beginning that carries neither"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path, case):
    """File, byte, found and expected; no file is left."""
    content, message = BAD[case]
    assert refused(tmp_path, "vscsi", content).startswith(message)


def test_real_trace_in_all_encodings(tmp_path):
    """113,872 requests of 48,974 objects: the same pages as vSCSI, oracleGeneral and lcs."""
    found = {}
    for format, name in [
        ("vscsi:objects=true", "cloudPhysicsIO.vscsi.gz"),
        ("auto", "cloudPhysicsIO.oracleGeneral.bin.gz"),
        ("auto", "cloudPhysicsIO.vscsi.lcs.gz"),
    ]:
        target = tmp_path / f"{name}.parquet"
        metadata = import_trace(format, sample(f"libcachesim/{name}"), target)
        assert (metadata.rows, metadata.vms[0].pages, metadata.time_unit) == (113_872, 48_974, "ns")
        found[name] = columns(target)
    vscsi, oracle, lcs = found.values()
    assert vscsi["page"] == oracle["page"] == lcs["page"]
    assert oracle == lcs
    # theirs count whole seconds
    assert all(abs(fine - coarse) < 1e9 for fine, coarse in zip(vscsi["time"], oracle["time"], strict=True))


def test_real_trace_by_bytes(tmp_path):
    """46,974 reads and 66,898 writes of 4,205,978,112 bytes touch at least that many bytes' pages."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample("libcachesim/cloudPhysicsIO.vscsi.gz"), target)
    least, most = 4_205_978_112 // 4096, 4_205_978_112 // 4096 + 2 * 113_872
    assert least < metadata.rows < most
    assert metadata.source["skipped"] == {}
