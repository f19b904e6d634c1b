"""libCacheSim's lcs: a header with a magic number at both ends, requests in eight sizes."""

from __future__ import annotations

import struct

import pytest
from formats.importing import imported, refused

from tracereplay.errors import UsageError
from tracereplay.trace import formats

MAGIC = 0x123456789ABCDEF0
GET, SET, DELETE, READ, UNKNOWN = 1, 3, 9, 12, 200
REQUESTS = [(10, 7, GET, 0), (10, 1 << 40, SET, 5), (12, 7, DELETE, 5), (13, 9, UNKNOWN, 0), (13, 7, READ, 0)]


def header(version: int, requests: int, magic: int = MAGIC, end: int = MAGIC) -> bytes:
    start = struct.pack("<QQqq", magic, version, 1, requests)
    return start + bytes(8184 - len(start)) + struct.pack("<Q", end)


def request(version: int, time: int, object: int, op: int, tenant: int) -> bytes:
    never = 2**63 - 1
    if version == 1:
        return struct.pack("<IQIq", time, object, 512, never)
    operation = op | tenant << 8
    if version == 2:
        return struct.pack("<IQIIq", time, object, 512, operation, never)
    features = (0, 1, 2, 4, 8, 16)[version - 3]
    return struct.pack("<IQqIIq", time, object, 512, operation, 60, never) + bytes(4 * features)


def trace(version: int) -> bytes:
    return header(version, len(REQUESTS)) + b"".join(request(version, *r) for r in REQUESTS)


EXAMPLE = trace(1)


def test_version_1(tmp_path):
    """An object is a page, seconds are ns, operations are not told."""
    metadata, rows = imported(tmp_path, "lcs", EXAMPLE)
    second = 10**9
    assert rows == {
        "time": [0, 0, 2 * second, 3 * second, 3 * second],
        "page": [7, 1 << 40, 7, 9, 7],
    }
    assert metadata.time_unit == "ns"


@pytest.mark.parametrize("version", range(2, 9))
def test_later_versions_have_operations(tmp_path, version):
    """get and read, set, delete; what is none of them is counted."""
    metadata, rows = imported(tmp_path, "lcs", trace(version))
    assert rows["page"] == [7, 1 << 40, 7, 7]
    assert rows["op"] == [0, 1, 2, 0]
    assert rows["time"] == [0, 0, 2 * 10**9, 3 * 10**9]
    assert metadata.source["skipped"] == {"requests of the unknown operation 0xc8": 1}
    assert [vm.name for vm in metadata.vms] == ["source0"]


def test_tenants(tmp_path):
    """A VM each, if asked for."""
    metadata, rows = imported(tmp_path, "lcs:tenants=true", trace(3))
    assert rows["vm"] == [0, 1, 1, 0]
    assert [(vm.name, vm.pages) for vm in metadata.vms] == [("tenant 0", 1), ("tenant 5", 2)]


@pytest.mark.parametrize("version", range(1, 9))
def test_it_is_told_by_its_magic(version):
    """All versions, and only this format."""
    assert formats.matching(trace(version)) == ("lcs",)


BAD = {
    "version": (header(9, 0), "source0: byte 8: found lcs version 9; expected 1 to 8"),
    "magic": (
        header(1, 0, magic=1),
        "source0: byte 0: found 0x0000000000000001; expected 0x123456789abcdef0",
    ),
    "end": (header(1, 0, end=2), "source0: byte 8184: found 0x0000000000000002; expected 0x123456789abcdef0"),
    "short": (EXAMPLE[:100], "source0: found 100 bytes; expected a header of 8192 bytes"),
    "cut": (EXAMPLE[:-1], "source0: byte 8288: found 23 bytes at the end; expected records of 24 bytes"),
    "fewer": (
        EXAMPLE[:-24],
        "source0: found 4 requests; expected 5 as its header says: the file is cut off, or its header is "
        "wrong",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path, case):
    """File, byte, found and expected; no file is left."""
    content, message = BAD[case]
    assert refused(tmp_path, "lcs", content).startswith(message)


def test_version_1_has_no_tenants(tmp_path):
    """The parameter is refused where it means nothing."""
    assert refused(tmp_path, "lcs:tenants=true", EXAMPLE) == (
        "source0: found lcs version 1; expected version 2 or later for tenants=true: version 1 has no tenants"
    )


def test_parameters_are_checked(tmp_path):
    """A word that is none is refused before anything is read."""
    with pytest.raises(UsageError, match='parameter tenants of format lcs: found "maybe"'):
        imported(tmp_path, "lcs:tenants=maybe", EXAMPLE)
