"""cache2k's benchmark traces: the ids of the objects asked for, as big-endian 32-bit numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source

SAMPLE = "u32 id, big-endian, 4 bytes a record"


def looks_like(head: bytes) -> bool:
    """Never: any bytes could be ids."""
    return False


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One page read a record."""
    findings.blocks = True
    for source in sources:
        for ids in source.records(np.dtype(">u4")):
            yield Records(ids.astype(np.uint64))
