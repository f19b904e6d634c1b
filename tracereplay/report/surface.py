"""The double-paging surface as a picture, and as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.patheffects import withStroke
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracereplay.analysis.double_paging import anomaly, comparable
from tracereplay.errors import UsageError
from tracereplay.problems import problem
from tracereplay.report import style
from tracereplay.report.table import plain_table
from tracereplay.units import format_bytes, format_count

if TYPE_CHECKING:
    from tracereplay.studies.random_host import Law

TERMINAL_SIZES = 6
"""Sizes of each level that fit, with their labels, into 80 columns."""
_SIZE = (6.4, 4.6)
_LEVELS = 18
_DEEPEST = 64
"""Colours go down to this part of the most reads; what is below looks the same."""
_WANTED_OVERCOMMITMENT = 1.6
"""g/h from which the balloon's path is drawn, about."""
_HALO = withStroke(linewidth=3, foreground="white")
"""Lines stay visible on any colour."""
_PAPER = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
"""Text stays readable on any colour."""


def figure(exact: pd.DataFrame, measured: pd.DataFrame | None = None) -> Figure:
    """What the devices read, as contours over the memory of host and guest, both logarithmic.

    The ridge of the anomaly, g = h, is drawn, and the path of a balloon that takes a guest down to it.
    ``measured``, the surface of a random host, is drawn below the exact one.
    UsageError for fewer than two sizes of either level.
    """
    surfaces = {"LRU in guest and host": exact}
    if measured is not None:
        surfaces["guest LRU, host random"] = measured
    with style.settings():
        width, height = _SIZE
        drawn = style.Picture(figsize=(width, height * len(surfaces)), layout="constrained")
        FigureCanvasAgg(drawn)
        places = drawn.subplots(len(surfaces), squeeze=False)[:, 0].tolist()
        for axes, (policies, surface) in zip(places, surfaces.items(), strict=True):
            axes.set_title(f"{style.shortened(surface.attrs['vm'])}: pages read from all devices, {policies}")
            _draw(drawn, axes, surface)
    return drawn


def _draw(drawn: Figure, axes: Axes, surface: pd.DataFrame) -> None:
    """One surface with its scale of colours."""
    reads = surface.pivot(index="guest_pages", columns="host_pages", values="device_reads")
    if min(reads.shape) < 2:
        found = f"{reads.shape[0]} and {reads.shape[1]} sizes"
        raise UsageError(f"surface: {problem(found, 'two or more of guest and host for a picture')}")
    page_size = float(surface.attrs["page_size"])
    guests, hosts = (axis.to_numpy() * page_size for axis in reads.axes)
    reads = reads.set_axis(guests).set_axis(hosts, axis="columns")
    axes.set_xlabel("memory of the host")
    axes.set_ylabel("memory of the guest")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    contours = _contours(axes, reads)
    axes.set_xlim(hosts[0], hosts[-1])
    axes.set_ylim(guests[0], guests[-1])
    _ridge(axes, reads)
    _balloon(axes, reads)
    axes.grid(visible=False)
    style.octaves(axes.xaxis)
    style.octaves(axes.yaxis)
    bar = drawn.colorbar(contours, ax=axes, label="pages read", pad=0.02, format=style.COUNT)
    bar.ax.minorticks_off()


def _contours(axes: Axes, reads: pd.DataFrame) -> ContourSet:
    """Filled contours of either side of g = h, each continued to the line and cut off there.

    ``reads`` is by the bytes of guests and of hosts.  Returns those that tell the scale of colours.
    """
    values = reads.to_numpy(np.float64)
    top = max(values.max(), 2)
    low = min(max(values.min(), top / _DEEPEST, 1), top / 2)
    levels = np.geomspace(low, top, _LEVELS + 1)
    ends = reads.index[0], reads.columns[0], reads.index[-1], reads.columns[-1]
    first, last = min(ends), max(ends)
    larger = reads.index.to_numpy()[:, None] > reads.columns.to_numpy()[None, :]
    # a guest that fits costs the same on each host; of those that do not, the next larger one is nearest
    sides = {
        (first, last): reads.where(larger).bfill().ffill(axis=1),
        (last, first): reads.where(~larger).bfill(axis=1).ffill(),
    }
    for corner, side in sides.items():
        drawn = axes.contourf(
            reads.columns,
            reads.index,
            side.clip(lower=low / 2),  # what is below all levels, zeros included, looks the same
            levels=levels,
            norm=LogNorm(low, top),
            cmap=style.SEQUENTIAL,
            extend="min",
        )
        drawn.set_rasterized(True)
        drawn.set_clip_path(Polygon([(first, first), (last, last), corner], transform=axes.transData))
    return drawn


def _ridge(axes: Axes, reads: pd.DataFrame) -> None:
    """The line g = h with its name, and what lies on either side of it."""
    first, last = max(reads.index[0], reads.columns[0]), min(reads.index[-1], reads.columns[-1])
    if first >= last:
        return
    axes.plot([first, last], [first, last], color=style.INK, path_effects=[_HALO])
    place = first * (last / first) ** 0.65
    _note(axes, "the anomaly's ridge:\nguest = host", (place, place), (10, -6), va="top")
    corners = {
        "guest larger than host:\nthe host pages out, too": ((0, 1), (6, -6), "left", "top"),
        "guest fits into host:\nonly the guest pages out": ((1, 0), (-6, 6), "right", "bottom"),
    }
    for text, (corner, offset, ha, va) in corners.items():
        _note(axes, text, corner, offset, xycoords="axes fraction", ha=ha, va=va, style="italic")


