"""Swap I/O of guests and host.

Bytes that the guests' and the hypervisor's swap devices read and write.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import bin_text, per_bin
from tracereplay.result import Result

STREAMS = {
    "guest_swap_reads": ("guests read", style.SKY),
    "guest_swap_writes": ("guests write", style.BLUE),
    "host_swap_reads": ("host reads", style.ORANGE),
    "host_swap_writes": ("host writes", style.VERMILION),
}
ABSENT = "neither guests nor host paged; replay with less memory, such as --host-memory 60% --memory 75%"


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes per bin and stream; None where nothing was swapped."""
    if not any(result.totals[name] for name in STREAMS):
        return None
    pages = per_bin(result, list(STREAMS))
    return pages * pages.attrs["page_size"]


def draw(data: pd.DataFrame) -> Figure:
    """Stacked steps over time."""
    figure, axes = style.over_time("bytes per bin", data)
    style.sizes(axes.yaxis, style.stacked_steps(axes, data, STREAMS))
    style.label_ends(axes, style.step_ends(axes))
    return figure


def caption(data: pd.DataFrame) -> str:
    return f"Bytes that swap devices of guests and host read and write per bin, stacked. {bin_text(data)}"
