"""Estimated time by cause.

Every event times what the scenario says that it costs: an estimate, not a measurement.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import named
from tracereplay.result import Result, time_by_cause
from tracereplay.units import format_duration_ns

CAUSES = {
    "accesses": ("accesses", style.PALE),
    "guest_minor_faults": ("guest minor faults", style.SKY),
    "host_minor_faults": ("zeroing frames", style.BLUE),
    "cow_breaks": ("copy-on-write", style.GREEN),
    "guest_swap_reads": ("guest swap reads", style.YELLOW),
    "guest_swap_writes": ("guest swap writes", style.ORANGE),
    "host_swap_reads": ("host swap reads", style.PURPLE),
    "host_swap_writes": ("host swap writes", style.VERMILION),
}


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Nanoseconds by VM (rows) and event (columns); ``attrs``: ``costs`` (ns of an event) and ``preset``."""
    costs = result.machine["costs"]
    found = named(time_by_cause(result.vms, costs).T).T
    found.index.name = "vm"
    found.attrs = {"costs": {k: v for k, v in costs.items() if k != "preset"}, "preset": costs["preset"]}
    return found


def draw(data: pd.DataFrame) -> Figure:
    """A bar per VM, stacked by cause."""
    height = 1.6 + 0.35 * len(data)
    figure, axes = style.panel("", "estimated time", "", size=(style.WIDTH, height))
    longest = style.bars(
        axes,
        data.rename(index=style.shortened),
        CAUSES,
        [format_duration_ns(time) for time in data.sum(axis=1)],
    )
    style.durations(axes.xaxis, longest)
    style.legend_beside(axes)
    return figure


def caption(data: pd.DataFrame) -> str:
    costs = ", ".join(f"{name} {format_duration_ns(ns)}" for name, ns in data.attrs["costs"].items())
    return (
        f"Events of each VM times their costs, an estimate: swap device {data.attrs['preset']}; {costs}. "
        "Time in ns over the whole run."
    )