def _balloon(axes: Axes, reads: pd.DataFrame) -> None:
    """An arrow from a guest that is larger than its host down to the size of the host.

    Of the hosts in the middle it is at the one where that saves most.
    """
    paths = [path for host in _middle(reads.columns) if (path := _path(reads, host)) is not None]
    if not paths:
        return
    host, guest, saved = max(paths, key=lambda path: path.saved)
    arrow = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (host, host), (host, guest), arrowprops=arrow | {"path_effects": [_HALO]})
    text = (
        f"balloon of {format_bytes(guest - host)}:\n"
        f"{format_count(abs(saved))} reads {'fewer' if saved >= 0 else 'more'}"
    )
    _note(axes, text, (host, guest), (-4, 4), ha="right")


class _Path(NamedTuple):
    """Of a balloon that takes a guest down to the size of its host."""

    host: float  # bytes
    guest: float
    saved: int  # reads


def _path(reads: pd.DataFrame, host: float) -> _Path | None:
    """That of the guest nearest to _WANTED_OVERCOMMITMENT; None where none is larger, or none fits."""
    larger, fitting = reads.index[reads.index > host], reads.index[reads.index <= host]
    if not len(larger) or not len(fitting):
        return None
    guest = min(larger, key=lambda size: abs(size / host - _WANTED_OVERCOMMITMENT))
    of_host = reads[host]
    return _Path(host, guest, int(of_host[guest] - of_host[fitting[-1]]))


def _middle(sizes: pd.Index) -> pd.Index:
    """The middle third of some sizes, or more: an arrow there has room for its text."""
    third = len(sizes) // 3
    return sizes[third : len(sizes) - third]


def _note(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float], **options: Any
) -> None:
    """A text at so many points from a place."""
    axes.annotate(text, place, offset, textcoords="offset points", bbox=_PAPER, **options)


def terminal(exact: pd.DataFrame, measured: pd.DataFrame | None, law: Law | None) -> Group:
    """Tables of some of the sizes within 80 columns and what they come to.

    ``measured`` is the surface of a random host, if there is one, and ``law`` the law of it, if any.
    """
    parts: list[RenderableType] = [_heading(exact, "LRU"), _table(exact), "", Text(_verdict(exact))]
    if measured is not None:
        parts += ["", _heading(measured, "random"), _table(measured), "", Text(_told(law))]
    return Group(*parts)


def _heading(surface: pd.DataFrame, host: str) -> Text:
    return Text(f"{surface.attrs['vm']}: pages read from all devices, guest LRU, host {host}", "bold")


def _table(surface: pd.DataFrame) -> Table:
    """What the devices read: a row per guest, a column per host."""
    reads = surface.pivot(index="guest_pages", columns="host_pages", values="device_reads")
    alike = reads.index.intersection(reads.columns)
    hosts, guests = _some(reads.columns), _some(alike if len(alike) > 1 else reads.index)
    page_size = surface.attrs["page_size"]
    text = plain_table()
    text.add_column("guest \\ host", justify="right", no_wrap=True)
    for size in hosts:
        text.add_column(format_bytes(size * page_size), justify="right", no_wrap=True)
    for guest in guests:
        cells = reads.loc[guest, hosts].map(format_count)
        text.add_row(format_bytes(guest * page_size), *cells)
    return text


def _some(sizes: pd.Index) -> list[int]:
    """At most TERMINAL_SIZES of ascending sizes, evenly, the ends among them."""
    places = np.linspace(0, len(sizes) - 1, min(len(sizes), TERMINAL_SIZES)).round().astype(int)
    return sizes[places].tolist()


def _verdict(surface: pd.DataFrame) -> str:
    """Where more memory for the guest costs the most reads, how many, and what a balloon saves."""
    worst = anomaly(surface)
    if worst is None and not comparable(surface):
        return (
            "Nothing to compare at these sizes: the anomaly needs a guest that fits into its host and one "
            "that does not; give the host's size as a guest size, too."
        )
    if worst is None:
        return "No anomaly at these sizes: no guest larger than its host reads more than one that fits."
    memory = format_bytes(worst.host_pages * surface.attrs["page_size"])
    balloon = worst.larger_guest_pages - worst.guest_pages
    return (
        f"The anomaly costs most on a host of {_counted('frame', worst.host_pages)} ({memory}): a guest of "
        f"{_counted('page', worst.guest_pages)} reads {_counted('page', worst.device_reads)}, one of "
        f"{worst.larger_guest_pages:,} reads {worst.larger_device_reads:,.0f}. A balloon of "
        f"{_counted('page', balloon)} saves the {worst.cost:,.0f} in between."
    )


def _counted(thing: str, number: float) -> str:
    return f"{number:,.0f} {thing}{'s' * (number != 1)}"


def _told(law: Law | None) -> str:
    """The law of a random host, and how good it is."""
    if law is None:
        return "No guest evicts a page on a host that pages: there is no law to fit."
    return (
        f"With a host that chooses at random, 1 − exp(−{law.rate:.2f}·(g/h − 1)) of the guest's evictions "
        f"hit a page that is paged out. At {_counted('measured pair', law.points)} of sizes the law is "
        f"{law.rmse:.1%} of the evictions off (root mean square), {law.worst:.1%} at worst."
    )
