"""Working set of each VM.

Distinct pages that it touches in each window of time: Denning's W(t, τ) (CACM 1968), τ the window, t its end.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import bin_text, named
from tracereplay.result import Result
from tracereplay.units import format_bytes

NEEDS = ("working_set",)


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes per window (rows) and VM (columns); None where no trace could be read."""
    pages = extras.get("working_set")
    return None if pages is None else named(pages) * pages.attrs["page_size"]


def draw(data: pd.DataFrame) -> Figure:
    """A strip per VM."""
    figure, rows = style.strips(list(map(str, data)), data.index[-1], data.attrs["time_unit"])
    for vm, axes in rows.items():
        top = style.stacked_steps(axes, data, {vm: (vm, style.SKY)})
        style.sizes(axes.yaxis, top, most=4)
    return figure


def caption(data: pd.DataFrame) -> str:
    exact = data.attrs["exact_above"] * data.attrs["page_size"]
    return (
        "Memory of the distinct pages that each VM touches within a bin, as its trace tells; each VM on its "
        f"own scale. {bin_text(data)}"
        + (f" A reduced trace may show less than there is below {format_bytes(exact)}." if exact else "")
    )
