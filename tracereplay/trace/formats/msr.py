"""Microsoft Research Cambridge's block traces: time, host, disk, Read or Write, bytes, response time.

Narayanan, Donnelly and Rowstron, "Write Off-Loading: Practical Power Management for Enterprise Storage",
FAST 2008.  Each disk of each host is a VM of its own, as their addresses have nothing in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tracereplay.trace.formats import _matches
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "128166372003061629,hm,1,Read,383496192,32768,1331"

_FORM = r"[ \t]*(\d{1,17}|1[0-7]\d{16}),([^,]+),(\d+),(Read|Write),(\d{1,18}),(\d{1,10}),\d+[ \t]*"
_LINE = re.compile(_FORM)
_NS_PER_TICK = 100


def looks_like(head: bytes) -> bool:
    """Whether the first lines have such seven fields."""
    return all_match(head, re.compile(_FORM.encode()))


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One access per page of each request; ticks of 100 ns become ns."""
    findings.time_unit = "ns"

    def record(time: str, host: str, disk: str, op: str, offset: str, size: str) -> tuple[int, ...]:
        vm = findings.vm(f"{host}-{disk}")
        return int(time) * _NS_PER_TICK, vm, int(offset), int(size), op == "Write"

    expected = f"time, host, disk, Read or Write, offset, size and response time, such as {SAMPLE}"
    yield from _matches.records(sources, _LINE, record, ("time", "vm", "address", "size", "op"), expected)
