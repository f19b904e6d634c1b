"""Memory snapshots: every layout gives the same pages, and snapshots over time the pages that changed."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence

import pyarrow as pa
import pytest
import xxhash
from formats.importing import columns, imported, refused

from tracereplay.trace.convert import import_trace

ZERO = bytes(4096)
A, B, C = (letter * 4096 for letter in (b"A", b"B", b"C"))
CONTENT = {ZERO: 0} | {page: xxhash.xxh3_64_intdigest(page) for page in (A, B, C)}


def elf(*segments: tuple[int, int, bytes, int], bits: int = 2) -> bytes:
    """An ELF core of (physical address, virtual address, bytes, bytes in memory), listed backwards."""
    first = 64
    data_at = first + 56 * len(segments)
    headers, data = [], b""
    for paddr, vaddr, content, in_memory in segments:
        headers.append((1, 7, data_at + len(data), vaddr, paddr, len(content), in_memory, 0))
        data += content
    head = struct.pack(
        "<4s5B7xHHIQQQI6H", b"\x7fELF", bits, 1, 1, 0, 0, 4, 62, 1, 0, first, 0, 0, 64, 56,
        len(segments), 64, 0, 0,
    )  # fmt: skip
    return head + b"".join(struct.pack("<II6Q", *header) for header in reversed(headers)) + data


def lime(*ranges: tuple[int, bytes]) -> bytes:
    """A LiME dump of (address, bytes)."""
    return b"".join(
        struct.pack("<4sIQQQ", b"EMiL", 1, at, at + len(content) - 1, 0) + content for at, content in ranges
    )


def kdump(
    pages: dict[int, bytes], flags: int = 1, packed=zlib.compress, excluded: Sequence[int] = ()
) -> bytes:
    """A compressed dump; equal pages are stored once, as QEMU does with the zero page."""
    header = struct.pack("<8sI412xIIIII", b"KDUMP   ", 6, flags, 4096, 1, 2, 64).ljust(4096, b"\0")
    bitmaps = b"".join(
        sum(1 << number for number in numbers).to_bytes(4096, "little")
        for numbers in ([*pages, *excluded], pages)
    )
    at = 4 * 4096 + 24 * len(pages)
    stored: dict[bytes, tuple[int, int]] = {}
    descriptors, data = b"", b""
    for _, page in sorted(pages.items()):
        if page not in stored:
            stored[page] = (at + len(data), len(packed(page)))
            data += packed(page)
        descriptors += struct.pack("<QIIQ", *stored[page], flags, 0)
    return header + bytes(4096) + bitmaps + descriptors + data


def flattened(plain: bytes) -> bytes:
    """``plain`` in pieces, the last first."""
    cut = len(plain) // 2
    head = struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(4096, b"\0")
    pieces = [(cut, plain[cut:]), (0, plain[:cut])]
    return head + b"".join(struct.pack(">qq", at, len(part)) + part for at, part in pieces) + b"\xff" * 16


HELD = {0: A, 1: ZERO, 2: B, 0x100: C}
"""Pages 0 to 2 and 0x100 of a guest."""
LAYOUTS = {
    "elf": elf((0, 0, A + ZERO + B, 0x3000), (0x100000, 0, C, 0x1000)),
    "lime": lime((0, A + ZERO + B), (0x100000, C)),
    "kdump-zlib": kdump(HELD),
    "kdump-plain": kdump(HELD, 0, bytes),
    "kdump-snappy": kdump(HELD, 4, lambda page: pa.Codec("snappy").compress(page, asbytes=True)),
    "kdump-flattened": flattened(kdump(HELD)),
}
EXAMPLE = LAYOUTS["elf"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_layouts_give_the_same_pages(tmp_path, layout, packed):
    """Guest-physical pages and their XXH3, 0 for zeros, from each layout, told by its content."""
    metadata, rows = imported(tmp_path, "auto", packed(LAYOUTS[layout]))
    found = dict(zip(rows["page"], rows["content"], strict=True))
    assert found == {number: CONTENT[page] for number, page in HELD.items()}
    assert (rows["op"], rows["time"]) == ([1] * 4, [0] * 4)
    assert (metadata.page_space, metadata.time_unit, metadata.vms[0].pages) == ("guest-physical", "ns", 4)
    assert metadata.source["skipped"] == {}


def test_raw_image(tmp_path):
    """Anything else is pages by their place, in blocks of 1024 pages."""
    _, rows = imported(tmp_path, "memory-snapshot", A + ZERO * 1023 + B)
    assert rows["page"] == list(range(1025))
    assert rows["content"] == [CONTENT[A]] + [0] * 1023 + [CONTENT[B]]


def test_changes_over_time(tmp_path):
    """First all pages, then those that changed; a page that is gone is freed, one that is back is written."""
    metadata, rows = imported(
        tmp_path,
        "memory-snapshot:interval=10s",
        lime((0, A + ZERO + B), (0x40000000, C)),
        lime((0, A + C + B)),
        lime((0, A + C + ZERO), (0x40000000, C)),
    )
    s, far = 10**9, 0x40000
    a, b, c = CONTENT[A], CONTENT[B], CONTENT[C]
    assert list(zip(*(rows[k] for k in ("time", "page", "op", "content")), strict=True)) == [
        (0, 0, 1, a), (0, 1, 1, 0), (0, 2, 1, b), (0, far, 1, c),
        (10 * s, 1, 1, c), (10 * s, far, 2, None),
        (20 * s, 2, 1, 0), (20 * s, far, 1, c),
    ]  # fmt: skip
    assert metadata.source["snapshots"] == [
        {"pages": 4, "zero_pages": 1, "written": 4, "freed": 0},
        {"pages": 3, "zero_pages": 0, "written": 1, "freed": 1},
        {"pages": 4, "zero_pages": 1, "written": 2, "freed": 0},
    ]


def test_without_zeros(tmp_path):
    """A page of zeros exists only once it has held something else; those left out are counted."""
    metadata, rows = imported(tmp_path, "memory-snapshot", A + ZERO + ZERO, ZERO + B + ZERO, zeros=False)
    assert rows["page"] == [0, 0, 1]
    assert rows["content"] == [CONTENT[A], 0, CONTENT[B]]
    assert metadata.source["skipped"] == {"pages that never held anything but zeros": 3}


def test_core_of_a_process(tmp_path):
    """Without physical addresses pages are virtual; what the core names without bytes is counted."""
    core = elf((0, 0x400000, A, 0x1000), (0, 0x7FFF00000000, B, 0x3000), (0, 0xFFFFFFFFFF600000, C, 0x1000))
    metadata, rows = imported(tmp_path, "auto", core)
    assert rows["page"] == [0x400, 0x7FFF00000, 0xFFFFFFFFFF600]
    assert metadata.page_space == "guest-virtual"
    assert metadata.source["skipped"] == {"pages that the dump names and does not hold": 2}


def test_parts_of_pages_are_counted(tmp_path):
    """A range that begins or ends within a page: only its whole pages, as the rest is not known."""
    dump = lime((0x800, A[:0x800] + B + C[:0xC00]), (0x9000, A), (0xA100, B[:0x200]))
    metadata, rows = imported(tmp_path, "auto", dump)
    assert rows["page"] == [1, 9]
    assert metadata.source["skipped"] == {"pages of which the dump holds a part": 3}


@pytest.mark.parametrize("layout", ["elf", "kdump-zlib", "kdump-flattened"])
def test_what_follows_a_dump_is_counted(tmp_path, layout):
    """Such as a second dump in the same archive: its pages are not those of the first."""
    metadata, rows = imported(tmp_path, "auto", LAYOUTS[layout] * 2)
    assert dict(zip(rows["page"], rows["content"], strict=True)) == {
        n: CONTENT[page] for n, page in HELD.items()
    }
    assert metadata.source["skipped"] == {"bytes after the last page of a dump": len(LAYOUTS[layout])}
    assert imported(tmp_path, "auto", LAYOUTS[layout] + b"\0.strtab\0")[0].source["skipped"] == {}


def test_an_empty_snapshot_among_others(tmp_path):
    """Is refused by its name: a dump that failed did not free the memory."""
    message = (
        "source1: found no pages; expected at least one of 4096 bytes: an empty snapshot would free them all"
    )
    assert refused(tmp_path, "memory-snapshot", A, b"", A) == message


def test_pages_that_makedumpfile_excluded(tmp_path):
    """Free pages, zeros and the like exist and are not in the dump: they are counted."""
    metadata, rows = imported(tmp_path, "auto", kdump(HELD, excluded=(5, 0x101)))
    assert sorted(rows["page"]) == sorted(HELD)
    assert metadata.source["skipped"] == {"pages that the dump names and does not hold": 2}


def test_bytes_of_two_segments_are_read_once(tmp_path):
    """QEMU's paging=true lists the bytes of a page once for each of its mappings."""
    core = bytearray(elf((0, 0, A + B, 0x2000), (0x1000, 0xFFFF0000, b"", 0x1000)))
    # the second segment (stored first): the bytes of page 1, which the first one holds, too
    core[64 + 8 : 64 + 16] = struct.pack("<Q", 64 + 2 * 56 + 4096)
    core[64 + 32 : 64 + 40] = struct.pack("<Q", 4096)
    metadata, rows = imported(tmp_path, "auto", bytes(core))
    assert (rows["page"], rows["content"]) == ([0, 1], [CONTENT[A], CONTENT[B]])
    assert metadata.source["skipped"] == {"pages that another segment holds, too": 1}


