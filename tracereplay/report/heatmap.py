"""Where and when memory is touched, as a picture and as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from rich.text import Text

from tracereplay.analysis.heat import Heat
from tracereplay.analysis.heat import heat as heat_of
from tracereplay.report.style import INK, SEQUENTIAL, WIDTH, panel, quantity, settings
from tracereplay.units import format_bytes, format_count

TERMINAL_LINES = 20
_MOST_COLUMNS, _FEWEST_COLUMNS, _LABEL = 60, 10, 20
"""Cells of a line, and the columns that the longest page number takes beside them."""

_SHADES = "░▒▓█"
_HEIGHT = 4.4
_NEAR = 1 / 20
"""Labels of pages stand at least so much of the height apart."""


def heatmap(source: object) -> Figure:
    """Rows by page and time as a figure, on a logarithmic scale of colours; cells without rows stay blank.

    ``source`` is a Heat, or a trace (anything ``open_trace`` takes), of which it shows the first VM.
    """
    heat = source if isinstance(source, Heat) else heat_of(source)
    with settings():
        x = f"time, {_time_name(heat)}\n{_cell(heat)}; pages that are never touched are left out"
        figure, axes = panel(_title(heat), x, "page number", size=(WIDTH, _HEIGHT))
        end = heat.first_time + heat.counts.shape[1] * heat.time_per_bin
        image = axes.imshow(
            np.ma.masked_equal(heat.counts, 0),
            norm=LogNorm(1, max(int(heat.counts.max()), 2)),
            cmap=SEQUENTIAL,
            aspect="auto",
            interpolation="nearest",
            origin="lower",
            extent=(heat.first_time, end, 0, heat.counts.shape[0] * heat.pages_per_bin),
        )
        axes.set_ylim(0, len(heat.pages))
        axes.grid(visible=False)
        places = labelled_places(heat)
        axes.set_yticks(places, [f"0x{heat.pages[place]:x}" for place in places])
        for region in heat.regions:
            if region.place and region.place in places:
                axes.axhline(region.place, color=INK, linewidth=0.5, linestyle=":")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, position: _time(heat, value)))
        counts = FuncFormatter(lambda value, position: format_count(value))
        bar = figure.colorbar(image, ax=axes, label="rows per cell", pad=0.02, format=counts)
        # below ten there is one power of ten, too few to read by
        bar.minorformatter = counts if heat.counts.max() < 10 else NullFormatter()
    return figure


def terminal(heat: Heat, *, colour: bool) -> Text:
    """The same as text: a character per time bin and page bin, or, in colour, per time bin and two page bins.

    High page numbers are at the top.
    """
    lines = _coloured(heat) if colour else _shaded(heat)
    bins_per_line = 2 if colour else 1
    labels = dict.fromkeys(range(len(lines)), "")
    for place in labelled_places(heat):
        line = len(lines) - 1 - place // heat.pages_per_bin // bins_per_line
        labels[line] = labels[line] or f"0x{heat.pages[place]:x}"
    margin = max(map(len, labels.values()))
    text = Text(f"{_title(heat)}\n", no_wrap=True)
    for cells, label in zip(lines, labels.values(), strict=True):
        text.append(f"{label:>{margin}} ┤" if label else " " * margin + " │")
        text.append(cells).append("\n")
    text.append(_time_axis(heat, margin + 1))
    return text.append(_coloured_key(heat) if colour else _shaded_key(heat)).append(f"\n{_cell(heat)}")


def columns_within(width: int) -> int:
    """Time bins of a map that fits, with its labels, into so many columns."""
    return min(max(width - _LABEL, _FEWEST_COLUMNS), _MOST_COLUMNS)


def labelled_places(heat: Heat) -> list[int]:
    """Places of the pages to label: the lowest, the starts of regions, large ones first, then evenly."""
    n = len(heat.pages)
    regions = sorted(heat.regions, key=lambda region: -region.pages)
    places: list[int] = []
    for place in (0, *(region.place for region in regions), *(n * i // 8 for i in range(8))):
        if all(abs(place - other) >= max(_NEAR * n, 1) for other in places):
            places.append(place)
    return sorted(places)


def _title(heat: Heat) -> str:
    return f"{heat.vm}: {f'{heat.op} rows' if heat.op else 'rows'} by page and time"


def _cell(heat: Heat) -> str:
    pages, size = heat.pages_per_bin, format_bytes(heat.pages_per_bin * heat.page_size)
    time = quantity(heat.time_per_bin, heat.time_unit)
    return f"a cell is {time} × {pages:,} page{'s' * (pages > 1)} ({size})"


def _time_name(heat: Heat) -> str:
    return "from the start of the trace" if heat.time_unit == "ns" else heat.time_unit


def _time(heat: Heat, value: float) -> str:
    """A time without the name of a unit that counts."""
    return quantity(value, heat.time_unit).removesuffix(f" {heat.time_unit}")


def _time_axis(heat: Heat, margin: int) -> str:
    """The line below the cells and the times at its ends and, where there is room, in its middle."""
    columns = heat.counts.shape[1]
    first, middle, last = (_time(heat, int(heat.time_edges[i])) for i in (0, columns // 2, columns))
    room = columns - len(first) - len(last)
    ends = f"{first}{middle:^{room}}{last}" if room > len(middle) + 2 else f"{first} to {last}"
    blank = " " * margin
    return f"{blank}└{'─' * columns}\n{blank} {ends}\n{blank} time, {_time_name(heat)}\n"


def _shaded(heat: Heat) -> list[Text]:
    """A line per page bin, the highest first."""
    levels = np.searchsorted(_bounds(heat), heat.counts, side="right")
    return [Text("".join((" " + _SHADES)[level] for level in row)) for row in levels[::-1]]


def _bounds(heat: Heat) -> np.ndarray:
    """Fewest rows of each shade, in equal steps of the logarithm; of equal ones the last is drawn."""
    most = int(heat.counts.max())
    steps = [math.ceil(most ** (i / len(_SHADES))) for i in range(len(_SHADES))]
    return np.array([1, *steps[1:]])


def _shaded_key(heat: Heat) -> str:
    fewest = _bounds(heat).tolist()
    most = [*(n - 1 for n in fewest[1:]), int(heat.counts.max())]
    parts = [
        f"{shade} {low:,}" + (f" to {high:,}" if high > low else "")
        for shade, low, high in zip(_SHADES, fewest, most, strict=True)
        if low <= high
    ]
    return "rows per cell: " + "   ".join(parts)


def _coloured(heat: Heat) -> list[Text]:
    """A line per two page bins, the highest first: half blocks, the upper one in the text's colour."""
    shown = _colours(heat)
    if len(shown) % 2:
        shown = [*shown, [None] * len(shown[0])]
    return [_half_blocks(shown[i + 1], shown[i]) for i in range(len(shown) - 2, -1, -2)]


def _half_blocks(upper: Sequence[str | None], lower: Sequence[str | None]) -> Text:
    line = Text()
    for above, below in zip(upper, lower, strict=True):
        if above and below:
            line.append("▀", f"{above} on {below}")
        else:
            line.append("▀" if above else "▄" if below else " ", above or below or "")
    return line


def _colours(heat: Heat) -> list[list[str | None]]:
    """Of each cell its colour, None without rows."""
    scale = LogNorm(1, max(int(heat.counts.max()), 2))
    palette = mpl.colormaps[SEQUENTIAL]
    colour_of = {int(n): to_hex(palette(scale(n))) for n in np.unique(heat.counts) if n}
    return [[colour_of.get(n) for n in row] for row in heat.counts.tolist()]


def _coloured_key(heat: Heat) -> Text:
    palette = mpl.colormaps[SEQUENTIAL]
    key = Text("rows per cell: 1 ")
    for i in range(16):
        key.append("█", to_hex(palette(i / 15)))
    return key.append(f" {int(heat.counts.max()):,} (logarithmic)")
