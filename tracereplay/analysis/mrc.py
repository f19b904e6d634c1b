"""Miss-ratio curves of the VMs of traces, under any policies, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from tracereplay import policies as catalog
from tracereplay.analysis.curve import Curve, spaced
from tracereplay.analysis.lru_curve import Progress, lru_curve
from tracereplay.analysis.sampling import Sample
from tracereplay.errors import UsageError
from tracereplay.names import distinct, vm_index, vm_name
from tracereplay.problems import problem
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.schema import Op
from tracereplay.units import parse_size

LRU = "lru"
SPACED_SIZES = 50
"""Sizes of a curve that is simulated, where none are asked for."""
_EXACT_IF_REDUCED = {"lru", "opt"}


@dataclass(frozen=True)
class _Asked:
    """What was asked for of every trace."""

    policies: Sequence[str]
    sizes: Sequence[object] | None
    sample: Sample | None
    vm: int | str | None
    jobs: int
    seed: int
    progress: Progress | None


def mrc(
    source: object,
    policy: str | Sequence[str] = LRU,
    *,
    sizes: object = None,
    sample: object = None,
    vm: int | str | None = None,
    jobs: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """What a memory of each size misses of a trace: ``size_pages misses miss_ratio``, first touches included.

    Before them ``trace`` says whose rows they are where ``source`` is a list of traces (else anything that
    ``open_trace`` takes), ``vm`` where a trace has several VMs and none is chosen, ``policy`` where several
    are asked for: a list, or a text such as "lru,two_q:in=20%,out=40%,opt".

    ``sizes`` are integers (pages), "64MiB" or "50%" (of the VM's footprint), several as a list or with
    commas.  By default exact LRU has every size from 1 to the footprint, from one pass; anything else has
    SPACED_SIZES of them in even ratios.  ``sample`` ("1%", a number of pages, "rate=1%,salts=4"; see
    ``Sample``) estimates from a part of the pages; ``misses_low misses_high miss_ratio_low miss_ratio_high``
    are the ends of the 95 % band.  Sizes that a sample or a reduced trace cannot speak of are left out.

    ``jobs`` threads change no number; ``seed`` is for policies that draw.  ``attrs``: ``page_size``,
    ``policies``, ``sample``; ``accesses`` by VM, FREE rows left out, and ``exact_above`` (pages, None unless
    the trace is reduced), both by trace where ``source`` is a list; ``warnings``, what changes the meaning.
    UsageError for words that cannot be read, and sizes of which none is left.
    """
    if jobs < 1:
        raise UsageError(f"jobs: {problem(str(jobs), '1 or more')}")
    parsed = None if sample is None else Sample.parse(sample)
    asked = _Asked(parse_policies(policy), _listed(sizes), parsed, vm, jobs, seed, progress)
    if not isinstance(source, list | tuple):
        trace = open_trace(source)
        return _of_trace(trace, asked, by_vm=vm is None and trace.n_vms > 1)
    traces = [open_trace(one) for one in source]
    if len({trace.metadata.page_size for trace in traces}) != 1:
        found = ", ".join(str(trace.metadata.page_size) for trace in traces) or "no trace"
        raise UsageError(
            f"mrc: {problem(f'page sizes {found}', 'traces of one page size')}; measure them apart"
        )
    return _of_traces(traces, asked)


def _described(sample: Sample) -> dict[str, Any]:
    rate = None if sample.rate is None else float(sample.rate)
    return {"rate": rate, "pages": sample.pages, "salts": sample.salts}


def parse_policies(said: str | Sequence[str]) -> list[str]:
    """The policies that are asked for, each once: a list, or a text in which commas part them.

    Commas part a policy's parameters, too; what follows one is a parameter if it has an equals sign and no
    colon before that.  UsageError for an unknown policy or parameter.
    """
    found: list[str] = []
    for text in [said] if isinstance(said, str) else said:
        for word in map(str.strip, text.split(",")):
            if found and "=" in word and ":" not in word.partition("=")[0]:
                found[-1] += f",{word}"
            else:
                found.append(word.removesuffix(":"))
    try:
        for policy in found:
            catalog.parse(policy)
    except ValueError as error:
        raise UsageError(f"policy: {error}") from None
    return list(dict.fromkeys(found))


def _listed(sizes: object) -> Sequence[object] | None:
    if sizes is None:
        return None
    if isinstance(sizes, str):
        return [word.strip() for word in sizes.split(",")]
    return list(sizes) if isinstance(sizes, Sequence | np.ndarray) else [sizes]


def _of_traces(traces: Sequence[Trace], asked: _Asked) -> pd.DataFrame:
    """One table of several traces."""
    files = [trace.name for trace in traces]
    names = distinct([PurePath(file).stem for file in files], files)
    by_vm = asked.vm is None and any(trace.n_vms > 1 for trace in traces)
    tables = {name: _of_trace(t, asked, by_vm=by_vm) for name, t in zip(names, traces, strict=True)}
    for name, table in tables.items():
        table.insert(0, "trace", name)
    together = pd.concat(list(tables.values()), ignore_index=True)
    together.attrs = dict(tables[names[0]].attrs)
    for key in ("accesses", "exact_above"):
        together.attrs[key] = {name: table.attrs[key] for name, table in tables.items()}
    together.attrs["warnings"] = [text for table in tables.values() for text in table.attrs["warnings"]]
    return together


def _of_trace(trace: Trace, asked: _Asked, *, by_vm: bool) -> pd.DataFrame:
    vms = list(range(trace.n_vms)) if asked.vm is None else [vm_index(trace, asked.vm)]
    names = [vm_name(trace, vm) for vm in vms]
    curves = dict(zip(distinct(names, names), _curves(trace, vms, asked), strict=True))
    tables = []
    for vm, by_policy in curves.items():
        for policy, curve in by_policy.items():
            labels = ({"vm": vm} if by_vm else {}) | ({"policy": policy} if len(asked.policies) > 1 else {})
            tables.append(_table(labels, curve, asked))
    table = pd.concat(tables, ignore_index=True)
    table.attrs = {
        "page_size": trace.metadata.page_size,
        "policies": list(asked.policies),
        "sample": None if asked.sample is None else _described(asked.sample),
        "accesses": {vm: next(iter(by_policy.values())).accesses for vm, by_policy in curves.items()},
        "exact_above": trace.metadata.exact_above,
        "warnings": list(_warnings(trace, vms, asked)),
    }
    return table


def _table(labels: Mapping[str, str], curve: Curve, asked: _Asked) -> pd.DataFrame:
    """One curve."""
    columns = {**labels, "size_pages": curve.sizes, "misses": curve.misses, "miss_ratio": curve.miss_ratio}
    if asked.sample is not None:
        low = curve.misses if curve.low is None else curve.low
        high = curve.misses if curve.high is None else curve.high
        accesses = max(curve.accesses, 1)
        columns |= {"misses_low": low, "misses_high": high}
        columns |= {"miss_ratio_low": low / accesses, "miss_ratio_high": high / accesses}
    return pd.DataFrame(columns)


def _curves(trace: Trace, vms: Sequence[int], asked: _Asked) -> Iterator[dict[str, Curve]]:
    """The curves of each VM by policy, in the order in which they are asked for."""
    lru = _lru_curves(trace, vms, asked) if LRU in asked.policies else {}
    others = [policy for policy in asked.policies if policy != LRU]
    for vm in vms:
        sizes = _sizes(trace, vm, asked, lru.get(vm))
        found = {LRU: lru[vm]} if vm in lru else {}
        if others:
            found |= _simulated(trace, vm, others, sizes, asked)
        yield {policy: _at(found[policy], sizes) for policy in asked.policies}


def _lru_curves(trace: Trace, vms: Sequence[int], asked: _Asked) -> dict[int, Curve]:
    if asked.sample is None:
        return lru_curve(trace, vms, jobs=asked.jobs, progress=asked.progress)
    from tracereplay.analysis.shards import shards_curves

    return shards_curves(trace, vms, asked.sample, jobs=asked.jobs)


def _simulated(
    trace: Trace, vm: int, policies: Sequence[str], sizes: np.ndarray, asked: _Asked
) -> dict[str, Curve]:
    """Simulated curves; larger memories than the footprint do as one of just that size."""
    from tracereplay.analysis.simulated import simulated_curves

    different = np.unique(np.minimum(sizes, max(trace.footprints()[vm], 1)))
    return simulated_curves(
        trace, vm, policies, different, sample=asked.sample, seed=asked.seed, jobs=asked.jobs
    )


def _at(curve: Curve, sizes: np.ndarray) -> Curve:
    """The curve at those of ``sizes`` that it speaks of."""
    known = sizes[sizes >= curve.sizes[0]]
    if not len(known):
        expected = f"some of {curve.sizes[0]} pages or more, or a larger sample"
        raise UsageError(f"sizes: {problem(f'none above {sizes[-1]} pages', expected)}")
    return curve.at(known)


def _sizes(trace: Trace, vm: int, asked: _Asked, lru: Curve | None) -> np.ndarray:
    """Sizes (int64, ascending) of a VM's curves; of a reduced trace only those for which it is exact."""
    first = trace.metadata.exact_above or 1
    if asked.sizes is not None:
        sizes = _said_sizes(trace, vm, asked.sizes)
        if sizes[-1] < first:
            found = f"none above {sizes[-1]} pages"
            expected = f"some of {first} or more: the trace is reduced, and not exact below"
            raise UsageError(f"sizes: {problem(found, expected)}")
        return sizes[sizes >= first]
    if len(asked.policies) > 1 or lru is None:
        return spaced(first, max(trace.footprints()[vm], first), SPACED_SIZES)
    last = max(int(lru.sizes[-1]), first)
    if asked.sample is not None:
        return spaced(max(first, int(lru.sizes[0])), last, SPACED_SIZES)
    return np.arange(first, last + 1)


def _said_sizes(trace: Trace, vm: int, said: Sequence[object]) -> np.ndarray:
    page_size = trace.metadata.page_size
    footprint = max(trace.footprints()[vm], 1) if any("%" in str(size) for size in said) else None
    try:
        found = {parse_size(size, page_size=page_size, of=footprint) for size in said}
    except ValueError as error:
        raise UsageError(f"sizes: {error}") from None
    if not found or 0 in found:
        raise UsageError(f"sizes: {problem('0 pages' if found else 'none', 'sizes of 1 page or more')}")
    return np.array(sorted(found), np.int64)


def _warnings(trace: Trace, vms: Sequence[int], asked: _Asked) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    above = trace.metadata.exact_above
    if above is not None:
        told = f"a reduced trace, exact for memories of {above:,} pages or more: smaller ones are left out"
        others = [p for p in asked.policies if catalog.parse(p)[0] not in _EXACT_IF_REDUCED]
        guess = f"; {', '.join(others)}: not exact at any size" if others else ""
        yield f"{trace.name}: {told}{guess}"
    if asked.sample is not None and asked.sizes is not None:
        yield f"{trace.name}: estimates; sizes for which the sample has too few pages are left out"
    if trace.metadata.page_space == "guest-physical":
        yield (
            f"{trace.name}: recorded below the guest's own paging: its pages are frames of the guest, and the"
            " curve is that of the host's memory, not of the guest's"
        )
    if _any_free(trace, vms):
        yield (
            f"{trace.name}: some rows free pages: they are no accesses, and the next access to such a page "
            "misses at every size"
        )


def _any_free(trace: Trace, vms: Sequence[int]) -> bool:
    if "op" not in trace.columns:
        return False
    return any(
        bool(np.isin(batch.vm[batch.op == Op.FREE], vms).any()) for batch in trace.batches(("vm", "op"))
    )