DUMP = "expected a dump of memory: virsh dump --memory-only --format elf DOMAIN FILE, or QEMU's dump"
BAD = {
    b"LibvirtQemudSave" + A: f"source0: found a saved domain (virsh save); {DUMP}",
    b"QEVM\0\0\0\3" + A: f"source0: found a QEMU migration stream; {DUMP}",
    b"PAGEDU64" + A: f"source0: found a Windows crash dump; {DUMP}",
    A + b"tail": "source0: byte 4096: found 4 bytes at the end; expected whole pages of 4096 bytes, "
    "as this is no dump that is known",
    elf((0, 0, A, 0x1000), bits=1): "source0: byte 4: found another kind of ELF file; "
    "expected a core, 64 bits, little-endian",
    elf(): "source0: found an ELF core without memory; expected PT_LOAD segments",
    EXAMPLE[
        :-1
    ]: "source0: byte 16559: found the end of the file; expected more, up to byte 16560; it is cut off",
    lime((0, A)) + b"rest": "source0: byte 4128: found no header of a range; expected EMiL; the file is cut",
    struct.pack("<4sIQQQ", b"EMiL", 2, 0, 4095, 0): "source0: byte 0: found version 2, range 0x0 to 0xfff; "
    "expected version 1, and a range in order",
    kdump(
        {0: A}, 2
    ): "source0: byte 16408: found a page compressed by method 2 (2 is LZO); expected none, zlib, "
    "snappy or zstd; make the dump with virsh dump --memory-only --format kdump-zlib",
    kdump({0: A}, 1, lambda page: b"x" * 9): "source0: byte 16408: found a page that cannot be decompressed "
    "(Error -3 while decompressing data: incorrect header check); expected whole data",
    kdump({0: A}, 4, lambda page: b"x" * 9): "source0: byte 16408: found a page that cannot be decompressed "
    "(Corrupt snappy compressed data.); expected whole data",
    kdump({0: A}, 0, lambda page: page[:9]): "source0: byte 16408: found a page of 9 bytes; expected 4096",
    flattened(kdump({0: A}))[:-9]: "source0: byte 20",
    b"": "source0: found no pages; expected at least one of 4096 bytes: an empty snapshot would free",
    kdump({}): "source0: found no pages; expected at least one",
    elf((0, 0, b"", 0x1000)): "source0: found no pages; expected at least one",
}


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_bad_file_is_named(tmp_path, content):
    """File, byte, found, expected; files that are no dumps name the command that makes one."""
    assert refused(tmp_path, "memory-snapshot", content).startswith(BAD[content])


