"""Text formats whose lines need Python: a regular expression, and a function of its groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from tracereplay.problems import shown
from tracereplay.trace.formats._records import Records
from tracereplay.trace.formats._source import Source

_RECORDS = 1 << 16
_KINDS: dict[str, Any] = {"vm": np.uint16, "op": np.uint8, "known": np.bool_}


def records(
    sources: Sequence[Source],
    line: re.Pattern[str],
    record: Callable[..., Sequence[int] | None],
    columns: Sequence[str],
    expected: str,
) -> Iterator[Records]:
    """The records of all lines of ``sources`` that are not blank.

    ``record`` makes the values of ``columns`` from the groups of ``line``; None leaves the line out (and it
    has counted it).  TraceError names file and line of the first that does not match.
    """
    for source in sources:
        found = _made(source, line, record, expected)
        while some := list(islice(found, _RECORDS)):
            values = zip(columns, zip(*some, strict=True), strict=True)
            yield Records(**{name: np.array(column, _KINDS.get(name, np.uint64)) for name, column in values})


def _made(
    source: Source, line: re.Pattern[str], record: Callable[..., Sequence[int] | None], expected: str
) -> Iterator[Sequence[int]]:
    for number, text in source.lines():
        if match := line.fullmatch(text):
            if (made := record(*match.groups())) is not None:
                yield made
        elif text.strip():
            source.refuse_line(number, shown(text.strip()), expected)
