"""Results made by hand, whose figures can be worked out on paper, and one in which everything happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from runs import SCENARIO, TABLES

import tracereplay as tr
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.report import figures
from tracereplay.result import Result
from tracereplay.studies.run_traces import figure_data

FIRST = 100
COSTS = {
    "preset": "nvme",
    "access": 1,
    "guest_minor": 10,
    "zero_fill": 100,
    "cow_break": 1_000,
    "swap_read": 10_000,
    "swap_write": 100_000,
}


def run(times: Sequence[int], vms: Mapping[str, Mapping[str, Sequence[int]]], **machine: Any) -> Result:
    """A run that begins at 100, ticks every 10 and was sampled at ``times``.

    ``vms`` gives per VM what each sample says of it; every other counter and gauge is 0.
    """
    names = (*COUNTER_NAMES, *GAUGE_NAMES, "balloon_target")
    rows = [
        {"time": time, "vm": vm, **{name: said.get(name, [0] * len(times))[i] for name in names}}
        for i, time in enumerate(times)
        for vm, said in vms.items()
    ]
    timeline = pd.DataFrame(rows)
    last = timeline[timeline["time"] == times[-1]].drop(columns=["time", "balloon_target"])
    said = {
        "page_size": 4096,
        "time_unit": "accesses",
        "tick": 10,
        "timeline_every": 1,
        "first_time": FIRST,
        "last_time": times[-1],
        "host": {"frames": 10},
        "sharing": {"mode": "none"},
        "costs": COSTS,
        "vms": [{"name": name, "balloon_cap": 6} for name in vms],
    }
    return Result(
        machine=said | machine,
        totals={name: int(last[name].sum()) for name in (*COUNTER_NAMES, *GAUGE_NAMES)},
        vms=last.set_index("vm"),
        timeline=timeline,
        warnings=(),
        laws=(),
        provenance={"inputs": {}},
    )


def pictures(folder: Path) -> dict[str, tuple[pd.DataFrame, Figure]]:
    """Every figure of a run in which everything happens, its table first; traces go to ``folder``."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    for name, path in paths.items():
        tr.write_trace(path, TABLES[name])
    result = tr.replay(SCENARIO, paths, jit=False)
    tables = {kind: figure_data(result, kind) for kind in figures.names()}
    return {kind: (data, figures.draw(kind, data)) for kind, data in tables.items()}
