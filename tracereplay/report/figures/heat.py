"""Accesses of each VM by page and time.

Which pages a VM touches, and when: accesses by page and time, none where the map is empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.result import Result
from tracereplay.units import format_bytes

NEEDS = ("heat",)


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Accesses by VM, time and page, only where there are some; None where no trace could be read."""
    return extras.get("heat")


def draw(data: pd.DataFrame) -> Figure:
    """A strip per VM, its touched pages upwards, accesses as colours."""
    attrs = data.attrs
    vms = list(attrs["pages"])
    figure, rows = style.strips(vms, attrs["end"], attrs["time_unit"])
    colours = mpl.colormaps[style.SEQUENTIAL].with_extremes(bad="none")
    for axes in rows.values():
        style.ground(axes)
    norm = LogNorm(1, max(int(data["accesses"].max()), 10))
    for vm, cells in data.groupby("vm", sort=False):
        axes, size = rows[str(vm)], attrs["pages"][vm] * attrs["page_size"]
        counts, times, pages = _matrix(cells, *attrs["bins"][vm])
        heights = np.minimum(pages * attrs["page_size"], size)
        mesh = axes.pcolormesh(times, heights, counts, norm=norm, cmap=colours, rasterized=True)
        axes.set_ylim(0, size)
        style.sizes(axes.yaxis, size, most=4)
    figure.colorbar(mesh, ax=list(rows.values()), aspect=40, pad=0.02, format=style.COUNT).set_label(
        "accesses in a bin"
    )
    return figure


def _matrix(cells: pd.DataFrame, width: int, pages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells as an array, pages by times, NaN where none are, and the edges of both."""
    start = int(cells["time"].min())
    column = (cells["time"].to_numpy() - start) // width
    row = cells["page"].to_numpy() // pages
    counts = np.full((row.max() + 1, column.max() + 1), np.nan)
    counts[row, column] = cells["accesses"]
    return counts, start + np.arange(column.max() + 2) * width, np.arange(row.max() + 2) * pages


def caption(data: pd.DataFrame) -> str:
    attrs = data.attrs
    times, pages = zip(*attrs["bins"].values(), strict=True)
    width = _range([style.quantity(time, attrs["time_unit"]) for time in (min(times), max(times))])
    height = _range([format_bytes(n * attrs["page_size"]) for n in (min(pages), max(pages))])
    frees = ", frees included," if attrs["frees"] else ""
    return (
        f"Rows of each VM's trace{frees} by time and by page, in order of page numbers without the pages "
        f"that it never touches; colours are logarithmic. Bins of {width} and of {height}; time in "
        f"{attrs['time_unit']} from the run's first access."
        + (f" {attrs['left_out']} more VMs are not shown." if attrs["left_out"] else "")
    )


def _range(ends: Sequence[str]) -> str:
    return " to ".join(dict.fromkeys(ends))
