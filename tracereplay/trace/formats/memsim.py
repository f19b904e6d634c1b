"""memsim and its family (OS course projects): an address in hexadecimal and R or W on each line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import numpy as np

from tracereplay.errors import UsageError
from tracereplay.trace.batch import Batch
from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, blanks, hexadecimal
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match
from tracereplay.trace.schema import Metadata, Op

SAMPLE = "0041f7a0 R"
CARRIES = frozenset({"page", "op"})

_LINE = re.compile(rb"(0x)?[0-9a-fA-F]{6,16}[ \t]+[RW]")
_R, _W = 82, 87
_LAST_BYTE = 2**64 - 1


def looks_like(head: bytes) -> bool:
    """Whether the first lines are address and R or W."""
    return all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One access a line."""
    expected = f"an address in hexadecimal and R or W, such as {SAMPLE}"
    yield from _lines.records(sources, findings, line, ("address", "op"), expected)


def line(text, i, stop, rows, n):
    """``0041f7a0 R``, or with 0x."""
    address, end = hexadecimal(text, i, stop)
    i = blanks(text, end, stop)
    if i == end or i + 1 != stop or (text[i] != _R and text[i] != _W):
        return BAD
    rows.address[n] = address
    rows.op[n] = text[i] == _W
    return 1


def write(batches: Iterable[Batch], sink: IO[bytes], metadata: Metadata) -> None:
    """The first byte of each page, in at least eight digits; instruction fetches are reads."""
    last_page = _LAST_BYTE // metadata.page_size
    for batch in batches:
        if (page := int(batch.page.max())) > last_page:
            raise UsageError(
                f"export: found page {page}; expected at most {last_page}, for an address of 64 bits; "
                "export page numbers (plain)"
            )
        address = (batch.page * np.uint64(metadata.page_size)).tolist()
        letters = np.where(batch.op == Op.WRITE, "W", "R").tolist()
        sink.writelines(b"%08x %s\n" % (a, o.encode()) for a, o in zip(address, letters, strict=True))
