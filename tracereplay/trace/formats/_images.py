"""Files that hold a memory's pages: raw images, ELF cores, LiME; read forward, so compressed ones are fine.

ELF: System V ABI, program headers, and its use by QEMU's ``dump-guest-memory`` (guest-physical addresses in
``p_paddr``) and by process cores (virtual ones in ``p_vaddr``, ``p_paddr`` 0).  LiME: version 1 of its
range header, ``doc/README.md`` of the Linux Memory Extractor.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from tracereplay.trace.formats._records import Array, Findings
from tracereplay.trace.formats._snapshots import PAGE
from tracereplay.trace.formats._source import BLOCK_BYTES, Source

PagesOfFile = Iterator[tuple[Array, bytes]]
"""Page numbers (uint64), and the bytes of these pages one after the other."""

_ELF = b"\x7fELF"
_LIME = b"EMiL"
_CORE = 4
_LOAD = 1
_MANY_SEGMENTS = 0xFFFF
_ELF_HEADER = struct.Struct("<4sBB10xH14xQ14xHH6x")
_PROGRAM_HEADER = struct.Struct("<II6Q")
_LIME_HEADER = struct.Struct("<4sIQQ8x")


class Reader:
    """The bytes of a source, read forward; ``at`` is where it stands."""

    def __init__(self, source: Source, stream: IO[bytes]) -> None:
        self.source = source
        self.at = 0
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; TraceError where the file ends before."""
        block = self.some(size)
        if len(block) < size:
            self.source.refuse_byte(
                self.at,
                "the end of the file",
                f"more, up to byte {self.at - len(block) + size}; it is cut off",
            )
        return block

    def some(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end of the file."""
        block = self.source.read(self._stream, size)
        self.at += len(block)
        return block

    def rest(self) -> int:
        """How many bytes there are up to the end of the file, where it stands then."""
        return sum(map(len, iter(lambda: self.some(BLOCK_BYTES), b"")))

    def skip_to(self, offset: int) -> None:
        """Pass over what comes before ``offset``."""
        while self.at < offset:
            self.read(min(offset - self.at, BLOCK_BYTES))


class Stretch(NamedTuple):
    """Where in a file the ``size`` bytes of memory from ``address`` on lie."""

    offset: int
    address: int
    size: int


def is_elf_core(head: bytes) -> bool:
    """Whether a file begins as an ELF core."""
    return head.startswith(_ELF) and head[16:18] in (b"\x04\x00", b"\x00\x04")


def is_lime(head: bytes) -> bool:
    """Whether a file begins as a LiME dump."""
    return head.startswith(_LIME)


def raw(reader: Reader, findings: Findings) -> PagesOfFile:
    """Pages numbered by their place in the file."""
    while block := reader.some(BLOCK_BYTES):
        if rest := len(block) % PAGE:
            expected = f"whole pages of {PAGE} bytes, as this is no dump that is known"
            reader.source.refuse_byte(reader.at - rest, f"{rest} bytes at the end", expected)
        yield _numbers((reader.at - len(block)) // PAGE, len(block) // PAGE), block


def elf(reader: Reader, findings: Findings) -> PagesOfFile:
    """Pages of an ELF core: of a machine, or of a process if no segment has a physical address."""
    segments, virtual = _segments(reader, findings)
    findings.page_space = "guest-virtual" if virtual else "guest-physical"
    for segment in sorted(segments):
        # QEMU's paging=true lists the same bytes once for each virtual mapping
        again = min(max(reader.at - segment.offset, 0), segment.size)
        findings.skip("pages that another segment holds, too", again // PAGE)
        offset, address, size = segment
        yield from _pages(reader, Stretch(offset + again, address + again, size - again), findings)


def _segments(reader: Reader, findings: Findings) -> tuple[list[Stretch], bool]:
    """The segments that are in the file, and whether their addresses are virtual."""
    _, bits, order, kind, first, size, count = _ELF_HEADER.unpack(reader.read(_ELF_HEADER.size))
    if (bits, order, kind, size) != (2, 1, _CORE, _PROGRAM_HEADER.size):
        reader.source.refuse_byte(4, "another kind of ELF file", "a core, 64 bits, little-endian")
    if count == _MANY_SEGMENTS:
        reader.source.refuse_byte(56, f"{count} or more segments", "fewer; give a raw image or a LiME dump")
    reader.skip_to(first)
    headers = [_PROGRAM_HEADER.unpack(reader.read(size)) for _ in range(count)]
    loads = [header for header in headers if header[0] == _LOAD]
    if not loads:
        reader.source.refuse("an ELF core without memory", "PT_LOAD segments")
    virtual = any(vaddr for _, _, _, vaddr, *_ in loads) and not any(paddr for _, _, _, _, paddr, *_ in loads)
    stretches = []
    for _, _, offset, vaddr, paddr, in_file, in_memory, _ in loads:
        findings.skip("pages that the dump names and does not hold", max(in_memory - in_file, 0) // PAGE)
        stretches.append(Stretch(offset, vaddr if virtual else paddr, in_file))
    return stretches, virtual


def lime(reader: Reader, findings: Findings) -> PagesOfFile:
    """Pages of the ranges of a LiME dump."""
    while header := reader.some(_LIME_HEADER.size):
        begin = reader.at - len(header)
        if len(header) < _LIME_HEADER.size or not is_lime(header):
            reader.source.refuse_byte(begin, "no header of a range", "EMiL; the file is cut off or damaged")
        _, version, first, last = _LIME_HEADER.unpack(header)
        if version != 1 or last < first:
            found = f"version {version}, range {first:#x} to {last:#x}"
            reader.source.refuse_byte(begin, found, "version 1, and a range in order")
        yield from _pages(reader, Stretch(reader.at, first, last - first + 1), findings)


def _pages(reader: Reader, stretch: Stretch, findings: Findings) -> PagesOfFile:
    """The pages that lie in a stretch as a whole; those at its ends that do not are counted."""
    offset, address, size = stretch
    lead = min(-address % PAGE, size)
    tail = (size - lead) % PAGE
    findings.skip("pages of which the dump holds a part", (lead > 0) + (tail > 0))
    reader.skip_to(offset + lead)
    first, end = (address + lead) // PAGE, (address + size) // PAGE
    for page in range(first, end, BLOCK_BYTES // PAGE):
        count = min(BLOCK_BYTES // PAGE, end - page)
        yield _numbers(page, count), reader.read(count * PAGE)
    reader.skip_to(offset + size)


def _numbers(first: int, count: int) -> Array:
    return np.arange(first, first + count, dtype=np.uint64)
