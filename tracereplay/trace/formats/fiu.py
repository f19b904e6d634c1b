"""FIU's IODedup traces: block requests with the MD5 of their content.

Koller and Rangaswami, "I/O Deduplication: Utilizing Content Similarity to Improve I/O Performance", FAST
2010.  A line is time in ns, pid, process, first 512-byte sector, sectors, W or R, major and minor number of
the device, MD5.  A page is one block of the device that an MD5 is of: 4096 bytes, but 512 in the traces
called homes (``fiu:block=512``).  Each device is a VM of its own.  A content is the first eight bytes of the
MD5; 0, the zero page, that of a block of zeros.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from tracereplay.catalog import Count
from tracereplay.errors import UsageError
from tracereplay.trace.formats import _matches
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "329131208190249 4892 syslogd 904265560 8 W 6 0 531e779d1fe0a1e4d1e9b6cf5dc1bf6e"

_FORM = (
    r"[ \t]*(\d{1,19})[ \t]+\d+[ \t]+.*?[ \t]+(\d{1,18})[ \t]+(\d{1,9})[ \t]+([RW])"
    r"[ \t]+(\d+)[ \t]+(\d+)[ \t]+([0-9a-fA-F]{32})[ \t]*"
)
_LINE = re.compile(_FORM)
_SECTOR = 512
_DIGITS_OF_CONTENT = 16
_NOT_KEPT = "contents of other than one block left out"


def looks_like(head: bytes) -> bool:
    """Whether the first lines are such requests."""
    return all_match(head, re.compile(_FORM.encode()))


def read(sources: Sequence[Source], findings: Findings, *, block: Count = 4096) -> Iterator[Records]:
    """One access per block of each request; its content is known where the request is exactly one block."""
    if block < _SECTOR or block % _SECTOR:
        raise UsageError(f"import: fiu: block: found {block}; expected a multiple of {_SECTOR}, such as 4096")
    findings.fix_page_size(block)
    findings.blocks, findings.time_unit = True, "ns"
    sectors = block // _SECTOR
    zeros = hashlib.md5(bytes(block), usedforsecurity=False).hexdigest()

    def record(
        time: str, sector: str, count: str, op: str, major: str, minor: str, md5: str
    ) -> tuple[int, ...]:
        first, n = int(sector), max(int(count), 1)
        page = first // sectors
        pages = (first + n - 1) // sectors - page + 1
        known = first % sectors == 0 and n == sectors
        if not known:
            findings.said[_NOT_KEPT] = findings.said.get(_NOT_KEPT, 0) + 1
        content = 0 if md5.lower() == zeros else int(md5[:_DIGITS_OF_CONTENT], 16)
        return int(time), findings.vm(f"{major}-{minor}"), page, pages, op == "W", content, known

    expected = f"time, pid, process, sector, count, W or R, major, minor and MD5, such as {SAMPLE}"
    columns = ("time", "vm", "address", "size", "op", "content", "known")
    yield from _matches.records(sources, _LINE, record, columns, expected)