@pytest.mark.skipif(shutil.which("gcore") is None, reason="needs gcore, of gdb")
def test_real_core_of_a_process(tmp_path):
    """Known pages of a running process, found in the core that gcore makes of it."""
    program = (
        "import ctypes, mmap, sys\n"
        "m = mmap.mmap(-1, 8 * 4096)\n"
        "for i in range(1, 8): m[i * 4096 : (i + 1) * 4096] = bytes([i]) * 4096\n"
        "print(ctypes.addressof(ctypes.c_char.from_buffer(m)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as process:
        first = int(process.stdout.readline()) // 4096
        made = subprocess.run(
            ["gcore", "-o", tmp_path / "core", str(process.pid)], capture_output=True, check=False
        )
        process.stdin.close()
    core = tmp_path / f"core.{process.pid}"
    if not core.exists():
        pytest.skip(f"gcore may not look at a process here: {made.stderr[-200:]!r}")
    metadata = import_trace("auto", core, tmp_path / "t.parquet")
    rows = columns(tmp_path / "t.parquet")
    held = dict(zip(rows["page"], rows["content"], strict=True))
    assert [held[first + i] for i in range(8)] == [0] + [
        xxhash.xxh3_64_intdigest(bytes([i]) * 4096) for i in range(1, 8)
    ]
    assert metadata.page_space == "guest-virtual"
