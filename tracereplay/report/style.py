"""How figures look and how they become files: no pyplot, no global state, the same bytes every time.

Colours are Okabe and Ito's (2008), told apart by every kind of eye; nothing is said by colour alone.
"""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tracereplay import files
from tracereplay.errors import UsageError
from tracereplay.problems import shown
from tracereplay.units import NANOSECONDS, format_bytes, format_count, format_duration_ns

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"
GREY, PALE = "#8C8C8C", "#BDBDBD"
OTHERS = "other VMs"
"""What the VMs without a place of their own in a figure are called together."""
SERIES = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW)
"""Colours of series that have no meaning of their own, in order."""
INK, RULE = "#262626", "#D9D9D9"
"""Text and axes; grid lines.  In a page they follow the page's colours, light or dark."""
GROUND = "#FDFDFD"
"""What is behind the cells of a map: light on a dark page, too, or the darkest cells could not be seen."""
SEQUENTIAL = "cividis"
"""Colour map of quantities, as readable in grey."""

WIDTH, HEIGHT = 7.2, 3.2
"""Inches of a figure of the usual shape."""
FORMATS = ("svg", "png", "pdf")

_NOTHING_SAID: Mapping[str, dict[str, None]] = {
    "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
}
"""Metadata that keep matplotlib from writing when and by what a file was made."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # names of VMs are not formulas
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


@contextmanager
def settings(salt: str = "tracereplay") -> Iterator[None]:
    """The house style for figures that are made or saved inside; ``salt`` makes the ids in an SVG.

    That its font lacks a character is said by ``save``, once.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        mpl.rcdefaults()
        mpl.rcParams.update({**_SETTINGS, "svg.hashsalt": salt})
        yield


class Picture(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        return rendered(self, "png")


def panel(title: str, x: str, y: str, *, size: tuple[float, float] = (WIDTH, HEIGHT)) -> tuple[Picture, Axes]:
    """A figure with one pair of axes, labelled; to be called inside ``settings``."""
    figure = Picture(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def over_time(y: str, data: pd.DataFrame) -> tuple[Picture, Axes]:
    """A panel for a table of bins: indexed by their ends, its ``attrs`` say in which ``time_unit``."""
    figure, axes = panel("", "", y)
    _time_axis(axes, data.index[-1], data.attrs["time_unit"])
    return figure, axes


def strips(names: Sequence[str], end: float, unit: str) -> tuple[Picture, dict[str, Axes]]:
    """Axes per name, one below the other, on one time axis that ends at ``end``."""
    figure = Picture(figsize=(WIDTH, 0.8 + max(HEIGHT - 0.8, 0.85 * len(names))), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, names, strict=True):
        axes.set_ylabel(shortened(name), rotation=0, ha="right", va="center")
    figure.align_ylabels(rows)
    _time_axis(rows[-1], end, unit)
    return figure, dict(zip(names, rows, strict=True))


def ground(axes: Axes) -> None:
    """Paint what is behind the cells of a map."""
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, color=GROUND, linewidth=0, zorder=0))
    axes.grid(False)


def _time_axis(axes: Axes, end: float, unit: str) -> None:
    axes.set_xlim(0, end)
    if unit == "ns":
        axes.set_xlabel("time from the run's first access")
        durations(axes.xaxis, end)
    else:
        axes.set_xlabel(f"time from the run's first access, {unit}")
        counts(axes.xaxis, end)


COUNT = FuncFormatter(lambda value, position: format_count(value))
"""How counts are written at ticks."""


def counts(axis: Axis, top: float) -> None:
    """Ticks of whole things: 20k, 1.5M."""
    ticks(axis, top, 1, format_count)


