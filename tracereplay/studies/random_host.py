"""The double-paging surface of a host that chooses its victims at random: measured, and a law fitted to it.

Random replacement is no stack algorithm: no one pass gives all sizes, so each pair is replayed.  The guest
does not notice the host, so what it does is on the exact surface, and so is all where the host never pages.

Of the guest's evictions, the share that hit a page that the host has paged out follows one law of the
overcommitment, 1 − exp(−a·(g/h − 1)): on the bundled traces, reduced as they are, with a from 1.9 to 3.3 and
a root mean square error from 0.006 to 0.043.  Demand faults follow none like it: how much the host pages out
of what the guest still uses is a matter of the trace.
Why ESX chooses at random: Waldspurger, "Memory resource management in VMware ESX Server", OSDI 2002.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tracereplay.analysis.double_paging import double_paging_surface, one_vm, sizes_of, with_device_io
from tracereplay.analysis.sizes import Sizes
from tracereplay.errors import UsageError
from tracereplay.problems import problem
from tracereplay.progress import Progress
from tracereplay.run import replay
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.schema import Op
from tracereplay.trace.stream import chosen, stream_rows
from tracereplay.trace.writer import write_trace

SIZES = 6
"""At most so many sizes of each level where none are given."""
_CAUSES = ("demand_faults", "double_faults", "stale_reads", "false_reads")
_COUNTERS = (*_CAUSES, "host_major_faults", "host_swap_reads", "host_swap_writes")
_RATES = (1e-3, 1e3)  # between which a law's rate is looked for
_RATES_TRIED, _ROUNDS = 200, 4  # leave 10⁻⁷ of it


def random_host_surface(
    source: object,
    guest_sizes: Sizes | None = None,
    host_sizes: Sizes | None = None,
    *,
    vm: int | str | None = None,
    seeds: int = 3,
    jobs: int = 1,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The surface of one VM with an LRU guest on a random host: means over ``seeds`` replays of each pair.

    Columns are those of ``double_paging_surface``, the host's as float64, and three more: ``evictions`` of
    the guest; ``doubled``, the share of them that hit a page that the host had paged out (NaN where there
    are none), and ``doubled_sd``, its standard deviation over the seeds.  ``attrs`` are the same, and
    ``seeds``.
    Without sizes: at most SIZES of each.  ``jobs`` threads share the replays; they change no number.
    UsageError: as there; no seeds or jobs.
    """
    for name, number in (("seeds", seeds), ("jobs", jobs)):
        if number < 1:
            raise UsageError(f"{name}: {problem(str(number), '1 or more')}")
    trace = open_trace(source)
    index = one_vm(trace, vm)
    guests = sizes_of(trace, index, "guest_sizes", guest_sizes, most=SIZES).tolist()
    hosts = sizes_of(trace, index, "host_sizes", host_sizes, most=SIZES).tolist()
    surface = double_paging_surface(trace, guests, hosts, vm=index)
    if trace.metadata.exact_above is not None:
        surface.attrs["warnings"].append(
            f"{trace.name}: a reduced trace, in which a host that chooses at random misses the accesses that "
            "were left out: what is measured of it is not exact at any size"
        )
    g, h, pages = surface["guest_pages"], surface["host_pages"], surface.attrs["footprint_pages"]
    surface["evictions"] = surface["guest_minor_faults"] + surface["guest_major_faults"] - g.clip(upper=pages)
    paging = surface.index[(g > h) & (h < pages)]
    # what is beyond the footprint a guest never uses
    pairs = zip(g[paging].clip(upper=pages), h[paging], strict=True)
    machines = [_machine(guest, host, index, seed) for guest, host in pairs for seed in range(seeds)]
    with tempfile.TemporaryDirectory() as folder:
        if machines and surface.attrs["frees_left_out"]:
            trace = _without_frees(trace, Path(folder) / "t.parquet")
        found = _replays(trace, machines, jobs, progress)
    return _measured(surface, paging, found.reshape(len(paging), seeds, len(_COUNTERS)))


