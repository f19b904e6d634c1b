"""How to split a host's memory between the VMs of traces so that they miss least, and what that saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tracereplay import policies
from tracereplay.analysis.best_partition import best_partition
from tracereplay.analysis.curve import Curve, of_raw_accesses
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.simulated import simulated_curves
from tracereplay.errors import TraceError, UsageError
from tracereplay.names import distinct, long_name, vm_name
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.units import parse_size

SIZES = 64
"""Memories of so many sizes are simulated for each VM under a policy that is not LRU."""


class Claim(NamedTuple):
    """A VM that is to have a part of the memory."""

    curve: Curve
    footprint: int  # pages
    least: int  # pages, of which it may have no fewer


def partition(
    source: object, memory: object, *, policy: str = "lru", jobs: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """The split of ``memory`` between all VMs of one or more traces with the fewest misses in all.

    ``source`` is a trace (anything ``open_trace`` takes) or a list of them; ``memory`` a size, or a share of
    all footprints together in per cent.  A VM keeps its part throughout and runs ``policy`` in it: the best
    that static balloons can do, and what balloon controllers are measured against.  One that moves memory
    as VMs enter other phases can go below it.

    A row per VM: ``vm pages misses miss_ratio``, first touches included, and ``pages_proportional
    misses_proportional``, where memory is shared out in proportion to footprints.  ``attrs``: ``total``,
    misses of all VMs, and ``total_proportional``; ``bound``, which no split goes below; ``exact``, whether no
    split has fewer misses, else ``unit``: none has whose parts are multiples of so many pages; ``memory``
    and ``left_over``, in pages, which if exact would save no miss; ``page_size``, ``policy``, ``warnings``.

    All this speaks of the curves: exact at every size under LRU; under other policies simulated at SIZES
    sizes of each VM, of which it takes one.  A part is a page or more, and no less than what a reduced trace
    is exact for; a VM without accesses has none.
    ``jobs`` threads make the curves; they change no number.  ``progress`` is told of each trace's rows.
    UsageError: no trace; wrong memory, policy or jobs; too little memory.  TraceError: page sizes differ.
    """
    traces = [open_trace(item) for item in (source if isinstance(source, list | tuple) else [source])]
    page_size = _page_size(traces)
    pages = _checked(traces, memory, policy)
    if jobs < 1:
        raise UsageError(f"jobs: {problem(str(jobs), '1 or more')}")
    claims = dict(zip(_names(traces), _claims(traces, policy, jobs, progress), strict=True))
    curves = {vm: claim.curve for vm, claim in claims.items()}
    best = best_partition(curves, pages, least={vm: claim.least for vm, claim in claims.items()})
    shares = proportional([claim.footprint for claim in claims.values()], pages)
    table = _table(curves, list(best.pages.values()), shares)
    table.attrs = {
        "total": sum(table["misses"].tolist()),
        "total_proportional": sum(table["misses_proportional"].tolist()),
        "bound": best.bound,
        "exact": best.exact,
        "unit": best.unit,
        "memory": pages,
        "left_over": pages - sum(best.pages.values()),
        "page_size": page_size,
        "policy": policy,
        "warnings": list(_warnings(traces, claims, shares, policy)),
    }
    return table


def proportional(footprints: Sequence[int], memory: int) -> list[int]:
    """``memory`` pages shared out in proportion to footprints; rounding cuts as little as it can."""
    together = max(sum(footprints), 1)
    shares = [memory * pages // together for pages in footprints]
    cut_most = sorted(range(len(shares)), key=lambda vm: -(memory * footprints[vm] % together))
    for vm in cut_most[: memory - sum(shares)]:
        shares[vm] += 1
    return shares


def _checked(traces: Sequence[Trace], memory: object, policy: str) -> int:
    """The memory in pages; refuses it, or the policy, if it is wrong."""
    footprint = sum(sum(trace.footprints()) for trace in traces)
    try:
        policies.parse(policy)
        return parse_size(memory, page_size=traces[0].metadata.page_size, of=footprint)
    except ValueError as error:
        raise UsageError(f"partition: {error}") from None


def _page_size(traces: Sequence[Trace]) -> int:
    if not traces:
        raise UsageError("partition: found no trace; expected at least one")
    expected = traces[0].metadata.page_size
    for trace in traces:
        if (found := trace.metadata.page_size) != expected:
            like = f"{expected} as in {traces[0].name}"
            raise TraceError(f"page size: found {found}; expected {like}; record all with one", trace.name)
    return expected


def _names(traces: Sequence[Trace]) -> list[str]:
    """A name of its own for every VM."""
    vms = [(trace, index) for trace in traces for index in range(trace.n_vms)]
    return distinct([vm_name(*vm) for vm in vms], [long_name(*vm) for vm in vms])


def _claims(traces: Sequence[Trace], policy: str, jobs: int, progress: Progress | None) -> Iterator[Claim]:
    """The VMs of all traces in order."""
    for trace in traces:
        curves = _curves(trace, policy, jobs, progress)
        for vm, (curve, footprint) in enumerate(zip(curves, trace.footprints(), strict=True)):
            least = min(trace.metadata.exact_above or 1, int(curve.sizes[-1]))
            yield Claim(of_raw_accesses(curve, trace, [vm]), footprint, least if curve.accesses else 0)


def _curves(trace: Trace, policy: str, jobs: int, progress: Progress | None) -> list[Curve]:
    """The curve of each VM of a trace."""
    if policy == "lru":
        return list(lru_curve(trace, jobs=jobs, progress=progress).values())
    above = trace.metadata.exact_above or 1
    sizes = [
        np.unique(np.linspace(min(above, pages), pages, SIZES).astype(np.int64))
        for pages in (max(footprint, 1) for footprint in trace.footprints())
    ]
    found = (simulated_curves(trace, vm, [policy], of_vm, jobs=jobs) for vm, of_vm in enumerate(sizes))
    return [curves[policy] for curves in found]


def _table(curves: Mapping[str, Curve], pages: Sequence[int], shares: Sequence[int]) -> pd.DataFrame:
    misses = [misses_at(*pair) for pair in zip(curves.values(), pages, strict=True)]
    accesses = np.array([curve.accesses for curve in curves.values()])
    return pd.DataFrame(
        {
            "vm": list(curves),
            "pages": pages,
            "misses": misses,
            "miss_ratio": misses / np.maximum(accesses, 1),
            "pages_proportional": shares,
            "misses_proportional": [misses_at(*pair) for pair in zip(curves.values(), shares, strict=True)],
        }
    )


def misses_at(curve: Curve, pages: int) -> int:
    """Misses of a memory of ``pages``: those of the largest size of the curve that fits into it."""
    fitting = int(np.searchsorted(curve.sizes, pages, "right"))
    return curve.misses[fitting - 1].item() if fitting else curve.accesses


def _counted(traces: Sequence[Trace]) -> str:
    """What the miss ratios of reduced traces are of."""
    reduced = [trace for trace in traces if trace.metadata.exact_above]
    unknown = [trace.name for trace in reduced if None in trace.raw_accesses()]
    if len(unknown) == len(reduced):
        return "the accesses kept"
    all_others = "all accesses, those left out included"
    return f"{all_others}; in {', '.join(unknown)} of those kept" if unknown else all_others


def _warnings(
    traces: Sequence[Trace], claims: Mapping[str, Claim], shares: Sequence[int], policy: str
) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    reduced = any(trace.metadata.exact_above for trace in traces)
    if reduced and policies.parse(policy)[0] not in policies.EXACT_WHEN_REDUCED:
        yield f"a reduced trace is exact under LRU and OPT alone: what {policy} misses is not"
    if reduced:
        yield f"of a reduced trace, miss ratios are of {_counted(traces)}"
    for trace in traces:
        if trace.metadata.page_space == "guest-physical":
            yield f"{trace.name}: recorded below the guest's own paging: what is split is the host's memory"
        if (sample := told_sample(trace.metadata)) is not None:
            yield f"{trace.name}: {sample}: pages and misses are of the rows kept"
    small = [vm for (vm, claim), pages in zip(claims.items(), shares, strict=True) if pages < claim.least]
    if small:
        listed = ", ".join(map(shown, small[:8])) + "…" * (len(small) > 8)
        yield f"in proportion, {listed} would have no page, or fewer than a reduced trace is exact for"