def sizes(axis: Axis, top: float, bottom: float = 0, *, most: int = 6) -> None:
    """Ticks of bytes, at most so many on each side of 0, at multiples of a power of two: 64 MiB."""
    step = 2 ** max(int(np.ceil(np.log2(max(top, -bottom, 1) / most))), 0)
    axis.set_major_locator(FixedLocator(np.arange(-(-bottom // step) * step, top + 1, step).tolist()))
    axis.set_major_formatter(lambda value, position: format_bytes(value))


def octaves(axis: Axis) -> None:
    """Ticks of bytes on a logarithmic axis: 256 KiB, 1 MiB."""
    axis.set_major_locator(LogLocator(base=2, numticks=6))
    axis.set_major_formatter(lambda value, position: format_bytes(value))
    axis.set_minor_locator(NullLocator())


def durations(axis: Axis, top: float) -> None:
    """Ticks of ns, round in their unit: 20 ms, 2m 00s."""
    unit = max(unit for unit in NANOSECONDS.values() if unit <= max(top, 1))
    ticks(axis, top, unit, format_duration_ns)


def ticks(axis: Axis, top: float, unit: float, text: Callable[[float], str]) -> None:
    """Ticks from 0 to ``top`` at round numbers of ``unit``, written by ``text``."""
    places = np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(0, top / unit)) * unit
    axis.set_major_locator(FixedLocator(places[places <= top].tolist()))
    axis.set_major_formatter(lambda value, position: text(value))


Series = Mapping[str, tuple[str, str]]
"""Column of a table → label and colour."""


def vm_series(data: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """A column per VM, called by their names; those that are summed come last and grey."""
    names = [str(name) for name in data]
    colours = dict(zip(names, SERIES, strict=False)) | {OTHERS: GREY}
    return {name: (shortened(name), colours[name]) for name in names}


def shortened(name: str) -> str:
    """A VM's name as a label of at most 18 characters: its two ends, as names often differ in the last."""
    short = name if len(name) <= 18 else f"{name[:9]}…{name[-8:]}"
    return f" {short}" if short.startswith("_") else short  # a legend leaves out what begins with it


def stacked_steps(axes: Axes, data: pd.DataFrame, series: Series) -> float:
    """Stack the bins of ``data`` (indexed by their ends), series of nothing but zeros left out.

    Returns the greatest height.
    """
    edges = np.concatenate([[0.0], data.index.to_numpy(float)])
    below = np.zeros(len(data))
    for name, (label, colour) in series.items():
        if not data[name].any():
            continue
        above = below + data[name].to_numpy(float)
        axes.stairs(above, edges, baseline=below, fill=True, facecolor=colour, label=label)
        below = above
    top = float(below.max())
    axes.set_ylim(0, max(top * 1.05, 1))
    return top


class End(NamedTuple):
    """Where a series ends, and what it is called."""

    label: str
    colour: str
    x: float
    y: float
    dash: str = "-"


_LINE = 0.075
"""Height of a line of text as a share of that of the usual axes."""


def label_ends(axes: Axes, ends: Sequence[End]) -> None:
    """Write the names of series right of the axes, as high as they end, each joined to its end.

    The axes have got their limits.  Series that end alike keep their order, the first one lowest; one that
    ends before the axes do stays as it is from there on.
    """
    (low, high), right = axes.get_ylim(), axes.get_xlim()[1]
    ordered = sorted((end._replace(y=min(max(end.y, low), high)) for end in ends), key=lambda end: end.y)
    heights = [_LINE * (1 + end.label.count("\n")) for end in ordered]
    places = _apart([(end.y - low) / (high - low) for end in ordered], heights)
    for end, place in zip(ordered, places, strict=True):
        leader = {"arrowstyle": "-", "color": end.colour, "linestyle": end.dash, "linewidth": 1.5}
        axes.annotate(
            end.label,
            (right, end.y),
            (1.05, place),
            textcoords="axes fraction",
            va="center",
            arrowprops=leader | {"shrinkA": 2, "shrinkB": 0, "relpos": (0, 0.5)},
            annotation_clip=False,
        )
        if end.x < right:
            axes.hlines(end.y, end.x, right, color=end.colour, linestyle=end.dash, linewidth=0.7)


def _apart(places: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Ascending middles from 0 to 1, moved until what is so high there does not overlap."""
    shrink = min(1 / max(sum(heights), 1e-9), 1)
    above = [shrink * (one + next_) / 2 for one, next_ in itertools.pairwise(heights)]
    moved: list[float] = []
    for place, gap in zip(places, [0.0, *above], strict=True):
        moved.append(max(place, moved[-1] + gap) if moved else place)
    limit = 1.0
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - (above[i - 1] if i else 0)
    return moved


def last_seen(edges: Any) -> int:
    """The last bin between ``edges`` that is at least half as wide as the widest: others are hardly seen."""
    widths = np.diff(edges)
    return int(np.flatnonzero(2 * widths >= widths.max())[-1])


def step_ends(axes: Axes) -> list[End]:
    """Where the bands and lines over bins end that are drawn on ``axes``: a band in its middle."""
    ends = []
    for patch in axes.patches:
        if isinstance(patch, StepPatch):
            values, edges, baseline = patch.get_data()
            filled, last = patch.get_fill(), last_seen(edges)
            middle = (values[last] + np.asarray(baseline)[last]) / 2 if filled else values[last]
            colour = patch.get_facecolor() if filled else patch.get_edgecolor()
            ends.append(End(str(patch.get_label()), to_hex(colour), float(edges[-1]), float(middle)))
    return ends


def legend_beside(axes: Axes) -> None:
    """The legend to the right of the axes, the last series on top, as in a stack."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5), alignment="left")


def steps(axes: Axes, column: pd.Series, colour: str, label: str = "", *, dashed: bool = False) -> None:
    """A line that holds its value through each bin."""
    edges = np.concatenate([[0.0], column.index.to_numpy(float)])
    line = "--" if dashed else "-"
    axes.stairs(column.to_numpy(float), edges, baseline=None, color=colour, label=label, linestyle=line)


def bars(axes: Axes, data: pd.DataFrame, series: Series, totals: Sequence[str]) -> float:
    """A stacked horizontal bar per row, the first on top, its total written at the end; the longest one."""
    places = np.arange(len(data))[::-1]
    left = np.zeros(len(data))
    for name, (label, colour) in series.items():
        if not data[name].any():
            continue
        axes.barh(places, data[name], left=left, height=0.62, color=colour, label=label)
        left = left + data[name].to_numpy(float)
    axes.set_yticks(places, list(data.index))
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    for place, end, text in zip(places, left, totals, strict=True):
        axes.annotate(text, (end, place), (4, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, max(left.max() * 1.3, 1))
    return float(left.max())


def quantity(amount: float, unit: str) -> str:
    """A span of trace time in words: 10 ms, 21.1k accesses."""
    return format_duration_ns(amount) if unit == "ns" else f"{format_count(amount)} {unit}"


def rendered(figure: Figure, kind: str, salt: str = "tracereplay") -> bytes:
    """The figure as a file of one of the FORMATS; no date or version inside."""
    buffer = io.BytesIO()
    with settings(salt):
        figure.savefig(buffer, format=kind, transparent=kind == "svg", metadata=_NOTHING_SAID[kind])
    return buffer.getvalue()


def check_target(path: Path, *, force: bool) -> None:
    """UsageError when the ending of ``path`` is not among FORMATS, OutputError when it cannot be written."""
    if path.suffix.removeprefix(".") not in FORMATS:
        endings = ", ".join(f".{kind}" for kind in FORMATS)
        raise UsageError(f"found {shown(path)}; expected a file that ends in one of {endings}")
    files.check_target(path, force=force)


def save(figure: Figure, path: Path) -> tuple[str, ...]:
    """Write a figure by the ending of ``path``, one of FORMATS, and return what it cannot show.

    The file appears only when it is complete.
    """
    with files.appearing(path) as temporary:
        temporary.write_bytes(rendered(figure, path.suffix.removeprefix("."), path.stem))
    lacking = "" if path.suffix == ".svg" else _without_glyph(figure)
    if not lacking:
        return ()
    return (
        f"{path}: the font has no {shown(lacking)}: boxes stand for them; an .svg takes its viewer's fonts",
    )


def _without_glyph(figure: Figure) -> str:
    """The characters of a figure's texts that its font lacks."""
    with settings():
        font = get_font(findfont(FontProperties()))
    used = {c for text in figure.findobj(Text) for c in text.get_text() if c.isprintable()}
    return "".join(c for c in sorted(used) if not font.get_char_index(ord(c)))


def svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an SVG element for a page: ids begin with ``name``, text and axes are the page's.

    They take its font and its colours ``--ink``, ``--rule`` and ``--ground``.  ``title`` and ``description``
    are for those who do not see the figure.
    """
    text = rendered(figure, "svg", name).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    styles = r"<defs>\s*<style.*?</style>\s*</defs>"  # they would hold for the whole page
    text = re.sub(styles, "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;]*; ", "", text)
    for colour, name_in_page in ((INK, "ink"), (RULE, "rule"), (GROUND, "ground")):
        text = re.sub(re.escape(colour), f"var(--{name_in_page})", text, flags=re.IGNORECASE)
    head, rest = text.split(">", 1)
    said = {"title": title, "desc": description}
    labels = "".join(
        f'<{tag} id="{name}-{tag}">{escape(words, quote=False)}</{tag}>' for tag, words in said.items()
    )
    role = f'role="img" aria-labelledby="{name}-title {name}-desc" style="stroke-linejoin: round"'
    return f"{head} {role}>{labels}{rest}"
