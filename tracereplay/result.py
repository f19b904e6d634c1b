"""What a run came to: totals, per VM, over time; saved as a run directory of plain files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tracereplay.core.counters import COUNTER_NAMES, COUNTERS, GAUGE_NAMES, GAUGES
from tracereplay.errors import ResultError
from tracereplay.problems import one_of
from tracereplay.run_directory import (
    AGAIN,
    NO_RUN,
    PROVENANCE,
    SUMMARY,
    TIMELINE,
    appearing_run,
    read_json,
    write_json,
)
from tracereplay.run_shape import PROVENANCE_SHAPE, SUMMARY_SHAPE, misfit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tracereplay.machine import Machine
    from tracereplay.provenance import Provenance

FORMAT = 1


class Sample(NamedTuple):
    """One moment of a run: cumulative counters and gauges per VM (int64[vms, …]), free host frames.

    ``balloon_targets``: pages that the balloon controller asked of each VM last.
    """

    time: int
    counters: np.ndarray
    gauges: np.ndarray
    free_frames: int
    balloon_targets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of one run; nothing in it changes.

    - ``totals``: every counter and gauge by name, summed over the VMs (gauges: as the run ended).
    - ``vms``: a row per VM, indexed by name: memory and footprint in pages, the same counters and gauges,
      and ``estimated_ns``, the time that the scenario's costs give them (an estimate, not a measurement).
    - ``timeline``: a row per sample and VM: ``time`` in the traces' unit, ``vm``, cumulative counters,
      gauges, ``free``, the host's free frames, and ``balloon_target``, the pages asked of the VM's balloon.
    - ``columns``: what each column of these tables means.
    - ``machine``: the scenario as resolved; ``warnings``; ``laws``: what ``check`` proved;
      ``provenance``: what ran on what.
    """

    machine: Mapping[str, Any]
    totals: Mapping[str, int]
    vms: pd.DataFrame
    timeline: pd.DataFrame
    warnings: tuple[str, ...]
    laws: tuple[str, ...]
    provenance: Mapping[str, Any]

    @classmethod
    def of_run(
        cls,
        machine: Machine,
        samples: Sequence[Sample],
        warnings: tuple[str, ...],
        laws: tuple[str, ...],
        provenance: Provenance,
    ) -> Result:
        """The result of a run from its samples, the last of which is its end."""
        last = samples[-1]
        vms = pd.DataFrame(
            {
                "memory_pages": [vm.pages for vm in machine.vms],
                "footprint_pages": [vm.footprint for vm in machine.vms],
                **_columns(last),
            },
            index=pd.Index([vm.name for vm in machine.vms], name="vm"),
        )
        described = machine.to_dict()
        vms["estimated_ns"] = time_by_cause(vms, described["costs"]).sum(axis=1)
        names = COUNTER_NAMES + GAUGE_NAMES
        return cls(
            machine=described,
            totals={name: int(vms[name].sum()) for name in names},
            vms=vms,
            timeline=_timeline(samples, list(vms.index)),
            warnings=warnings,
            laws=laws,
            provenance=replace(provenance, check=bool(laws)).to_dict(),
        )

    @property
    def columns(self) -> pd.DataFrame:
        """The columns of ``vms`` and ``timeline`` by name: in which of them, ``unit``, ``meaning``."""
        both = "vms, timeline"
        said = {
            "memory_pages": ("vms", "pages", "configured memory"),
            "footprint_pages": ("vms", "pages", "different pages that the VM's trace touches"),
            "time": ("timeline", self.machine["time_unit"], "time of the sample, as in the traces"),
            "vm": (both, "", "name of the VM; the index of vms"),
            **{q.name: (both, q.unit, f"{q.meaning}; in timeline: so far") for q in COUNTERS},
            **{q.name: (both, q.unit, f"{q.meaning}; in vms: as the run ended") for q in GAUGES},
            "estimated_ns": ("vms", "ns", "events times their costs: an estimate"),
            "free": ("timeline", "pages", "free frames of the host, the same for each VM"),
            "balloon_target": ("timeline", "pages", "asked of the VM's balloon last"),
        }
        return pd.DataFrame.from_dict(said, orient="index", columns=["in", "unit", "meaning"])

    @property
    def estimated_ns(self) -> int:
        """Estimated time of all VMs together, in ns."""
        return int(self.vms["estimated_ns"].sum())

    @property
    def plot(self) -> Plots:
        """The run's figures: ``result.plot.faults()``; ``dir(result.plot)`` lists them."""
        return Plots(self)

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` holds: everything but the timeline and the provenance."""
        return {
            "format": FORMAT,
            "totals": dict(self.totals),
            "estimated_ns": self.estimated_ns,
            "vms": self.vms.reset_index().to_dict(orient="records"),
            "warnings": list(self.warnings),
            "laws_checked": list(self.laws),
            "scenario": dict(self.machine),
        }

    def save(self, directory: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the run directory and return its path; all of it appears at once, or none.

        Raises ResultError when the directory exists (unless ``force`` and it is a run) or cannot be written.
        """
        target = Path(directory)
        with appearing_run(target, force=force) as draft:
            write_json(draft / SUMMARY, self.summary())
            table = pa.Table.from_pandas(self.timeline, preserve_index=False).replace_schema_metadata(None)
            pq.write_table(table, draft / TIMELINE, compression="zstd", write_page_checksum=True)
            write_json(draft / PROVENANCE, dict(self.provenance))
        return target

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        names: str = "tracereplay",
        title: str | None = None,
        traces: bool = True,
        force: bool = False,
    ) -> Path:
        """Write the run as one offline HTML file and return its path; warns of traces that are missing.

        ``names`` is the vocabulary of the VMs' table: tracereplay, esxtop or ksm.  ``traces`` says whether
        the run's traces are read once more, for miss ratios, working sets and heat.
        ValueError for an unknown vocabulary; OutputError when the file exists (unless ``force``) or cannot
        be written.
        """
        from tracereplay.studies.run_report import write_report

        written = write_report(self, path, names=names, title=title, traces=traces, force=force)
        for text in written.warnings:
            warnings.warn(text, stacklevel=2)
        return written.path

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The timeline, for whatever takes Arrow tables: ``polars.DataFrame(result)``, DuckDB, pyarrow."""
        table = pa.Table.from_pandas(self.timeline, preserve_index=False).replace_schema_metadata(None)
        return table.__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        """The VMs' table of the report, and the warnings."""
        from tracereplay.report.markup import notebook
        from tracereplay.report.names import vm_table

        table, _ = vm_table(self, "tracereplay")
        return notebook([table], self.warnings)

    def __repr__(self) -> str:
        host, guest = self.totals["host_major_faults"], self.totals["guest_major_faults"]
        return (
            f"<Result: {len(self.vms)} VMs, {self.totals['accesses']:,} accesses, "
            f"{guest:,} guest and {host:,} host major faults>"
        )


class Plots:
    """The figures of a run, a method each; a notebook shows what it returns, ``savefig`` writes it."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def __getattr__(self, name: str) -> Callable[[], Figure]:
        from tracereplay.report import figures
        from tracereplay.studies.run_traces import figure_data

        try:
            one_of(name, dir(self))
        except ValueError as error:
            raise AttributeError(f"plot: {error}", name=name, obj=self) from None
        kind = name.replace("_", "-")

        def draw() -> Figure:
            data = figure_data(self._result, kind)
            for text in data.attrs.get("warnings", ()):
                warnings.warn(text, stacklevel=2)
            return figures.draw(kind, data)

        return draw

    def __dir__(self) -> list[str]:
        from tracereplay.report import figures

        return [name.replace("-", "_") for name in figures.names()]

    def __repr__(self) -> str:
        return f"<figures of a run: {', '.join(f'{name}()' for name in dir(self))}>"


def load_run(directory: str | os.PathLike[str]) -> Result:
    """Read a run directory that ``Result.save`` wrote; ResultError when it is none or damaged."""
    path = Path(directory)
    summary = read_json(path / SUMMARY)
    if summary.get("format") != FORMAT:
        raise ResultError(
            f"{path / SUMMARY}: found format {summary.get('format')!r}; expected {FORMAT}; "
            "read it with the version of tracereplay that wrote it"
        )
    _refuse(path / SUMMARY, misfit(summary, SUMMARY_SHAPE))
    vms = pd.DataFrame(summary["vms"], columns=list(SUMMARY_SHAPE["vms"][0])).set_index("vm")
    names = [vm["name"] for vm in summary["scenario"]["vms"]]
    _refuse(path / SUMMARY, _other_vms("vms", list(vms.index), names, "scenario.vms"))
    for name, total in summary["totals"].items():
        if name in vms and total != (told := sum(vms[name].tolist())):
            _refuse(path / SUMMARY, f"totals.{name}: found {total}; expected {told}, the sum over the VMs")
    if (total := summary["estimated_ns"]) != (told := sum(vms["estimated_ns"].tolist())):
        _refuse(path / SUMMARY, f"estimated_ns: found {total}; expected {told}, the sum over the VMs")
    timeline = _read_timeline(path / TIMELINE, vms)
    provenance = read_json(path / PROVENANCE)
    _refuse(path / PROVENANCE, misfit(provenance, PROVENANCE_SHAPE))
    return Result(
        machine=summary["scenario"],
        totals=summary["totals"],
        vms=vms,
        timeline=timeline,
        warnings=tuple(summary["warnings"]),
        laws=tuple(summary["laws_checked"]),
        provenance=provenance,
    )


def _read_timeline(path: Path, vms: pd.DataFrame) -> pd.DataFrame:
    """The timeline, checked against the VMs of the summary, which are its last rows."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            timeline = file.read().to_pandas()
    except FileNotFoundError:
        raise ResultError(f"{path}: {NO_RUN}") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        why = " ".join(str(error).split())
        raise ResultError(f"{path}: cannot be read: {why}{AGAIN}") from error
    for name in ("time", *COUNTER_NAMES, *GAUGE_NAMES, "free"):
        found = str(timeline[name].dtype) if name in timeline else "nothing"
        if not found.startswith(("int", "uint")):
            _refuse(path, f"{name}: found {found}; expected integers")
    told = list(timeline["vm"].unique()) if "vm" in timeline else []
    _refuse(path, _other_vms("vm", told, list(vms.index), SUMMARY))
    last = timeline.groupby("vm", sort=False).last()
    for name in (*COUNTER_NAMES, *GAUGE_NAMES):
        if (ends := last[name].tolist()) != (expected := vms[name].tolist()):
            _refuse(path, f"{name}: found {ends} at the end; expected {expected} as in {SUMMARY}")
    return timeline


def _other_vms(where: str, found: list[str], expected: list[str], of: str) -> str | None:
    """What is wrong with the VMs that a part of the run is about."""
    if found == expected != []:
        return None
    return f"{where}: found {', '.join(map(str, found)) or 'none'}; expected {', '.join(expected)} as in {of}"


def _refuse(path: Path, why: str | None) -> None:
    """Raise ResultError if there is a reason."""
    if why is not None:
        raise ResultError(f"{path}: {why}{AGAIN}")


def time_by_cause(vms: pd.DataFrame, costs: Mapping[str, Any]) -> pd.DataFrame:
    """Estimated time per VM and kind of event in ns: each count times its cost (model §8).

    Accesses are rows: what a reduction has left out are hits of its most recent pages, next to which a row
    costs much.  A file fill counts as the guest minor fault that it is: its bytes are taken to be in the
    page cache.
    """
    cost_of = {
        "accesses": "access",
        "guest_minor_faults": "guest_minor",
        "host_minor_faults": "zero_fill",
        "cow_breaks": "cow_break",
        "guest_swap_reads": "swap_read",
        "host_swap_reads": "swap_read",
        "guest_swap_writes": "swap_write",
        "host_swap_writes": "swap_write",
    }
    return pd.DataFrame({event: vms[event] * costs[cost] for event, cost in cost_of.items()})


def _columns(sample: Sample) -> dict[str, np.ndarray]:
    counters = dict(zip(COUNTER_NAMES, sample.counters.T, strict=True))
    return counters | dict(zip(GAUGE_NAMES, sample.gauges.T, strict=True))


def _timeline(samples: Sequence[Sample], names: list[str]) -> pd.DataFrame:
    stacked = {name: [] for name in (*COUNTER_NAMES, *GAUGE_NAMES)}  # type: dict[str, list[np.ndarray]]
    for sample in samples:
        for name, column in _columns(sample).items():
            stacked[name].append(column)
    n = len(names)
    return pd.DataFrame(
        {
            "time": np.repeat(np.array([s.time for s in samples], np.uint64), n),
            "vm": names * len(samples),
            **{name: np.concatenate(columns) for name, columns in stacked.items()},
            "free": np.repeat(np.array([s.free_frames for s in samples], np.int64), n),
            "balloon_target": np.array([s.balloon_targets for s in samples], np.int64).ravel(),
        }
    )
