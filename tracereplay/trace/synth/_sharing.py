"""What ideal sharing would give back of the memory that an existing trace leaves behind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Trace
from tracereplay.trace.schema import Op
from tracereplay.trace.synth._population import Copies, Shares


class Pages(NamedTuple):
    """Pages and their contents, arrays of equal length."""

    vm: np.ndarray
    content: np.ndarray
    known: np.ndarray


def fitted_shares(trace: Trace, families: list[str]) -> Shares:
    """The four kinds as fractions of all pages, as the gauges count them, and the copies between VMs.

    The copies are distributed as they are: of each family the contents that several of its VMs have.
    """
    pages = last_contents(trace)
    order = np.lexsort((pages.vm[pages.known], pages.content[pages.known]))
    vm, content = pages.vm[pages.known][order].astype(np.int64), pages.content[pages.known][order]
    names = list(dict.fromkeys(families))
    family = np.array([names.index(f) for f in families])[vm]

    again = np.concatenate([[False], content[1:] == content[:-1]])
    same_vm = again & np.concatenate([[False], vm[1:] == vm[:-1]])
    group = np.cumsum(~again)
    _, met_first = np.unique(group * len(names) + family, return_index=True)
    new_family = np.zeros(len(vm), np.bool_)
    new_family[met_first] = True
    zero = content == 0
    inter = again & ~zero & ~same_vm & ~new_family
    return Shares(
        zero=float((again & zero).sum() / len(pages.vm)),
        self=float((same_vm & ~zero).sum() / len(pages.vm)),
        inter=float(inter.sum() / len(pages.vm)),
        cross=float((again & ~zero & new_family).sum() / len(pages.vm)),
        copies=_copies((group * len(names) + family)[inter]),
    )


def _copies(again_in: np.ndarray) -> Copies | None:
    """How many contents are in 2, 3, … VMs; ``again_in`` has each of them once for every VM but the first."""
    _, more = np.unique(again_in, return_counts=True)
    numbers, contents = np.unique(more + 1, return_counts=True)
    return tuple(zip(numbers.tolist(), contents.tolist(), strict=True)) or None


def last_contents(trace: Trace) -> Pages:
    """The pages of a trace after its last row; what was never written is zero, what was freed is unknown."""
    ids = Ids(trace.n_vms)
    vm, content, known = np.empty(0, np.uint16), np.empty(0, np.uint64), np.empty(0, np.bool_)
    for batch in trace.batches(("vm", "page", "op", "content")):
        dense = ids.encode(batch.page, batch.vm)
        new = len(ids) - len(vm)
        vm, content = (np.concatenate([old, np.zeros(new, old.dtype)]) for old in (vm, content))
        known = np.concatenate([known, np.ones(new, np.bool_)])
        freed = batch.op == Op.FREE
        says = np.flatnonzero(batch.known | freed | (batch.op == Op.WRITE))
        vm[dense] = batch.vm
        content[dense[says]] = batch.content[says]
        known[dense[says]] = (batch.known & ~freed)[says]
    return Pages(vm, content, known)
