"""Miss-ratio curves of memory that holds each content once: what sharing pages between VMs is worth."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pandas as pd

from tracereplay.analysis.best_partition import Steps, split, steps_of
from tracereplay.analysis.content_memory import ContentMemory
from tracereplay.analysis.curve import Curve, of_raw_accesses, spaced, told_accesses
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.sampling import Sample, band
from tracereplay.analysis.shards import shards_curves
from tracereplay.analysis.sizes import Sizes, listed, parse_sizes
from tracereplay.errors import TraceError, UsageError
from tracereplay.names import distinct, long_name, vm_name
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress
from tracereplay.trace.feed import ahead
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.trace.stream import chosen
from tracereplay.units import parse_fraction

Group: TypeAlias = tuple[str, ...]
"""Names of VMs that have one memory together."""
Ratios: TypeAlias = str | float | Iterable[str | float]
"""Miss ratios such as 0.05 or "5%"; several as a list, or as a text with commas."""

MOST_PAIRED = 8
"""Of so many VMs every pair is measured; of more, each VM and all together."""
SIZES = 16
"""At most so many sizes in a table when none are asked for."""


@dataclass(frozen=True, eq=False)
class ContentCurves:
    """LRU curves of memories that hold pages, by VM, and of memories that hold contents, by group of VMs.

    Groups are each VM alone, every pair of up to MOST_PAIRED VMs, and all.  ``footprints`` has a row for
    each: ``vms``, their names; ``pages``, the most that were in use at a time; ``contents_alone``, the most
    contents at a time in the memory of each VM, added up; ``contents``, those in one memory of all;
    ``shared``, how many fewer these are.
    The last three are estimates where there is a sample: ``shared_low`` and ``shared_high``, and so on, are
    the ends of their 95 % bands then.
    Of a reduced trace ``pages`` are exact for memories of ``exact_above`` pages or more (1 for any other
    trace), ``contents`` nowhere.  ``warnings`` are what changes the meaning of the numbers.
    """

    vms: tuple[str, ...]
    pages: Mapping[str, Curve]
    contents: Mapping[Group, Curve]
    footprints: pd.DataFrame
    exact_above: int
    page_size: int
    warnings: tuple[str, ...] = ()

    def table(self, sizes: Sizes | None = None) -> pd.DataFrame:
        """Misses of all VMs by the size of memory, one row each.

        Sizes are pages, "64MiB", or "50%" of the footprints in pages together, several as a list or with
        commas; None: ``sizes()``.

        ``size_pages``; ``misses_pages``, the memory split between VMs as is best, nothing shared;
        ``misses_contents_alone``, the same where each VM shares inside its part;
        ``misses_contents_together``, one LRU memory of all contents (``low`` and ``high`` are the ends of its
        band where it is an estimate): VMs take memory from each other there, so not sharing alone tells it
        from the others; ``same_misses``, the size of the latter that misses no more than ``misses_pages``.
        UsageError: a size that cannot be read, or is too small to be split.
        """
        pages = self._steps(self.pages)
        alone = self._steps({vm: self.contents[vm,] for vm in self.vms})
        asked = self.sizes() if sizes is None else self._parsed(sizes)
        split_up = {
            name: [split(steps, size).total for size in asked]
            for name, steps in (("misses_pages", pages), ("misses_contents_alone", alone))
        }
        together = self.contents[self.vms]
        at_sizes = together.at(np.array(asked))
        found = pd.DataFrame({"size_pages": asked, **split_up}).astype(
            dict.fromkeys(split_up, together.misses.dtype)
        )
        found["misses_contents_together"] = at_sizes.misses
        if at_sizes.low is not None:
            found["low"], found["high"] = at_sizes.low, at_sizes.high
        same = [self._size_for(together, misses) for misses in found["misses_pages"]]
        return found.assign(same_misses=pd.array(same, "Int64"))

    def sizes(self, most: int = SIZES) -> list[int]:
        """At most so many sizes in even ratios, from what VMs need at least to all their pages."""
        curves = self.pages, {vm: self.contents[vm,] for vm in self.vms}
        least = [sum(int(of_vm.pages[0]) for of_vm in self._steps(some).values()) for some in curves]
        return spaced(max(1, *least), max(self._footprint(), *least), most).tolist()

    def _parsed(self, sizes: Sizes) -> list[int]:
        return parse_sizes("memory", sizes, page_size=self.page_size, footprint=self._footprint)

    def _footprint(self) -> int:
        return sum(int(curve.sizes[-1]) for curve in self.pages.values())

    def needed(self, miss_ratios: Ratios) -> pd.DataFrame:
        """The memory in which every VM, and all together, miss at a ratio or less, in pages.

        Ratios are 0.05 or "5%", several as a list or with commas; a row for each.
        ``miss_ratio``; ``pages``, what the VMs need one by one, added up; ``contents_alone``, likewise where
        each shares inside its memory; ``contents_together``, one memory for all.  Missing where even a memory
        for everything misses more, as first touches are misses.
        UsageError: a ratio that cannot be read.
        """
        curves = {
            "pages": list(self.pages.values()),
            "contents_alone": [self.contents[vm,] for vm in self.vms],
            "contents_together": [self.contents[self.vms]],
        }
        ratios = parse_ratios(miss_ratios)
        found = pd.DataFrame({"miss_ratio": ratios})
        for name, of_vms in curves.items():
            found[name] = pd.array([self._needed(of_vms, ratio) for ratio in ratios], "Int64")
        return found

    def _repr_html_(self) -> str:
        """The footprints, the misses by size, and the warnings."""
        from tracereplay.report.markup import notebook

        tables = (self.footprints.set_index("vms"), self.table().set_index("size_pages"))
        return notebook(tables, self.warnings)

    def __repr__(self) -> str:
        pages, contents = self.footprints[["pages", "contents"]].iloc[-1]
        return f"<ContentCurves: {len(self.vms)} VMs, {pages:,.0f} pages, {contents:,.0f} contents>"

    def _needed(self, curves: Iterable[Curve], ratio: float) -> int | None:
        """What memories with accesses need that each miss at this ratio or less, added up."""
        sizes = [self._size_for(curve, ratio * curve.accesses) for curve in curves if curve.accesses]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def _size_for(self, curve: Curve, misses: float) -> int | None:
        """The smallest memory that misses no more and for which the trace is exact; None where none does."""
        fits = np.flatnonzero(curve.misses <= misses)
        return max(int(curve.sizes[fits[0]]), self.exact_above) if len(fits) else None

    def _steps(self, curves: Mapping[str, Curve]) -> dict[str, Steps]:
        return {
            vm: steps_of(curve, min(self.exact_above, int(curve.sizes[-1]))) for vm, curve in curves.items()
        }


def content_curves(
    source: object, *, sample: object = None, jobs: int = 1, progress: Progress | None = None
) -> ContentCurves:
    """What VMs miss when their memory holds each content once, alone and together, beside what they miss now.

    ``source`` is a trace with page contents; put several onto one clock first (``merge``).  What a memory of
    contents does is told in ``content_memory``: sharing at once and at no cost.  ``sample``, a rate such as
    "10%" or "rate=10%,salts=8", estimates all curves from so many samples by hash of the contents (and,
    for pages, by that of the pages), with 95 % bands.  ``jobs`` threads make the curves of pages.
    Memory grows with distinct pages and what they hold at a time, times the groups that a VM is in.
    TraceError: no page contents; a VM of which no sample has anything.  UsageError: a wrong sample, or one of
    a number of pages; no jobs.
    """
    trace = open_trace(source)
    drawn = _sample(sample)
    if jobs < 1:
        raise UsageError(f"jobs: {problem(str(jobs), '1 or more')}")
    if not trace.has_content:
        wanted = "expected some to tell equal pages by; record the trace with contents (capture does)"
        raise TraceError(f"found no page contents; {wanted}", trace.name)
    vms, names = range(trace.n_vms), _names(trace)
    if drawn is None:
        pages = lru_curve(trace, jobs=jobs, progress=progress)
    else:
        pages = shards_curves(trace, vms, drawn, jobs=jobs)
    memories = _measure(trace, groups(trace.n_vms), drawn, progress)
    _check_sampled(trace, names, memories)
    return ContentCurves(
        vms=names,
        pages={names[vm]: of_raw_accesses(curve, trace, [vm]) for vm, curve in pages.items()},
        contents={
            tuple(names[vm] for vm in group): of_raw_accesses(_curve(found), trace, group)
            for group, found in memories.items()
        },
        footprints=_footprints(names, memories),
        exact_above=trace.metadata.exact_above or 1,
        page_size=trace.metadata.page_size,
        warnings=tuple(_warnings(trace)),
    )


def _warnings(trace: Trace) -> Iterator[str]:
    above, sample = trace.metadata.exact_above, told_sample(trace.metadata)
    if above is not None:
        yield (
            f"{trace.name}: a reduced trace, exact for memories of pages, {above:,} or more for each VM: "
            "what memories of contents miss is not exact at any size; miss ratios are "
            f"{told_accesses(trace, range(trace.n_vms))}"
        )
    if sample is not None:
        yield f"{trace.name}: {sample}: sizes and misses are of the rows kept"


def parse_ratios(said: Ratios) -> list[float]:
    """Miss ratios as numbers; UsageError for one that cannot be read."""
    try:
        ratios = [float(parse_fraction(ratio)) for ratio in listed(said)]
        if any(ratio > 1 for ratio in ratios):
            raise ValueError(problem(shown(max(ratios)), 'at most 1, such as 0.05 or "5%"'))
        return ratios
    except ValueError as error:
        raise UsageError(f"miss ratio: {error}") from None


def _names(trace: Trace) -> tuple[str, ...]:
    """A name of its own for each VM."""
    vms = range(trace.n_vms)
    return tuple(distinct([vm_name(trace, vm) for vm in vms], [long_name(trace, vm) for vm in vms]))


def _sample(sample: object) -> Sample | None:
    drawn = None if sample is None else Sample.parse(sample)
    if drawn is not None and drawn.rate is None:
        expected = 'a rate such as "10%", as contents are sampled by'
        raise UsageError(f"sample: {problem(f'{drawn.pages} pages', expected)}")
    return drawn


def groups(n_vms: int) -> list[tuple[int, ...]]:
    """Which VMs are measured together: each alone, pairs if they are not too many, all."""
    pairs = itertools.combinations(range(n_vms), 2) if n_vms <= MOST_PAIRED else ()
    return list(dict.fromkeys([*((vm,) for vm in range(n_vms)), *pairs, tuple(range(n_vms))]))


def _measure(
    trace: Trace, groups: Sequence[tuple[int, ...]], sample: Sample | None, progress: Progress | None
) -> dict[tuple[int, ...], list[ContentMemory]]:
    """A memory for each group and salt after all rows of the trace."""
    rate = Fraction(1) if sample is None or sample.rate is None else sample.rate
    salts = 1 if sample is None else sample.salts
    found = {group: [ContentMemory(trace.n_vms, rate, salt) for salt in range(salts)] for group in groups}
    done = 0
    for batch in ahead(trace.batches(("vm", "page", "op", "content"))):
        for group, memories in found.items():
            rows = chosen(batch, np.isin(batch.vm, group))
            if len(rows.page):
                for memory in memories:
                    memory.touch(rows)
        done += len(batch.page)
        if progress is not None:
            progress(done, trace.n_rows)
    return found


def _check_sampled(
    trace: Trace, names: Sequence[str], memories: Mapping[tuple[int, ...], Sequence[ContentMemory]]
) -> None:
    """TraceError if no sample has anything of a VM: it would seem to miss nothing."""
    for vm, name in enumerate(names):
        if memories[vm,][0].accesses and not any(memory.held for memory in memories[vm,]):
            found = f"found no content of VM {shown(name)} in a sample"
            raise TraceError(f"{found}; expected some; take a higher rate", trace.name)


def _curve(memories: Sequence[ContentMemory]) -> Curve:
    """The curve of a group from its memories, one a salt."""
    n = max(max(memory.held for memory in memories), 1)
    accesses = memories[0].accesses
    misses = np.array([memory.misses(n) for memory in memories])
    if len(memories) == 1:
        return Curve(np.arange(1, n + 1), misses[0].astype(np.int64), accesses)
    sizes = np.array([int(memories[0].frames(k)) for k in range(1, n + 1)], np.int64)
    mean, low, high = band(misses, accesses)
    return Curve(sizes, mean, accesses, low, high)


def _footprints(
    names: Sequence[str], memories: Mapping[tuple[int, ...], Sequence[ContentMemory]]
) -> pd.DataFrame:
    """A row per group, as ContentCurves has them."""
    rows = []
    frames = {group: _frames(of_group) for group, of_group in memories.items()}
    for group, of_group in memories.items():
        alone = sum((frames[vm,] for vm in group), np.zeros(1))
        most, most_alone = of_group[0].pages, sum(memories[vm,][0].pages for vm in group)
        rows.append(
            {"vms": ", ".join(names[vm] for vm in group), "pages": most}
            | _estimate("contents_alone", alone, most_alone)
            | _estimate("contents", frames[group], most)
            | _estimate("shared", alone - frames[group], most_alone)
        )
    return pd.DataFrame(rows)


def _frames(memories: Sequence[ContentMemory]) -> np.ndarray:
    """Most contents that were held at a time, float64[memories]."""
    return np.array([float(memory.frames(memory.held)) for memory in memories])


def _estimate(name: str, found: np.ndarray, most: int) -> dict[str, float]:
    """One number from those of all samples, with the ends of its band; what is exact, as it is."""
    if len(found) == 1:
        return {name: int(found.item())}
    mean, low, high = (line.item() for line in band(found[:, None], most))
    return {name: mean, f"{name}_low": low, f"{name}_high": high}
