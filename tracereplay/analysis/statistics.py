"""What the accesses of a trace's VMs are like: mix, reuse, working sets, idle memory, popularity, phases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tracereplay.analysis.curve import Curve
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.phases import phases
from tracereplay.analysis.popularity import Zipf, fit_zipf, ranks, top_share
from tracereplay.analysis.reuse import Distances, distances, reuse_table
from tracereplay.analysis.touches import Touches
from tracereplay.analysis.working_set import (
    Span,
    idle_table,
    mean_by_accesses,
    mean_by_time,
    mean_table,
    timeline,
)
from tracereplay.errors import TraceError, UsageError
from tracereplay.names import distinct, vm_index, vm_name
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress, part
from tracereplay.trace.per_vm import vm_rows
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.trace.schema import Op
from tracereplay.units import LIMIT, parse_time

WINDOWS = 50
"""Windows of a trace, where none are asked for."""
MOST_WINDOWS = 100_000
TOP_PARTS = (0.01, 0.1)
"""Parts of the pages, the most popular ones, whose share of the accesses is told."""
_RATIOS = ("write_share", "touches_per_page", "alpha", "mean_working_set")
"""Columns of the table that are no counts."""


@dataclass(frozen=True)
class Mix:
    """Rows of a VM by operation, and its pages by what happens to them.

    ``write_share`` is of the accesses, which are all rows but FREE; ``touches_per_page`` is accesses / pages.
    """

    rows: int
    accesses: int
    reads: int
    writes: int
    fetches: int
    frees: int
    write_share: float
    pages: int
    pages_written: int
    pages_only_read: int
    pages_touched_once: int
    touches_per_page: float


@dataclass(frozen=True, eq=False)
class VMStatistics:
    """One VM of a trace; pages and accesses are counts, times are in the trace's unit.

    ``top`` is the share of the accesses that go to the most popular TOP_PARTS of the pages.
    """

    mix: Mix
    distances: Distances
    zipf: Zipf
    top: Mapping[float, float]
    reuse: pd.DataFrame
    """``low high distance by_accesses by_time``: see ``reuse_table``."""
    working_set: pd.DataFrame
    """``tau by_accesses by_time``: see ``mean_table``."""
    timeline: pd.DataFrame
    """``start end accesses pages new_pages footprint similarity``, of each window: see ``timeline``."""
    idle: pd.DataFrame
    """``part age pages share mean_pages mean_share working_set``: see ``idle_table``."""
    popularity: pd.DataFrame
    """``first_rank last_rank touches``: see ``ranks``."""
    phases: pd.DataFrame
    """``start end windows pages similarity``: see ``phases``."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data; None where there is no number."""
        tables = ("reuse", "working_set", "timeline", "idle", "popularity", "phases")
        return {
            "mix": vars(self.mix),
            "first_touches": self.distances.first_touches,
            "distance_quantiles": {f"{q:g}": pages for q, pages in self.distances.quantiles.items()},
            "memory_for_hits": {f"{share:g}": pages for share, pages in self.distances.memory.items()},
            "zipf": self.zipf._asdict(),
            "top": {f"{part:g}": share for part, share in self.top.items()},
            **{name: _records(getattr(self, name)) for name in tables},
        }


@dataclass(frozen=True, eq=False)
class Statistics:
    """The VMs of a trace by name; ``window`` is in ``time_unit``; ``warnings`` change what numbers mean."""

    vms: Mapping[str, VMStatistics]
    window: int
    time_unit: str
    page_size: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        vms = {name: vm.to_dict() for name, vm in self.vms.items()}
        return {**vars(self), "warnings": list(self.warnings), "vms": vms}

    def table(self) -> pd.DataFrame:
        """The numbers to begin with, a row per VM, indexed by name; missing where there are none.

        ``accesses`` and the ``write_share`` of them; ``pages`` touched, ``pages_written``;
        ``touches_per_page``; Zipf's ``alpha``; ``median_distance``, the stack distance of half of the reuses,
        and ``hit_90_percent``, the LRU memory that hits nine accesses in ten, in pages;
        ``mean_working_set`` and ``largest_working_set`` of the windows, in pages; ``phases`` of two windows
        or more.
        """
        rows = [_main_numbers(vm) for vm in self.vms.values()]
        found = pd.DataFrame(rows, pd.Index(list(self.vms), name="vm"), dtype=float)
        return found.astype({name: "Int64" for name in found if name not in _RATIOS})

    def _repr_html_(self) -> str:
        """The table, and the warnings."""
        from tracereplay.report.markup import notebook

        return notebook([self.table()], self.warnings)

    def __repr__(self) -> str:
        accesses = sum(vm.mix.accesses for vm in self.vms.values())
        return f"<Statistics: {len(self.vms)} VMs, {accesses:,} accesses>"


