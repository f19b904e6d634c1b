"""ChampSim's instructions: a fetch, up to four reads and two writes each."""

from __future__ import annotations

import struct

import pytest
from formats.importing import imported, refused

from tracereplay.trace import formats

READ, WRITE, FETCH = 0, 1, 3
KERNEL = 0xFFFF_8880_0000_0000


def instruction(ip: int, branch: int = 0, taken: int = 0, writes=(0, 0), reads=(0, 0, 0, 0)) -> bytes:
    return struct.pack("<QBB6B2Q4Q", ip, branch, taken, *(6, 25, 26, 6, 0, 0), *writes, *reads)


def cloudsuite(ip: int, asid: int, writes=(0, 0, 0, 0), reads=(0, 0, 0, 0)) -> bytes:
    return struct.pack("<QBB8B6x4Q4QH6x", ip, 0, 0, *(0,) * 8, *writes, *reads, asid)


EXAMPLE = (
    instruction(0x400000, reads=(0x7FFF_0000_1008, 0, 0, 0x601000))
    + instruction(0x400004, writes=(0, KERNEL), reads=(0, 0x602FFF, 0, 0))
    + instruction(0x400009, branch=1, taken=1)
    + instruction(0x401FFE)
)


def test_instructions_become_accesses(tmp_path):
    """The fetch, the reads, the writes; slots of 0 are unused; time is the number of the instruction."""
    metadata, rows = imported(tmp_path, "champsim", EXAMPLE)
    assert rows == {
        "time": [0, 0, 0, 1, 1, 1, 2, 3],
        "page": [0x400, 0x7FFF_0000_1, 0x601, 0x400, 0x602, KERNEL >> 12, 0x400, 0x401],
        "op": [FETCH, READ, READ, FETCH, READ, WRITE, FETCH, FETCH],
    }
    assert (metadata.time_unit, metadata.source["skipped"]) == ("instructions", {})


def test_without_fetches(tmp_path):
    """Data accesses keep the number of their instruction, counted from the first; fetches are counted."""
    metadata, rows = imported(tmp_path, "champsim:instructions=false", EXAMPLE)
    assert rows == {
        "time": [0, 0, 1, 1],
        "page": [0x7FFF_0000_1, 0x601, 0x602, KERNEL >> 12],
        "op": [READ, READ, READ, WRITE],
    }
    assert metadata.source["skipped"] == {"instruction fetches": 4}


def test_instructions_are_counted_over_files(tmp_path):
    """A second file goes on where the first ended."""
    _, rows = imported(tmp_path, "champsim", instruction(0x1000), instruction(0x2000))
    assert rows == {"time": [0, 1], "page": [1, 2], "op": [FETCH, FETCH]}


def test_cloudsuite(tmp_path):
    """96 bytes, four slots each way, and the address space as VM."""
    content = cloudsuite(0x1000, 3, reads=(0, 0, 0, 0x5000)) + cloudsuite(
        0x2000, 300, writes=(0, 0, 0, 0x6000)
    )
    metadata, rows = imported(tmp_path, "champsim:cloudsuite=true", content)
    assert rows == {
        "time": [0, 0, 1, 1],
        "vm": [0, 0, 1, 1],
        "page": [1, 5, 2, 6],
        "op": [FETCH, READ, FETCH, WRITE],
    }
    assert [vm.name for vm in metadata.vms] == ["asid 3", "asid 300"]


def test_it_is_told_by_flags_addresses_and_steps():
    """Only this format; not where one of the three does not fit."""
    assert formats.matching(EXAMPLE) == ("champsim",)
    for other in (
        EXAMPLE.replace(b"\x01\x01", b"\x02\x01", 1),
        EXAMPLE.replace(struct.pack("<Q", 0x602FFF), struct.pack("<Q", 1 << 50)),
        EXAMPLE.replace(struct.pack("<Q", 0x400004), struct.pack("<Q", 0x400040)),
        EXAMPLE[:64],
        bytes(640),
    ):
        assert formats.matching(other) == ()


BAD = {
    "flags": (
        EXAMPLE + instruction(0x400000, branch=0, taken=1),
        "champsim",
        "source0: byte 264: found the branch flags 0 and 1; expected 0 and 0, 1 and 0, or 1 and 1 in "
        "records of 64 bytes (cloudsuite=true: 96, else 64)",
    ),
    "other size": (
        instruction(0x400000, reads=(0, 0x601234, 0, 0)) * 3,
        "champsim:cloudsuite=true",
        "source0: byte 104: found the branch flags 52 and 18; expected 0 and 0",
    ),
    "cut": (
        EXAMPLE[:-1],
        "champsim",
        "source0: byte 192: found 63 bytes at the end; expected records of 64 bytes",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path, case):
    """File, byte, found and expected; no file is left."""
    content, format, message = BAD[case]
    assert refused(tmp_path, format, content).startswith(message)
