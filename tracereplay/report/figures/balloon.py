"""Balloon of each VM, target and actual.

The memory that a VM's balloon holds, and what its controller asked for.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import at_bins_by_vm, bin_text, named
from tracereplay.result import Result

ACTUAL, TARGET = "actual", "target"
ABSENT = (
    "no balloon target was recorded; replay with balloons, such as --balloon static --set 'vm.*.balloon=20%'"
)


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes at the end of each bin, columns (actual or target, VM).

    None without a balloon, and for runs of versions that did not record the target.
    """
    if not result.timeline.get("balloon_target", pd.Series([0])).any():
        return None
    held, asked = (at_bins_by_vm(result, name) for name in ("ballooned", "balloon_target"))
    parts = {ACTUAL: named(held, by=asked), TARGET: named(asked)}
    table = pd.concat(parts, axis=1) * held.attrs["page_size"]
    table.attrs = held.attrs
    return table


def draw(data: pd.DataFrame) -> Figure:
    """A strip per VM: filled what the balloon holds, dashed its target."""
    vms = list(data.columns.unique(1))
    figure, rows = style.strips(vms, data.index[-1], data.attrs["time_unit"])
    for vm, axes in rows.items():
        strip = pd.DataFrame({part: data[part, vm] for part in (ACTUAL, TARGET)})
        style.stacked_steps(axes, strip, {ACTUAL: (ACTUAL, style.SKY)})
        style.steps(axes, strip[TARGET], style.VERMILION, TARGET, dashed=True)
        top = float(strip.to_numpy().max())
        axes.set_ylim(0, max(top * 1.1, 1))
        style.sizes(axes.yaxis, top, most=4)
    style.legend_beside(next(iter(rows.values())))
    return figure


def caption(data: pd.DataFrame) -> str:
    return (
        "Memory that each VM's balloon holds (filled) and that its controller asked for last (dashed), at "
        f"the end of each bin; each VM on its own scale. {bin_text(data)}"
    )
