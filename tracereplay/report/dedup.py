"""What memory that holds each content once is worth, as a picture, and as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracereplay.analysis.content_curve import ContentCurves
from tracereplay.report import style
from tracereplay.report.names import ALL_VMS
from tracereplay.report.ratios import scale_for
from tracereplay.report.table import plain_table
from tracereplay.units import format_bytes

_POINTS = 40  # of a line
_LINES = {  # from the top
    "misses_pages": ("pages", style.VERMILION, "-"),
    "misses_contents_alone": ("contents alone", style.BLUE, "--"),
    "misses_contents_together": ("contents together", style.GREEN, "-"),
}
_BAND = "± 95 %"


def figure(found: ContentCurves) -> Figure:
    """Miss ratios of memories of pages and of contents by the memory of all VMs, on a logarithmic axis.

    Estimates of contents together have their band.  An arrow tells what memory of contents does as well as
    some memory of pages.
    """
    table = found.table(found.sizes(_POINTS))
    scale = scale_for(table["misses_pages"].max() / max(found.contents[found.vms].accesses, 1))
    ratio = scale.factor / max(found.contents[found.vms].accesses, 1)
    sizes = table["size_pages"] * float(found.page_size)
    with style.settings():
        title = ", ".join(map(style.shortened, found.vms)) if len(found.vms) <= 3 else f"{len(found.vms)} VMs"
        drawn, axes = style.panel(f"{title}: misses when equal pages share memory", "memory", scale.name)
        axes.set_xscale("log", base=2)
        if "low" in table:
            ends = table["low"] * ratio, table["high"] * ratio
            axes.fill_between(sizes, *ends, color=style.GREEN, alpha=0.2, linewidth=0, label="95 % band")
        for column, (label, colour, dash) in reversed(_LINES.items()):
            axes.plot(sizes, table[column] * ratio, color=colour, linestyle=dash, label=label)
        axes.set_ylim(bottom=0)
        style.legend_beside(axes)
        style.octaves(axes.xaxis)
        _same_misses(axes, table, found, ratio)
    return drawn


def _same_misses(axes: Axes, table: pd.DataFrame, found: ContentCurves, ratio: float) -> None:
    """An arrow from a memory of pages to that of contents together which misses no more, if it is drawn."""
    drawn = table[table["same_misses"].between(table["size_pages"].iloc[0], table["size_pages"] - 1)]
    if drawn.empty:
        return
    row = drawn.iloc[len(drawn) // 2]
    size, same = (int(row[name]) * float(found.page_size) for name in ("size_pages", "same_misses"))
    height = row["misses_pages"] * ratio
    ends = {"color": style.INK, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (same, height), (size, height), arrowprops=ends | {"arrowstyle": "-|>"})
    axes.annotate(
        f"{format_bytes(same)} of contents together\nmiss as {format_bytes(size)} of pages do",
        (size, height),
        (0.98, 0.95),
        textcoords="axes fraction",
        ha="right",
        va="top",
        arrowprops=ends | {"arrowstyle": "-", "linewidth": 0.5},
    )


_MEANING = (
    "An access misses where memory does not hold the content that its page has; what a write makes of it is "
    "in memory then, without a read. The memory for ever so few misses is that of the footprints."
)


def terminal(found: ContentCurves, misses: pd.DataFrame, needed: pd.DataFrame) -> Group:
    """Footprints by group, misses by size and, if there are any, sizes by miss ratio, within 80 columns."""
    parts: list[RenderableType] = [_footprints(found.footprints), "", _misses(misses, found.page_size)]
    if len(needed):
        parts += ["", _needed(needed, found.page_size)]
    parts += ["", _MEANING]
    return Group(*parts)


def _footprints(data: pd.DataFrame) -> Table:
    band = [_BAND] if "shared_low" in data else []
    text = _table("footprints", "pages", "contents\nalone", "contents\ntogether", *band, "shared", *band)
    names = [*data["vms"][:-1], ALL_VMS] if len(data) > 1 else data["vms"]
    for name, row in zip(names, data.to_dict(orient="records"), strict=True):
        together, shared = ([_half(row, f"{key}_") for _ in band] for key in ("contents", "shared"))
        pages, alone, *counts = _counts(row[key] for key in ("pages", "contents_alone", "contents", "shared"))
        text.add_row(Text(name), pages, alone, counts[0], *together, counts[1], *shared)
    return text


def _misses(data: pd.DataFrame, page_size: int) -> Table:
    band = [_BAND] if "low" in data else []
    titles = ("misses of\npages", "contents\nalone", "contents\ntogether", *band, "same misses\ntogether in")
    text = _table("memory", *titles)
    for row in data.to_dict(orient="records"):
        cells = [*_counts(row[name] for name in _LINES), *(_half(row) for _ in band)]
        text.add_row(_bytes(row["size_pages"], page_size), *cells, _bytes(row["same_misses"], page_size))
    return text


def _needed(data: pd.DataFrame, page_size: int) -> Table:
    text = _table("needed for a\nmiss ratio of", "pages", "contents\nalone", "contents\ntogether")
    for row in data.to_dict(orient="records"):
        sizes = [row[name] for name in ("pages", "contents_alone", "contents_together")]
        text.add_row(f"{row['miss_ratio']:.4g}", *(_bytes(size, page_size) for size in sizes))
    return text


def _table(first: str, *titles: str) -> Table:
    text = plain_table()
    text.add_column(first, overflow="fold")
    for title in titles:
        text.add_column(title, justify="right", no_wrap=True)
    return text


def _counts(numbers: Iterable[float]) -> list[str]:
    return [f"{number:,.0f}" for number in numbers]


def _half(row: dict[Any, Any], prefix: str = "") -> str:
    """Half the width of a band."""
    return f"{(row[f'{prefix}high'] - row[f'{prefix}low']) / 2:,.0f}"


def _bytes(pages: Any, page_size: int) -> str:
    """A size; never, where nothing misses as little."""
    return "never" if pd.isna(pages) else format_bytes(int(pages) * page_size)
