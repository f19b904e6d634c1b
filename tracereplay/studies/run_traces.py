"""What only its traces can tell of a run: read again from where the run found them.

A trace that is gone, has changed or lived in memory is left out, and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tracereplay.analysis.curve import of_raw_accesses, spaced
from tracereplay.analysis.heat import heat as heat_of
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.working_set import Span, count_touched
from tracereplay.errors import ResultError, TraceError
from tracereplay.provenance import unchanged
from tracereplay.report import figures
from tracereplay.report.figures._bins import BINS
from tracereplay.result import Result
from tracereplay.trace.reader import Trace

MOST_ROWS = 20_000_000
"""Rows of a trace that is still read: more take too long for a look at a run."""
SIZES = 200
"""At most so many sizes of memory."""
HEAT_VMS, HEAT_TIMES, HEAT_PAGES = 7, 240, 120
"""At most so many VMs in the heat map, bins of time, and bins of pages of each."""


class Sources(NamedTuple):
    """The traces of a run by the names that its VMs use, and why the others are not among them."""

    traces: dict[str, Trace]
    warnings: tuple[str, ...]


def sources(result: Result) -> Sources:
    """Open what the run has read, as far as it is still there and unchanged."""
    traces, warnings = {}, []
    for key, found in result.provenance["inputs"].items():
        if found["path"] is None:
            warnings.append(f"input {key} was a table in memory: what its rows would show is missing")
        elif found["rows"] > MOST_ROWS:
            warnings.append(
                f"input {key} has {found['rows']:,} rows, more than {MOST_ROWS:,}: it was not read"
            )
        else:
            try:
                traces[key] = unchanged(key, found)
            except (ResultError, TraceError) as error:
                warnings.append(str(error))
    if traces and not any(_driven(result, traces)):
        warnings.append(f"the rows of {', '.join(traces)} touch no page: there is nothing to show of them")
    return Sources(traces, tuple(warnings))


def extras(result: Result, *, only: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """The TABLES by name (``only`` those named, else all); none when no trace that is read touches a page."""
    return extras_from(result, sources(result), only=only)


def extras_from(
    result: Result, found: Sources, *, only: Sequence[str] | None = None
) -> dict[str, pd.DataFrame]:
    """The same of traces that are open already.

    ``attrs`` of each say units and, as ``warnings``, what is missing.
    """
    if not any(_driven(result, found.traces)):
        return {}
    tables = {name: TABLES[name](result, found.traces) for name in (TABLES if only is None else only)}
    for table in tables.values():
        table.attrs["warnings"] = found.warnings
    return tables


def figure_data(result: Result, kind: str) -> pd.DataFrame:
    """The table behind a figure of the run, its traces read where that needs them.

    ResultError when the run has no such figure: says why, and what to run instead.
    """
    needs = figures.needs(kind)
    found = sources(result) if needs else None
    tables = extras_from(result, found, only=needs) if found is not None else {}
    if found is not None and not tables:
        why = "; ".join(found.warnings)
        raise ResultError(
            f"no figure {kind}: it reads the run's traces, and none has anything to show: {why}"
        )
    data = figures.data(kind, result, tables)
    if data is None:
        raise ResultError(f"no figure {kind}: {figures.get(kind).ABSENT}")
    return data


def working_set(result: Result, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """Distinct pages that each VM touches in each window of time (Denning 1968: W(t, τ), t the window's end).

    Windows are the bins of the other figures, or, of a run without ticks, BINS of them.
    Index ``time``: the end of a window, in the traces' unit from the run's first access.  Columns: VMs.
    ``attrs``: ``bin`` (τ), ``time_unit``, ``page_size``; ``exact_above``, the pages below which a reduced
    trace may have left out some, 0 if none is reduced.
    """
    machine = result.machine
    first, end = machine["first_time"], machine["last_time"] + 1
    span = end - first
    step = machine["tick"] * machine["timeline_every"] or 1
    window = max(-(-((span - 1) // step) // BINS), 1) * step
    counted = {
        (key, start): count_touched(traces[key], Span(first - start, end - start, window))
        for key, start in {(vm["trace"], vm["start"]) for vm in _driven(result, traces)}
    }
    columns = {
        vm["name"]: counted[vm["trace"], vm["start"]][vm["trace_vm"]] for vm in _driven(result, traces)
    }
    ends = np.minimum(np.arange(1, -(-span // window) + 1) * window, span)
    table = pd.DataFrame(columns, index=pd.Index(ends, name="time"))
    table.attrs = {
        "bin": window,
        "time_unit": machine["time_unit"],
        "page_size": machine["page_size"],
        "exact_above": max(trace.metadata.exact_above or 0 for trace in traces.values()),
    }
    return table


def miss_ratio(result: Result, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """LRU misses of each VM by memory size, exact, at up to SIZES sizes: ``vm size_pages misses miss_ratio``.

    Ratios are of the VM's accesses, frees left out: of a reduced trace all that it made, where that is known,
    else those kept.  A reduced trace's curve begins where it is exact.
    ``attrs``: ``page_size``; ``memory``, pages of each VM.
    """
    curves, memory = [], {}
    found = {key: lru_curve(trace) for key, trace in traces.items()}
    for vm in _driven(result, traces):
        memory[vm["name"]] = vm["pages"]
        index = vm["trace_vm"]
        whole = of_raw_accesses(found[vm["trace"]][index], traces[vm["trace"]], [index])
        first = traces[vm["trace"]].metadata.exact_above or 1
        sizes = spaced(first, max(first, int(whole.sizes[-1]), vm["pages"]), SIZES - 1)
        curve = whole.at(np.union1d(sizes, max(vm["pages"], first)))
        columns = {"size_pages": curve.sizes, "misses": curve.misses, "miss_ratio": curve.miss_ratio}
        curves.append(pd.DataFrame({"vm": vm["name"], **columns}))
    table = pd.concat(curves, ignore_index=True)
    table.attrs = {"memory": memory, "page_size": result.machine["page_size"]}
    return table


def heat(result: Result, traces: Mapping[str, Trace]) -> pd.DataFrame:
    """Accesses by page and time, of the first HEAT_VMS VMs: ``vm time page accesses``, where there are any.

    ``time`` is the start of a bin, in the traces' unit from the run's first access; ``page`` the first of a
    bin's pages, counted along the touched pages of the VM in order of their numbers.
    ``attrs``: ``time_unit``, ``page_size``; per VM ``bins``, (time, pages) of one, and ``pages`` touched;
    ``frees``, whether rows that free a page are among them.
    """
    found, bins, pages = [], {}, {}
    vms = list(_driven(result, traces))
    for vm in vms[:HEAT_VMS]:
        of_vm = heat_of(traces[vm["trace"]], vm=vm["trace_vm"], time_bins=HEAT_TIMES, page_bins=HEAT_PAGES)
        page, time = np.nonzero(of_vm.counts)
        start = of_vm.first_time + vm["start"] - result.machine["first_time"]
        cells = {
            "vm": vm["name"],
            "time": start + time * of_vm.time_per_bin,
            "page": page * of_vm.pages_per_bin,
            "accesses": of_vm.counts[page, time],
        }
        found.append(pd.DataFrame(cells))
        bins[vm["name"]] = (of_vm.time_per_bin, of_vm.pages_per_bin)
        pages[vm["name"]] = len(of_vm.pages)
    table = pd.concat(found, ignore_index=True)
    machine = result.machine
    table.attrs = {
        "time_unit": machine["time_unit"],
        "page_size": machine["page_size"],
        "end": machine["last_time"] - machine["first_time"] + 1,
        "bins": bins,
        "pages": pages,
        "frees": bool(result.vms["frees"].loc[list(pages)].any()),
        "left_out": max(len(vms) - HEAT_VMS, 0),
    }
    return table


def _driven(result: Result, traces: Mapping[str, Trace]) -> Iterator[dict[str, Any]]:
    """The run's VMs that touched memory and whose trace can be read."""
    touches = result.vms["accesses"] - result.vms["frees"]
    return (vm for vm in result.machine["vms"] if vm["trace"] in traces and touches[vm["name"]] > 0)


TABLES: Mapping[str, Callable[[Result, Mapping[str, Trace]], pd.DataFrame]] = {
    "heat": heat,
    "miss_ratio": miss_ratio,
    "working_set": working_set,
}
"""Name of each extra → what computes it."""
