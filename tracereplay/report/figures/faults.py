"""Host faults by what needed the page.

Every page that the hypervisor reads back, by cause: an access itself, or, the three kinds of double paging, a
guest that writes the page out, overwrites it by a swap-in or file read, or zeroes it.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import bin_text, per_bin
from tracereplay.result import Result

CAUSES = {
    "demand_faults": ("an access itself", style.SKY),
    "double_faults": ("guest writes it out", style.VERMILION),
    "stale_reads": ("guest overwrites it:\nswap-in or file", style.ORANGE),
    "false_reads": ("guest overwrites it:\nzeros", style.YELLOW),
}
ABSENT = "the hypervisor paged nothing back in; replay with less host memory, such as --host-memory 60%"


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Faults per bin and cause; None without host faults."""
    return per_bin(result, list(CAUSES)) if result.totals["host_major_faults"] else None


def draw(data: pd.DataFrame) -> Figure:
    """Stacked steps over time."""
    figure, axes = style.over_time("faults per bin", data)
    style.counts(axes.yaxis, style.stacked_steps(axes, data, CAUSES))
    style.label_ends(axes, style.step_ends(axes))
    return figure


def caption(data: pd.DataFrame) -> str:
    return f"Host major faults per bin, stacked by cause. {bin_text(data)}"
