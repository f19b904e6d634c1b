"""Formats of other tools' traces, one file each; the file's name is the format's.

A format is a module with a docstring whose first line says what it is and who writes it, and

- ``SAMPLE``: one line of it as text, or for a binary format how its record is laid out;
- ``looks_like(head)``: whether ``head`` (the first decompressed bytes, at most ``HEAD_BYTES``) is of this
  format;
- ``read(sources, findings, *, …)``: yields ``Records`` of all ``sources`` in order, in bounded memory.
  What it leaves out it counts with ``findings.skip``; what it learns of VMs, time and fidelity it says
  there, too.  What it cannot read it refuses with ``source.refuse``.  Keyword-only arguments with
  defaults are the format's parameters (``name:key=value``);
- if it can be written, ``write(batches, sink, metadata, *, …)``: a trace as this format into a binary file,
  which may return what it had to change (rows by reason), and ``CARRIES``: the columns that survive, and
  ``"free"`` and ``"fetch"`` if such rows do.

Text formats whose lines are all alike give ``_lines.records`` a kernel that reads one line.
Adding one is adding a file here and a test with a few bytes of it; everything else finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracereplay.catalog import Catalog
from tracereplay.problems import one_of

_READERS = Catalog(__name__, "format", "read", hyphens=True)
_WRITERS = Catalog(__name__, "format", "write", hyphens=True)

names = _READERS.names
get = _READERS.get
describe = _READERS.describe
defaults = _READERS.defaults
parameters = _READERS.parameters
parse = _READERS.parse
defaults_for_writing = _WRITERS.defaults


def writable() -> tuple[str, ...]:
    """Names of the formats that traces can be written as."""
    return tuple(name for name in names() if hasattr(get(name), "write"))


def parse_for_writing(text: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """As ``parse``, for writing."""
    one_of(text.partition(":")[0], writable())
    return _WRITERS.parse(text, given)


def matching(head: bytes) -> tuple[str, ...]:
    """Names of the formats that ``head`` could be, by its content alone."""
    return tuple(name for name in names() if get(name).looks_like(head))
