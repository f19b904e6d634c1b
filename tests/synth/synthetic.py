"""Makes small synthetic traces and looks at them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

import tracereplay as tr
from tracereplay.trace import open_trace
from tracereplay.trace.synth import synth


class Columns(NamedTuple):
    """A whole trace, column by column; ``content`` means nothing where it is not ``known``."""

    time: np.ndarray
    vm: np.ndarray
    page: np.ndarray
    op: np.ndarray
    content: np.ndarray
    known: np.ndarray


def table(kind: str, **params: Any) -> pa.Table:
    """A trace in memory, with its metadata."""
    return synth(kind, **params).read_all()


def columns(kind: str, **params: Any) -> Columns:
    """Its columns, as the reader gives them."""
    batches = [batch[1:] for batch in open_trace(table(kind, **params)).batches()]
    return Columns(*(np.concatenate(parts) for parts in zip(*batches, strict=True)))


def replayed(rows: Any, **scenario: Any) -> tr.Result:
    """A replay of one trace, in memory or a path, with ticks of a second."""
    vm = {"vm": [{"trace": "t"}]}
    return tr.replay({"tick": "1s", "host": {"memory": "100%"}} | vm | scenario, {"t": rows})


SHARED = ("shared", "reclaimed", "zero", "self", "inter_vm", "cross_family")


def ideally_shared(rows: Any, **scenario: Any) -> dict[str, float]:
    """What ideal sharing finds in the end: shared, reclaimed and its four kinds, as fractions of pages."""
    result = replayed(rows, **{"sharing": {"mode": "ideal"}} | scenario)
    pages = int(result.vms["footprint_pages"].sum())
    names = ("shared", "reclaimed", *(f"reclaimed_{kind}" for kind in SHARED[2:]))
    return {short: result.totals[name] / pages for short, name in zip(SHARED, names, strict=True)}


def within(found: dict[str, float], asked: dict[str, float], tolerance: float) -> bool:
    """Whether every number asked for is found, give or take ``tolerance``."""
    return all(abs(found[name] - number) <= tolerance for name, number in asked.items())
