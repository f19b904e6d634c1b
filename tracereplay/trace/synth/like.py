"""References with the LRU stack distances of an existing trace: its miss ratio curve, at any length.

Stresses what the model trace does, as far as LRU can tell: use it for longer runs of a real program, or for
more VMs like it.  What else the program did (loops, phases, which pages) is gone.
Source of the model: Coffman and Denning, "Operating Systems Theory", 1973, section 6.5.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tracereplay.analysis.stack_distance import FIRST_TOUCH, StackDistances
from tracereplay.catalog import Accesses, Count, Share, Text
from tracereplay.errors import TraceError
from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import sample_of
from tracereplay.trace.schema import Metadata, Op
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import bits
from tracereplay.trace.synth._one_vm import PATTERN, Load, expect, one_vm
from tracereplay.trace.synth._stack import Stack


class Fit(NamedTuple):
    """What is kept of a VM's accesses; FREE rows are none."""

    accesses: int
    writes: int
    first_row: np.ndarray  # int64[pages]: its accesses before the first touch of each page, in order
    at_distance: np.ndarray  # int64[pages]: accesses with each stack distance


def generate(
    *,
    trace: Text,
    vm: Count = 0,
    accesses: Accesses | None = None,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """Accesses with the stack distances, rate of new pages and share of writes of VM ``vm`` of ``trace``.

    ``accesses`` defaults to as many as the VM made.  In every LRU memory below the footprint, misses differ
    by less than 1 from the original's, scaled to the same length.  A longer trace has a larger footprint, as
    new pages come at the same rate; a shorter one a smaller, from which on only first touches miss.  Page
    size and page space are the original's, and what is known of it: the memory from which on a reduced trace
    is exact, the rate of a sample by pages.
    """
    opened = open_trace(trace)
    if (sample_of(opened.metadata) or {}).get("by") == "contents":
        raise TraceError(
            "found a sample by contents, which tells no stack distances; expected a whole trace, or a sample "
            "by pages",
            opened.name,
        )
    expect(vm < opened.n_vms, "vm", vm, f"an index below {opened.n_vms}, the VMs of {trace}")
    fit = fitted(opened, vm)
    expect(fit.accesses > 0, "vm", vm, f"a VM with accesses in {trace}")
    rows = fit.accesses if accesses is None else accesses
    expect(rows > 0, "accesses", rows, "at least 1")
    first_row, at_distance = scaled(fit, rows)
    stack = Stack(first_row, at_distance)

    def reference(start: int, n: int) -> np.ndarray:
        return stack.refer(start, bits(seed, PATTERN, start, n))

    load = Load(len(first_row), rows, fit.writes / fit.accesses, duplicates, seed)
    made = one_vm("like", load, reference)
    raw = opened.raw_accesses()[vm]
    scaled_raw = None if raw is None else raw * rows // fit.accesses
    return made._replace(metadata=_inherited(made.metadata, opened.metadata, scaled_raw))


def _inherited(made: Metadata, model: Metadata, raw_accesses: int | None) -> Metadata:
    """What is made, with what the original's metadata say that holds for it, too."""
    sample = sample_of(model)
    return replace(
        made,
        page_size=model.page_size,
        page_space=model.page_space,
        vms=tuple(replace(vm, raw_accesses=raw_accesses) for vm in made.vms),
        reduction=model.reduction,
        provenance=None if sample is None else {"sample": sample},
    )


def fitted(trace: Trace, vm: int) -> Fit:
    """One pass over a trace."""
    ids, stack = Ids(), StackDistances()
    accesses = writes = 0
    first_rows: list[np.ndarray] = []
    at_distance = np.zeros(0, np.int64)
    for batch in trace.batches(("vm", "page", "op")):
        chosen = (batch.vm == vm) & (batch.op != Op.FREE)
        pages = ids.encode(batch.page[chosen])
        distances = stack.touch(pages, len(ids))
        first = np.flatnonzero(distances == FIRST_TOUCH)
        first_rows.append(first + accesses)
        found = np.bincount(np.delete(distances, first), minlength=len(ids))
        found[: len(at_distance)] += at_distance
        at_distance = found
        accesses += len(pages)
        writes += int((batch.op[chosen] == Op.WRITE).sum())
    return Fit(accesses, writes, np.concatenate(first_rows), at_distance)


def scaled(fit: Fit, accesses: int) -> tuple[np.ndarray, np.ndarray]:
    """First touches and accesses at each distance of a trace of ``accesses``, rounded down in sum.

    Its footprint is the number of accesses that are left for first touches.
    """
    # in whole numbers of any size: a float may fall below a product that is exact
    known_nearer = itertools.accumulate(fit.at_distance.tolist(), initial=0)
    nearer = np.array([n * accesses // fit.accesses for n in known_nearer], np.int64)
    enough = np.searchsorted(nearer + np.arange(len(nearer)), accesses)
    pages = int(enough) if enough < len(nearer) else accesses - int(nearer[-1])
    at_distance = np.zeros(pages, np.int64)
    kept = min(pages, len(fit.at_distance))
    at_distance[:kept] = np.diff(nearer)[:kept]
    at_distance[-1] -= pages + at_distance.sum() - accesses  # the deepest ones, for which no row is left
    known = len(fit.first_row)
    new = np.interp(np.arange(pages) * (known / pages), np.arange(known + 1), [*fit.first_row, fit.accesses])
    return (new * (accesses / fit.accesses)).astype(np.int64), at_distance
