"""Generators of synthetic traces, one file each: seeded, streaming, repeatable to the byte.

A generator is a module whose docstring says in its first line what it makes, then what it stresses and
from where its numbers are, and ``generate(*, …, seed=0)``, which returns ``Generated`` rows.  Its
keyword-only arguments are the generator's parameters; their annotations say the unit of each.  Every draw is
a function of the seed and its position (``_draws``), so batches never matter.

Adding one is adding a file here and a test that the trace has the statistics asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa

from tracereplay import __version__
from tracereplay.catalog import Catalog
from tracereplay.errors import UsageError
from tracereplay.trace.schema import Metadata
from tracereplay.trace.stream import stream

_CATALOG = Catalog(__name__, "generator", "generate", hyphens=True)

names = _CATALOG.names
get = _CATALOG.get
describe = _CATALOG.describe
parameters = _CATALOG.parameters


def stresses(name: str) -> str:
    """What a generator stresses: the second paragraph of its docstring, without the source of its numbers."""
    return _paragraphs(get(name).__doc__)[1].partition(" Source")[0]


def explain(name: str) -> list[str]:
    """What its parameters mean and where its numbers are from, in paragraphs."""
    _, source, rest = _paragraphs(get(name).__doc__)[1].partition("Source")
    return _paragraphs(get(name).generate.__doc__) + [source + rest] * bool(source)


def _paragraphs(text: str | None) -> list[str]:
    """A docstring's paragraphs without line breaks."""
    return [" ".join(part.split()).replace("``", "`") for part in (text or "").split("\n\n")]


class Generated(NamedTuple):
    """What a generator returns: record batches of equal columns, and what to say of them."""

    batches: Iterator[pa.RecordBatch]
    metadata: Metadata = Metadata()


def synth(kind: str, **params: Any) -> pa.RecordBatchReader:
    """A synthetic trace as a stream of record batches, with metadata: for ``replay`` or ``write_trace``.

    ``kind`` is a generator's name, with parameters if wanted (``"zipf:pages=10k"``; also as keywords); equal
    parameters give equal rows.  UsageError: no such generator, or a parameter that is wrong or missing.
    """
    try:
        name, given = _CATALOG.parse(kind, params)
        made = get(name).generate(**given)
    except ValueError as error:
        raise UsageError(f"synth: {error}") from None
    source = {"tool": f"tracereplay synth {name}", "version": __version__, "parameters": given}
    return stream(made.batches, replace(made.metadata, source=source))
