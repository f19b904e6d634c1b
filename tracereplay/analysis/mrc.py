"""Miss-ratio curves of the VMs of traces, under any policies, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from tracereplay import policies as catalog
from tracereplay.analysis.curve import Curve, of_raw_accesses, spaced, told_accesses
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.sampling import Sample
from tracereplay.analysis.sizes import listed, parse_sizes
from tracereplay.errors import UsageError
from tracereplay.names import distinct, vm_index, vm_name
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress, part
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.trace.schema import Op

LRU, OPT = "lru", "opt"
SPACED_SIZES = 50
"""Sizes of a curve that is simulated, where none are asked for."""


@dataclass(frozen=True)
class _Asked:
    """What was asked for of every trace."""

    policies: Sequence[str]
    sizes: Sequence[Any] | None
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
    are asked for: a list, or a text such as "lru,two_q:hot=50%,ghosts=20%,opt".

    ``sizes`` are integers (pages), "64MiB" or "50%" (of the VM's footprint), several as a list or with
    commas.  By default exact LRU has every size from 1 to the most pages in use at a time, from one pass;
    anything else has SPACED_SIZES up to the footprint, in even ratios.  ``sample`` ("1%", a number of pages,
    "rate=1%,salts=4"; see ``Sample``) estimates from a part of the pages; ``misses_low misses_high
    miss_ratio_low miss_ratio_high`` are the ends of the 95 % band.  Sizes that a sample or a reduced trace
    cannot speak of are left out, with a warning where that leaves none of a VM.

    ``jobs`` threads change no number; ``seed`` is for policies that draw.  ``attrs``: ``page_size``,
    ``policies``, ``sample``; ``accesses`` by VM, FREE rows left out, which the miss ratios are of: of a
    reduced trace those that the VM made, where the trace says so, else those kept; ``exact_above`` (pages,
    None unless the trace is reduced), both by trace where ``source`` is a list; ``warnings``, what changes
    the meaning.
    UsageError: words that cannot be read, sizes of which none is left.  TraceError: no access to any sampled
    page of a VM.
    """
    if jobs < 1:
        raise UsageError(f"jobs: {problem(str(jobs), '1 or more')}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"seed: {problem(str(seed), '0 to 2^64 - 1')}")
    parsed = None if sample is None else Sample.parse(sample)
    said = None if sizes is None else list(listed(sizes))
    asked = _Asked(parse_policies(policy), said, parsed, vm, jobs, seed, progress)
    if not isinstance(source, list | tuple):
        trace = open_trace(source)
        return _of_trace(trace, asked, by_vm=vm is None and trace.n_vms > 1)
    traces = [open_trace(one) for one in source]
    if not traces:
        raise UsageError(f"mrc: {problem('no trace', 'one or more')}")
    page_sizes = {trace.metadata.page_size: None for trace in traces}
    if len(page_sizes) > 1:
        found = f"page sizes {', '.join(map(str, page_sizes))}"
        raise UsageError(f"mrc: {problem(found, 'traces of one page size')}; measure them apart")
    return _of_traces(traces, asked)


def _described(sample: Sample) -> dict[str, Any]:
    rate = None if sample.rate is None else float(sample.rate)
    return {"rate": rate, "pages": sample.pages, "salts": sample.salts}


def parse_policies(said: str | Sequence[str]) -> list[str]:
    """The policies that are asked for, each once: a list, or a text in which commas part them.

    Commas part a policy's parameters, too; what follows one is a parameter if it has an equals sign and no
    colon before that.  UsageError for an unknown policy or parameter.
    """
    texts = [said] if isinstance(said, str) else said
    if not (isinstance(texts, Sequence) and texts and all(isinstance(text, str) for text in texts)):
        expected = 'a name such as "lru", or several: "lru,opt" or ["lru", "opt"]'
        raise UsageError(f"policy: {problem(shown(said), expected)}")
    found: list[str] = []
    for text in texts:
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


def _of_traces(traces: Sequence[Trace], asked: _Asked) -> pd.DataFrame:
    """One table of several traces."""
    files = [trace.name for trace in traces]
    names = distinct([PurePath(file).stem for file in files], files)
    by_vm = asked.vm is None and any(trace.n_vms > 1 for trace in traces)
    parts = _parts(asked, len(traces))
    tables = {name: _of_trace(t, next(parts), by_vm=by_vm) for name, t in zip(names, traces, strict=True)}
    for name, table in tables.items():
        table.insert(0, "trace", name)
    together = pd.concat(list(tables.values()), ignore_index=True)
    together.attrs = dict(tables[names[0]].attrs)
    for key in ("accesses", "exact_above"):
        together.attrs[key] = {name: table.attrs[key] for name, table in tables.items()}
    together.attrs["warnings"] = [text for table in tables.values() for text in table.attrs["warnings"]]
    return together


def _parts(asked: _Asked, n: int) -> Iterator[_Asked]:
    """The same for each of ``n`` passes, of whose rows is told as of one pass over all."""
    for number in range(n):
        yield replace(asked, progress=part(asked.progress, number, n))


def _of_trace(trace: Trace, asked: _Asked, *, by_vm: bool) -> pd.DataFrame:
    vms = list(range(trace.n_vms)) if asked.vm is None else [vm_index(trace, asked.vm)]
    names = [vm_name(trace, vm) for vm in vms]
    curves = dict(zip(distinct(names, names), _curves(trace, vms, asked), strict=True))
    tables, left_out = [], []
    for vm, by_policy in curves.items():
        for policy, curve in by_policy.items():
            labels = ({"vm": vm} if by_vm else {}) | ({"policy": policy} if len(asked.policies) > 1 else {})
            if len(curve.sizes):
                tables.append(_table(labels, curve, asked))
            else:
                left_out.append(f"{vm} under {policy}")
    if not tables:
        raise _nothing_left(trace, asked)
    table = pd.concat(tables, ignore_index=True)
    table.attrs = {
        "page_size": trace.metadata.page_size,
        "policies": list(asked.policies),
        "sample": None if asked.sample is None else _described(asked.sample),
        "accesses": {vm: next(iter(by_policy.values())).accesses for vm, by_policy in curves.items()},
        "exact_above": trace.metadata.exact_above,
        "warnings": list(_warnings(trace, vms, asked, left_out)),
    }
    return table


def _nothing_left(trace: Trace, asked: _Asked) -> UsageError:
    exact = f"{trace.metadata.exact_above} pages or more, as the trace is reduced and not exact below"
    expected = exact if asked.sample is None else "larger ones, or a larger sample"
    return UsageError(f"{trace.name}: sizes: {problem('none that is large enough', expected)}")


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
    others = [policy for policy in asked.policies if policy != LRU]
    parts = _parts(asked, (LRU in asked.policies) + (len(vms) if others else 0))
    lru = _lru_curves(trace, vms, next(parts)) if LRU in asked.policies else {}
    for vm in vms:
        sizes = _sizes(trace, vm, asked, lru.get(vm))
        found = {LRU: lru[vm]} if vm in lru else {}
        if others:
            found |= _simulated(trace, vm, others, sizes, next(parts))
        yield {p: of_raw_accesses(_at(found[p], sizes), trace, [vm]) for p in asked.policies}


def _lru_curves(trace: Trace, vms: Sequence[int], asked: _Asked) -> dict[int, Curve]:
    if asked.sample is None:
        return lru_curve(trace, vms, jobs=asked.jobs, progress=asked.progress)
    from tracereplay.analysis.shards import shards_curves

    return shards_curves(trace, vms, asked.sample, jobs=asked.jobs, progress=asked.progress)


def _simulated(
    trace: Trace, vm: int, policies: Sequence[str], sizes: np.ndarray, asked: _Asked
) -> dict[str, Curve]:
    """Simulated curves; larger memories than the footprint do as one of just that size."""
    from tracereplay.analysis.simulated import simulated_curves

    return simulated_curves(
        trace,
        vm,
        policies,
        np.unique(np.minimum(sizes, max(trace.footprints()[vm], 1))),
        sample=asked.sample,
        seed=asked.seed,
        jobs=asked.jobs,
        progress=asked.progress,
    )


def _at(curve: Curve, sizes: np.ndarray) -> Curve:
    """The curve at those of ``sizes`` that it speaks of."""
    return curve.at(sizes[sizes >= curve.sizes[0]] if len(curve.sizes) else curve.sizes)


def _sizes(trace: Trace, vm: int, asked: _Asked, lru: Curve | None) -> np.ndarray:
    """Sizes (int64, ascending) of a VM's curves; of a reduced trace only those for which it is exact."""
    first = trace.metadata.exact_above or 1
    if asked.sizes is not None:
        sizes = _said_sizes(trace, vm, asked.sizes)
        return sizes[sizes >= first]
    if asked.sample is not None:
        first = max(first, _smallest(trace, vm, asked.sample) if lru is None else int(lru.sizes[0]))
    if len(asked.policies) > 1 or lru is None:
        return spaced(first, max(trace.footprints()[vm], first), SPACED_SIZES)
    last = max(int(lru.sizes[-1]), first)
    return np.arange(first, last + 1) if asked.sample is None else spaced(first, last, SPACED_SIZES)


def _smallest(trace: Trace, vm: int, sample: Sample) -> int:
    from tracereplay.analysis.simulated import smallest_size

    return smallest_size(trace, vm, sample)


def _said_sizes(trace: Trace, vm: int, said: Sequence[Any]) -> np.ndarray:
    page_size = trace.metadata.page_size
    found = parse_sizes("sizes", said, page_size=page_size, footprint=lambda: max(trace.footprints()[vm], 1))
    return np.unique(np.array(found, np.int64))


def _warnings(trace: Trace, vms: Sequence[int], asked: _Asked, left_out: Sequence[str]) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    name, above, sample = trace.name, trace.metadata.exact_above, told_sample(trace.metadata)
    if above is not None:
        told = f"a reduced trace, exact for memories of {above:,} pages or more: smaller ones are left out"
        others = [p for p in asked.policies if catalog.parse(p)[0] not in catalog.EXACT_WHEN_REDUCED]
        guess = f"; {', '.join(others)}: not exact at any size" if others else ""
        yield f"{name}: {told}{guess}; miss ratios are {told_accesses(trace, vms)}"
    if sample is not None:
        yield f"{name}: {sample}: sizes, misses and miss ratios are of the rows kept"
    if asked.sample is not None:
        yield from _of_sample(name, asked)
    if left_out:
        yield f"{name}: left out, as no size is large enough: {', '.join(left_out)}"
    if trace.metadata.page_space == "guest-physical":
        yield (
            f"{name}: recorded below the guest's own paging: its pages are frames of the guest, and the"
            " curve is that of the host's memory, not of the guest's"
        )
    if _any_free(trace, vms):
        yield (
            f"{name}: some rows free pages: they are no accesses, and the next access to such a page "
            "misses at every size"
        )


def _of_sample(name: str, asked: _Asked) -> Iterator[str]:
    """What changes the meaning of estimates."""
    if any(catalog.parse(policy)[0] == OPT for policy in asked.policies):
        yield (
            f"{name}: {OPT}: its estimates are too high where few pages are sampled, by some 0.012 of the "
            "accesses in memories of which 32 are, by 0.003 where 128 are, and the bands do not tell of it: "
            "fewer of them than 95 % hold the truth; take a larger sample"
        )
    if asked.sizes is not None:
        yield f"{name}: estimates; sizes for which the sample has too few pages are left out"


def _any_free(trace: Trace, vms: Sequence[int]) -> bool:
    return trace.may_free and any(
        bool(np.isin(batch.vm[batch.op == Op.FREE], vms).any()) for batch in trace.batches(("vm", "op"))
    )