def _machine(guest: int, host: int, vm: int, seed: int) -> dict:
    """The scenario of one replay."""
    return {
        "seed": seed,
        "host": {"memory": int(host), "policy": "random"},
        "vm": [{"trace": "t", "trace_vm": vm, "memory": int(guest), "policy": "lru"}],
    }


def _without_frees(trace: Trace, path: Path) -> Trace:
    """The trace as a file without its FREE rows."""
    kept: Iterator[Batch] = (chosen(batch, batch.op != Op.FREE) for batch in trace.batches())
    write_trace(path, stream_rows(kept, trace.columns, trace.metadata))
    return open_trace(path)


def _replays(trace: Trace, machines: list[dict], jobs: int, progress: Progress | None) -> np.ndarray:
    """_COUNTERS of each machine."""
    found = np.zeros((len(machines), len(_COUNTERS)))
    with ThreadPoolExecutor(jobs) as pool:
        runs = pool.map(lambda machine: replay(machine, {"t": trace}).totals, machines)
        for number, totals in enumerate(runs):
            found[number] = [totals[name] for name in _COUNTERS]
            if progress is not None:
                progress(number + 1, len(machines))
    return found


def _measured(surface: pd.DataFrame, paging: pd.Index, found: np.ndarray) -> pd.DataFrame:
    """The surface with what was counted ([pairs, seeds, _COUNTERS]) in the rows ``paging``."""
    means = pd.DataFrame(found.mean(axis=1), index=paging, columns=_COUNTERS)
    means["fill_reads"] = means.pop("stale_reads") + means.pop("false_reads")
    table = surface.astype(dict.fromkeys(means, np.float64))
    table.loc[paging, means.columns] = means
    evictions = surface["evictions"].where(surface["evictions"] > 0).to_numpy(np.float64)
    table["doubled"] = (table["double_faults"] + table["fill_reads"]) / evictions
    hits = found[:, :, 1 : len(_CAUSES)].sum(axis=2)  # all but the demand faults
    spread = hits.std(axis=1, ddof=1) if found.shape[1] > 1 else np.zeros(len(paging))
    table["doubled_sd"] = np.where(np.isnan(evictions), np.nan, 0.0)
    table.loc[paging, "doubled_sd"] = spread / evictions[paging]
    table.attrs = surface.attrs | {"seeds": found.shape[1]}
    return with_device_io(table)


@dataclass(frozen=True)
class Law:
    """1 − exp(−``rate`` · (g/h − 1)), and how far it is from ``points`` measured shares.

    ``rmse`` and ``worst`` are the root of the mean squared and the greatest absolute error.
    """

    rate: float
    rmse: float
    worst: float
    points: int


def doubled_law(surface: pd.DataFrame) -> Law | None:
    """The law of ``doubled`` of a measured surface, by least squares; None if nothing could be doubled."""
    small = surface["host_pages"] < surface.attrs["footprint_pages"]
    data = surface[(surface["guest_pages"] > surface["host_pages"]) & small & (surface["evictions"] > 0)]
    if data.empty:
        return None
    excess = (data["guest_pages"] / data["host_pages"] - 1).to_numpy()
    shares = data["doubled"].to_numpy()

    def law(rate: float) -> Law:
        errors = -np.expm1(-rate * excess) - shares
        rmse, worst = math.sqrt((errors**2).mean()), float(np.abs(errors).max())
        return Law(rate, rmse, worst, len(data))

    lowest, highest = _RATES
    for _ in range(_ROUNDS):
        laws = [law(float(rate)) for rate in np.geomspace(lowest, highest, _RATES_TRIED)]
        best = min(range(len(laws)), key=lambda place: laws[place].rmse)
        lowest, highest = laws[max(best - 1, 0)].rate, laws[min(best + 1, len(laws) - 1)].rate
    return laws[best]
