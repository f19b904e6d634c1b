"""Guest faults, minor and major.

A first touch is a minor fault, of a page of zeros or of one that comes from a file; a page that comes back
from the guest's swap, or once more from its file, is a major fault.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import bin_text, per_bin
from tracereplay.result import Result

KINDS = {
    "guest_major_faults": ("major: paged out before", style.VERMILION),
    "guest_file_fills": ("minor: from a file", style.SKY),
    "guest_zero_fills": ("minor: zeros", style.BLUE),
}
ABSENT = "no page was touched; replay a trace that has accesses"


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Faults per bin and kind; None without guest faults, that is, where all rows are frees."""
    if not result.totals["guest_minor_faults"]:
        return None
    found = per_bin(result, ["guest_major_faults", "guest_file_fills", "guest_minor_faults"])
    zeros = found.pop("guest_minor_faults") - found["guest_file_fills"]
    return found.assign(guest_zero_fills=zeros)


def draw(data: pd.DataFrame) -> Figure:
    """Stacked steps over time."""
    figure, axes = style.over_time("faults per bin", data)
    style.counts(axes.yaxis, style.stacked_steps(axes, data, KINDS))
    style.label_ends(axes, style.step_ends(axes))
    return figure


def caption(data: pd.DataFrame) -> str:
    return f"Guest faults per bin, stacked by kind. {bin_text(data)}"
