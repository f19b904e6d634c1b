"""Host memory by who holds it.

Frames that each VM has to itself, frames that are shared, and free ones; together they are the host's memory.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import at_bins_by_vm, bin_text, named
from tracereplay.result import Result
from tracereplay.units import format_bytes

SHARED, FREE = "shared frames", "free"


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes at the end of each bin: private frames of each VM, shared ones, free ones."""
    used = at_bins_by_vm(result, "frames_in_use")
    shared = at_bins_by_vm(result, "shared_frames")
    frames = named(used - shared, reserved=(SHARED, FREE)).assign(**{SHARED: shared.sum(axis=1)})
    frames[FREE] = result.machine["host"]["frames"] - frames.sum(axis=1)
    return frames * frames.attrs["page_size"]


def draw(data: pd.DataFrame) -> Figure:
    """Stacked steps over time; what they leave is free."""
    figure, axes = style.over_time("host memory", data)
    series = style.vm_series(data.drop(columns=[SHARED, FREE])) | {SHARED: (SHARED, style.PALE)}
    style.stacked_steps(axes, data, series)
    top = float(data.iloc[0].sum())
    axes.set_ylim(0, top)
    style.sizes(axes.yaxis, top)
    last = style.last_seen([0, *data.index])
    free = style.End(FREE, style.GREY, data.index[-1], top - float(data[FREE].iloc[last]) / 2)
    style.label_ends(axes, [*style.step_ends(axes), free])
    return figure


def caption(data: pd.DataFrame) -> str:
    return (
        f"Who holds the host's {format_bytes(int(data.iloc[0].sum()))} at the end of each bin, stacked: "
        f"frames of one VM alone, by VM; frames shared by several pages; the rest is free. {bin_text(data)}"
    )
