"""LRU miss ratio of each VM by its memory.

What an LRU memory of each size would miss of a VM's accesses, exactly (Mattson and others 1970); the memory
that the VM had in the run is marked.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import MOST_VMS
from tracereplay.report.ratios import scale_for
from tracereplay.result import Result

NEEDS = ("miss_ratio",)
COLOURS = (*style.SERIES[:-1], style.INK)
LINES = ("-", "--", "-.", ":", "-", "--", "-.")


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes of memory and miss ratio, rows per VM and size; of the first MOST_VMS VMs.

    None where no trace could be read.
    """
    found = extras.get("miss_ratio")
    if found is None:
        return None
    vms = list(found["vm"].unique())
    table = found[found["vm"].isin(vms[:MOST_VMS])].set_index("vm")
    table["size"] = table["size_pages"] * found.attrs["page_size"]
    table.attrs = {**found.attrs, "left_out": max(len(vms) - MOST_VMS, 0)}
    return table


def draw(data: pd.DataFrame) -> Figure:
    """A line per VM over the logarithm of the size, a dot at the VM's memory."""
    highest = float(data["miss_ratio"].max())
    scale = scale_for(highest)
    figure, axes = style.panel("", "memory", scale.name)
    curves = data.groupby("vm", sort=False)
    ends = []
    for (vm, curve), colour, line in zip(curves, COLOURS, LINES, strict=False):
        curve = curve.assign(miss_ratio=curve["miss_ratio"] * scale.factor)
        axes.plot(
            curve["size"], curve["miss_ratio"], color=colour, linestyle=line, label=style.shortened(str(vm))
        )
        had = curve[curve["size_pages"] == data.attrs["memory"][vm]]
        axes.plot(had["size"], had["miss_ratio"], "o", color=colour)
        size, ratio = curve[["size", "miss_ratio"]].iloc[-1]
        ends.append(style.End(style.shortened(str(vm)), colour, size, ratio, line))
    dot = axes.plot([], [], "o", color=style.GREY, label="the VM's memory")
    axes.set_xscale("log", base=2)
    axes.margins(x=0)
    style.octaves(axes.xaxis)
    axes.set_ylim(0, highest * scale.factor * 1.05)
    style.label_ends(axes, ends)
    axes.legend(handles=dot, loc="upper right")
    return figure


def caption(data: pd.DataFrame) -> str:
    left_out = data.attrs["left_out"]
    return (
        "Misses of an LRU memory, first touches included, as a share of the VM's accesses, by memory in "
        "bytes (logarithmic); dots: the VM's memory in the run. Where a reduced trace does not say how many "
        "accesses it has left out, the share is of those kept."
        + (f" {left_out} more VMs are not shown." if left_out else "")
    )