def stat(
    source: object,
    *,
    vm: int | str | None = None,
    window: object = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Statistics:
    """Describe the accesses of each VM of a trace (anything ``open_trace`` takes), or of one ``vm``.

    The windows of the timeline and of phases are ``window`` long: a time such as "10ms" or an integer in the
    trace's unit; by default there are WINDOWS of them.  FREE rows are no accesses.  Stack distances heed
    them: a page that comes back after one has none.  All else does not.

    The trace is read twice.  ``jobs`` threads measure stack distances; they change no number.
    UsageError: no such VM, a window that cannot be, no jobs.  TraceError: times beyond 63 bits.
    """
    if jobs < 1:
        raise UsageError(f"jobs: {problem(str(jobs), '1 or more')}")
    trace = open_trace(source)
    vms = list(range(trace.n_vms)) if vm is None else [vm_index(trace, vm)]
    span = _span(trace, window)
    touches = _touches(trace, vms, span, part(progress, 0, 2))
    curves = lru_curve(trace, vms, jobs=jobs, progress=part(progress, 1, 2))
    names = [vm_name(trace, index) for index in vms]
    found = (_statistics(touches[index], curves[index], span) for index in vms)
    return Statistics(
        vms=dict(zip(distinct(names, names), found, strict=True)),
        window=span.window,
        time_unit=trace.metadata.time_unit,
        page_size=trace.metadata.page_size,
        warnings=tuple(_warnings(trace)),
    )


def _span(trace: Trace, window: object) -> Span:
    first, last = trace.time_range()
    if last >= LIMIT:
        raise TraceError(f"column time: found {last}; expected less than {LIMIT}; count from 0", trace.name)
    whole = last - first + 1
    if window is None:
        return Span(first, last + 1, -(-whole // WINDOWS))
    try:
        length = parse_time(window, trace.metadata.time_unit)
    except ValueError as error:
        raise UsageError(f"window: {error}") from None
    if not length or whole // length >= MOST_WINDOWS:
        least = max(-(-whole // MOST_WINDOWS), 1)
        expected = f"{least} {trace.metadata.time_unit} or more, for at most {MOST_WINDOWS:,} windows"
        raise UsageError(f"window: {problem(shown(window), expected)}")
    return Span(first, last + 1, length)


def _touches(trace: Trace, vms: Sequence[int], span: Span, progress: Progress | None) -> dict[int, Touches]:
    found = {vm: Touches(span.n_windows) for vm in vms}
    for rows in vm_rows(trace, ("time", "op"), vms=vms):
        found[rows.vm].add(rows, span.window_of(rows.batch.time))
        if progress is not None:
            progress(rows.batch.row, trace.n_rows)
    return found


def _statistics(touches: Touches, curve: Curve, span: Span) -> VMStatistics:
    by_time = mean_by_time(touches, span)
    of_windows = timeline(touches, span)
    per_page = touches.touches
    by_rank = ranks(per_page)
    return VMStatistics(
        mix=_mix(touches, per_page),
        distances=distances(curve),
        zipf=fit_zipf(by_rank),
        top={part: top_share(per_page, part) for part in TOP_PARTS},
        reuse=reuse_table(touches, curve),
        working_set=mean_table(mean_by_accesses(touches), by_time),
        timeline=of_windows,
        idle=idle_table(touches, span, by_time),
        popularity=by_rank,
        phases=phases(of_windows),
    )


def _mix(touches: Touches, per_page: np.ndarray) -> Mix:
    reads, writes, frees, fetches = (int(touches.ops[op]) for op in (Op.READ, Op.WRITE, Op.FREE, Op.FETCH))
    accesses, pages = touches.accesses, len(per_page)
    return Mix(
        rows=accesses + frees,
        accesses=accesses,
        reads=reads,
        writes=writes,
        fetches=fetches,
        frees=frees,
        write_share=writes / max(accesses, 1),
        pages=pages,
        pages_written=touches.pages_written,
        pages_only_read=pages - touches.pages_written,
        pages_touched_once=int((per_page == 1).sum()),
        touches_per_page=accesses / max(pages, 1),
    )


def _main_numbers(vm: VMStatistics) -> dict[str, float | None]:
    windows = vm.timeline["pages"]
    return {
        "accesses": vm.mix.accesses,
        "write_share": vm.mix.write_share,
        "pages": vm.mix.pages,
        "pages_written": vm.mix.pages_written,
        "touches_per_page": vm.mix.touches_per_page,
        "alpha": vm.zipf.alpha,
        "median_distance": vm.distances.quantiles[0.5],
        "hit_90_percent": vm.distances.memory[0.9],
        "mean_working_set": windows.mean(),
        "largest_working_set": windows.max(),
        "phases": int((vm.phases["windows"] > 1).sum()),
    }


def _warnings(trace: Trace) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    above, sample = trace.metadata.exact_above, told_sample(trace.metadata)
    if above is not None:
        yield (
            f"{trace.name}: a reduced trace, without accesses that no memory of {above:,} pages or more "
            "could miss: all numbers are of the accesses kept; only LRU memories of so many pages miss as "
            "they would have"
        )
    if sample is not None:
        yield f"{trace.name}: {sample}: all numbers are of the rows kept"
    if trace.metadata.page_space == "guest-physical":
        yield (
            f"{trace.name}: recorded below the guest's own paging: its pages are frames of the guest, which "
            "may have served one use after another"
        )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return [{str(name): value for name, value in row.items()} for row in rows]
