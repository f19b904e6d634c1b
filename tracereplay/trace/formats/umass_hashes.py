"""UMass memory traces (Memory Buddies, VEE 2009): 32-bit hashes of all pages of a machine, a file a snapshot.

Documented (readme of the traces): text with the operating system and the processes, then the hashes, one
after the other, 32 bits each, to the end, or to a Bloom filter that some files end in.  Assumed: the text
ends with the last line before the first byte that is no text, which is among the first 4 MiB; hashes are
little-endian and in page order.  Where this is wrong, ``header`` gives the bytes before the first hash and
``pages`` the number of hashes.

The zero page's hash is not documented.  ``zero`` names it (the commonest content, as a rule); without
it zero pages are shared like any others but not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np

from tracereplay.catalog import Count, Duration, Kind
from tracereplay.problems import wrong
from tracereplay.trace.formats._records import Array, Findings, Records
from tracereplay.trace.formats._snapshots import Pages, changes
from tracereplay.trace.formats._source import Source

SAMPLE = "text lines, then u32 hash, 4 bytes a page"

_NO_TEXT = re.compile(rb"[^\t\n\r\x20-\x7e]")
_HASH_0 = np.uint64(1 << 32)
"""Content of a page whose hash is 0, as content 0 is the zero page's."""


def _hash(value: object) -> int:
    """A hash in decimal, or in hexadecimal with 0x."""
    try:
        found = int(str(value), 0)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 32:
        raise wrong(value, "a hash of 32 bits, such as 0x1a2b3c4d")
    return found


def looks_like(head: bytes) -> bool:
    """Never: text and then bytes of any kind."""
    return False


def read(
    sources: Sequence[Source],
    findings: Findings,
    *,
    interval: Duration = 30 * 60 * 10**9,
    header: Count = 0,
    pages: Count = 0,
    zero: Annotated[int | None, Kind("hash", _hash)] = None,
) -> Iterator[Records]:
    """Writes of the pages that changed since the snapshot before, ``interval`` apart; FREE for those gone.

    ``header`` 0: found by the rule above; ``pages`` 0: to the end of the file.
    """
    findings.page_space = "guest-physical"
    snapshots = [_pages(source, findings, header, pages, zero) for source in sources]
    yield from changes(snapshots, findings, interval=interval)


def _pages(source: Source, findings: Findings, header: int, most: int, zero: int | None) -> Iterator[Pages]:
    """All pages of a file, numbered in its order."""
    number, rest = 0, b""
    for block in _after_text(source, findings, header):
        block = rest + block
        count = min(len(block) // 4, most - number) if most else len(block) // 4
        hashes = np.frombuffer(block, "<u4", count)
        yield Pages(np.arange(number, number + count, dtype=np.uint64), _contents(hashes, zero))
        number += count
        rest = block[4 * count :]
        if number == most:
            findings.skip("bytes after the hashes", len(rest))
            rest = b""
    findings.skip("bytes after the hashes", len(rest))
    if number < max(most, 1):
        source.refuse(f"{number} hashes", f"{most or 'some'}; give other values for header and pages")


def _after_text(source: Source, findings: Findings, header: int) -> Iterator[bytes]:
    """The blocks of a file without its first ``header`` bytes; 0: without the text it begins with."""
    for index, block in enumerate(source.blocks()):
        if not index:
            header = header or _text_bytes(source, block)
            findings.said.setdefault("header_bytes", []).append(header)
        yield block[header:]
        header = max(0, header - len(block))


def _text_bytes(source: Source, first: bytes) -> int:
    """Bytes of the whole lines before the first byte of ``first`` that is no text."""
    binary = _NO_TEXT.search(first)
    if not binary:
        source.refuse(f"nothing but text in the first {len(first)} bytes", "hashes after it; or give header")
    return first.rfind(b"\n", 0, binary.start()) + 1


def _contents(hashes: Array, zero: int | None) -> Array:
    found = hashes.astype(np.uint64)
    found[found == 0] = _HASH_0
    if zero is not None:
        found[hashes == zero] = 0
    return found
