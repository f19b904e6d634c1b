"""Compressed memory dumps (kdump), as ``virsh dump --format kdump-zlib``, QEMU and makedumpfile write them.

Layout: ``IMPLEMENTATION`` of makedumpfile, "The kdump-compressed format".  QEMU writes it *flattened*, as
pieces with their offsets, because it may write into a pipe; ``rearranged`` puts them in place.
"""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError
from tracereplay.trace.formats._images import PagesOfFile, Reader
from tracereplay.trace.formats._records import Findings
from tracereplay.trace.formats._snapshots import PAGE
from tracereplay.trace.formats._source import BLOCK_BYTES

_PLAIN = b"KDUMP   "
_FLATTENED = b"makedumpfile\x00"
_PIECE = struct.Struct(">qq")
_END = -1

_HEADER = struct.Struct("<8sI412xIIIII")
_MOST_BITMAP_BLOCKS = 1 << 16  # 4 TiB of memory
_DESCRIPTOR = np.dtype([("offset", "<u8"), ("size", "<u4"), ("flags", "<u4"), ("page_flags", "<u8")])
_PAGES_A_BATCH = BLOCK_BYTES // PAGE
_UNCOMPRESSED, _ZLIB = 0, 1
_CODECS = {4: "snappy", 0x20: "zstd"}


def is_kdump(head: bytes) -> bool:
    """Whether a file begins as a compressed dump, flattened or not."""
    return head.startswith((_PLAIN, _FLATTENED))


def kdump(reader: Reader, findings: Findings) -> PagesOfFile:
    """Pages that a compressed dump holds, in the order of their bytes.

    In memory are about 40 bytes for each, and before that a byte for each bit of the dump's bitmap.
    """
    header = reader.read(PAGE)
    if header.startswith(_FLATTENED):
        with _rearranged(reader) as plain:
            yield from _dumped(plain, plain.read(PAGE), findings)
    else:
        yield from _dumped(reader, header, findings)


@contextmanager
def _rearranged(reader: Reader) -> Iterator[Reader]:
    """The dump with its pieces in place: a temporary file, as they come out of order."""
    with tempfile.TemporaryFile() as file:
        try:
            _put_in_place(reader, cast(IO[bytes], file))
            file.seek(0)
        except OSError as problem:
            raise TraceError(
                f"cannot be put in order in {tempfile.gettempdir()} ({problem.strerror}); "
                "make room there, or set TMPDIR to a place that has some",
                reader.source.name,
            ) from None
        yield Reader(reader.source, cast(IO[bytes], file))


def _put_in_place(reader: Reader, file: IO[bytes]) -> None:
    """Write each piece of a flattened dump where it belongs."""
    while True:
        begin = reader.at
        offset, size = _PIECE.unpack(reader.read(_PIECE.size))
        if offset == _END:
            break
        if offset < 0 or size < 0:
            reader.source.refuse_byte(begin, f"a piece of {size} bytes for offset {offset}", "0 or more")
        file.seek(offset)
        for at in range(0, size, BLOCK_BYTES):
            file.write(reader.read(min(BLOCK_BYTES, size - at)))


def _dumped(reader: Reader, header: bytes, findings: Findings) -> PagesOfFile:
    """Pages of a dump whose first block is ``header``; those that makedumpfile excluded are counted."""
    signature, _, _, block, sub_blocks, bitmap_blocks, _ = _HEADER.unpack_from(header)
    if signature != _PLAIN or block != PAGE or bitmap_blocks > _MOST_BITMAP_BLOCKS:
        found = f"{signature!r} with blocks of {block} bytes, {bitmap_blocks} of them bitmaps"
        expected = f"{_PLAIN!r}, a 64-bit machine with pages of {PAGE} bytes, at most {_MOST_BITMAP_BLOCKS}"
        reader.source.refuse_byte(0, found, expected)
    reader.skip_to((1 + sub_blocks) * PAGE)
    bitmaps = np.frombuffer(reader.read(bitmap_blocks * PAGE), np.uint8)
    exists, held = bitmaps.reshape(2, -1)
    findings.skip("pages that the dump names and does not hold", int(np.unpackbits(exists & ~held).sum()))
    numbers = np.flatnonzero(np.unpackbits(held, bitorder="little")).astype(np.uint64)
    descriptors = np.frombuffer(reader.read(len(numbers) * _DESCRIPTOR.itemsize), _DESCRIPTOR)
    order = np.argsort(descriptors["offset"], kind="stable")
    pages = _in_file_order(reader, descriptors, order)
    for i in range(0, len(order), _PAGES_A_BATCH):
        batch = order[i : i + _PAGES_A_BATCH]
        yield numbers[batch], b"".join(next(pages) for _ in batch)


def _in_file_order(reader: Reader, descriptors: np.ndarray, order: np.ndarray) -> Iterator[bytes]:
    """The pages' bytes; equal offsets are one page, as QEMU stores the zero page once."""
    last, page = -1, b""
    for i in order:
        offset, size, flags, _ = descriptors[i].item()
        if offset != last:
            reader.skip_to(offset)
            if offset != reader.at or size > PAGE:
                found = f"a page of {size} bytes at byte {offset}"
                reader.source.refuse_byte(reader.at, found, f"at most {PAGE} bytes, none in another page's")
            page, last = _decompressed(reader, reader.read(size), flags), offset
        yield page


def _decompressed(reader: Reader, stored: bytes, flags: int) -> bytes:
    """One page."""
    begin = reader.at - len(stored)
    page = stored
    try:
        if flags == _ZLIB:
            page = zlib.decompressobj().decompress(stored, PAGE)
        elif flags in _CODECS:
            page = pa.Codec(_CODECS[flags]).decompress(stored, PAGE, asbytes=True)
        elif flags != _UNCOMPRESSED:
            expected = (
                "none, zlib, snappy or zstd; make the dump with virsh dump --memory-only --format kdump-zlib"
            )
            reader.source.refuse_byte(begin, f"a page compressed by method {flags} (2 is LZO)", expected)
    except (zlib.error, pa.ArrowException, OSError) as problem:
        reader.source.refuse_byte(begin, f"a page that cannot be decompressed ({problem})", "whole data")
    if len(page) != PAGE:
        reader.source.refuse_byte(begin, f"a page of {len(page)} bytes", f"{PAGE}")
    return page
