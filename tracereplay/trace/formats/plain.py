"""Page or block numbers in decimal, one a line, as LIRS's traces and many cache simulators have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from tracereplay.trace.batch import Batch
from tracereplay.trace.formats import _lines
from tracereplay.trace.formats._lines import BAD, SKIP, decimal
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match
from tracereplay.trace.schema import Metadata

SAMPLE = "2819"
CARRIES = frozenset({"page"})

_LINE = re.compile(rb"[0-9]{1,20}|\*")
_STAR = 42


def looks_like(head: bytes) -> bool:
    """Whether the first lines are one number each."""
    return all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings) -> Iterator[Records]:
    """One page read a line; LIRS's checkpoints (``*``) are left out."""
    findings.blocks = True
    expected = f"a page number in decimal, such as {SAMPLE}"
    yield from _lines.records(
        sources, findings, line, ("address",), expected, skips=("checkpoint lines (*)",)
    )


def line(text, i, stop, rows, n):
    """``2819``, or ``*``."""
    if text[i] == _STAR and i + 1 == stop:
        return SKIP
    page, end = decimal(text, i, stop)
    if end != stop:
        return BAD
    rows.address[n] = page
    return 1


def write(batches: Iterable[Batch], sink: IO[bytes], metadata: Metadata) -> None:
    """The page numbers."""
    for batch in batches:
        sink.write("".join(f"{page}\n" for page in batch.page.tolist()).encode())
