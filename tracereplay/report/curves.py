"""Miss-ratio curves as a picture, with OPT as the floor under the others, and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracereplay.analysis.curve import spaced
from tracereplay.report import style
from tracereplay.report.ratios import RATIO, Scale, scale_for
from tracereplay.report.table import plain_table
from tracereplay.units import format_bytes

MOST_VMS = 6
"""VMs that are drawn."""
_MOST_SIZES = 20  # of a table of one VM in the terminal
_EXACT_COLUMNS, _SAMPLED_COLUMNS = 6, 3  # policies side by side there
_MOST = 0.9  # of the misses that more memory saves
_POINTS = 400  # of a line: more are not seen and make a large file
_HEIGHT, _LOW = 3.6, 2.6  # inches of axes alone, and of axes among others
_FLOOR = "opt"
_COLOURS = (*style.SERIES[:-1], style.GREY)
_DASHES = ("-", "--", "-.", ":")


class _Look(NamedTuple):
    colour: str
    dash: str = "-"
    width: float = 1.5


def miss_ratio_curves(table: pd.DataFrame) -> Figure:
    """The table of ``mrc`` as a figure: miss ratio by memory in bytes, on a logarithmic axis.

    One policy has a line per VM; several have lines of their own, on axes per VM.  The first MOST_VMS VMs
    are drawn.
    """
    vms = by_vm(table)
    shown = dict(list(vms.items())[:MOST_VMS])
    policies = table.attrs["policies"]
    looks = _looks(policies if len(policies) > 1 else list(shown))
    if len(policies) > 1:
        panels = {vm: _by_policy(rows) for vm, rows in shown.items()}
    else:
        panels = {f"{next(iter(shown))}, {policies[0]}" if len(shown) == 1 else policies[0]: shown}
    highest = max(map(_highest, shown.values()))
    scale = scale_for(highest)
    with style.settings():
        figure, places = _panels(list(panels), scale.name)
        for axes, lines in zip(places, panels.values(), strict=True):
            axes.set_ylim(0, 1.05 * highest * scale.factor or 1.0)
            lines = {name: _scaled(rows, scale) for name, rows in lines.items()}
            _draw(axes, lines, looks, table.attrs["page_size"])
            if len(looks) > 1:
                _label(axes, lines, looks, table.attrs["page_size"])
        if len(vms) > len(shown):
            figure.suptitle(f"the first {len(shown)} of {len(vms)} VMs", x=0.01, ha="left", fontsize=9)
    return figure


def _by_policy(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(policy): lines for policy, lines in rows.groupby("policy", sort=False)}


def _highest(rows: pd.DataFrame) -> float:
    return float(rows["miss_ratio_high" if "miss_ratio_high" in rows else "miss_ratio"].max())


def _scaled(rows: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """The rows with all ratios on a scale."""
    ratios = ["miss_ratio", *(name for name in ("miss_ratio_low", "miss_ratio_high") if name in rows)]
    return rows.assign(**{name: rows[name] * scale.factor for name in ratios})


def by_vm(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each VM by its name, with that of its trace before it where there are several traces."""
    keys = [key for key in ("trace", "vm") if key in table]
    if not keys:
        (name,) = table.attrs["accesses"]
        return {name: table}
    groups = table.groupby(keys, sort=False)
    return {": ".join(dict.fromkeys(map(str, name))): rows for name, rows in groups}


def _panels(titles: Sequence[str], ratio: str) -> tuple[style.Picture, list[Axes]]:
    """Axes per title, one below the other."""
    height = _HEIGHT if len(titles) == 1 else _LOW
    figure = style.Picture(figsize=(style.WIDTH, height * len(titles)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(titles), squeeze=False, sharex=True)[:, 0].tolist()
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title)
        axes.set_ylabel(ratio)
    panels[-1].set_xlabel("memory")
    return figure, panels


def _draw(axes: Axes, lines: Mapping[str, pd.DataFrame], looks: Mapping[str, _Look], page_size: int) -> None:
    """Lines, with bands where they are estimates; a dot where there is one size."""
    axes.set_xscale("log", base=2)
    for name, rows in lines.items():
        line, look = rows.iloc[spaced(1, len(rows), _POINTS) - 1], looks[name]
        size, ratio = line["size_pages"] * float(page_size), line["miss_ratio"]
        marker = "o" if len(line) == 1 else None
        axes.plot(size, ratio, color=look.colour, linestyle=look.dash, linewidth=look.width, marker=marker)
        if "miss_ratio_low" in line:
            ends = line["miss_ratio_low"], line["miss_ratio_high"]
            axes.fill_between(size, *ends, color=look.colour, alpha=0.2, linewidth=0)
        if name == _FLOOR:
            axes.fill_between(size, ratio, hatch="////", facecolor="none", edgecolor=style.RULE, linewidth=0)
    axes.margins(x=0)
    style.octaves(axes.xaxis)


def _looks(names: Sequence[str]) -> dict[str, _Look]:
    """Of each line; the last colour is followed by the first one with another dash."""
    looks = {}
    for i, name in enumerate(name for name in names if name != _FLOOR):
        turn, place = divmod(i, len(_COLOURS))
        looks[name] = _Look(_COLOURS[place], _DASHES[(place + turn) % len(_DASHES)])
    return {name: looks.get(name, _Look(style.INK, width=0.9)) for name in names}


def _label(axes: Axes, lines: Mapping[str, pd.DataFrame], looks: Mapping[str, _Look], page_size: int) -> None:
    """Names right of the axes; of lines that end alike in the order in which they lie before."""
    order = sorted(
        lines,
        key=lambda name: (lines[name]["miss_ratio"].iloc[-1], _height(lines[name]), name != _FLOOR),
    )
    ends = []
    for name in order:
        size, ratio = lines[name][["size_pages", "miss_ratio"]].iloc[-1]
        text = f"{name}, the floor" if name == _FLOOR else style.shortened(name)
        ends.append(style.End(text, looks[name].colour, size * page_size, ratio, looks[name].dash))
    style.label_ends(axes, ends)


def _height(rows: pd.DataFrame) -> float:
    """Mean of a line, as drawn on a logarithmic axis."""
    x, y = np.log2(rows["size_pages"].to_numpy(float)), rows["miss_ratio"].to_numpy()
    return float(np.trapezoid(y, x)) if len(x) > 1 else float(y[0])


def terminal(table: pd.DataFrame) -> Group:
    """The table of ``mrc`` as text within 80 columns: miss ratios by policy, at some of the sizes.

    Where all of a VM are small they are per million accesses, and its title says so.
    """
    vms = by_vm(table)
    policies, page_size = table.attrs["policies"], table.attrs["page_size"]
    columns = _EXACT_COLUMNS if table.attrs["sample"] is None else _SAMPLED_COLUMNS
    parts: list[RenderableType] = []
    for vm, rows in vms.items():
        sizes = _some(np.unique(rows["size_pages"]), _MOST_SIZES if len(vms) == 1 else _MOST_SIZES // 2)
        scale = scale_for(_highest(rows))
        title = vm if scale is RATIO else f"{vm}: {scale.name}"
        for first in range(0, len(policies), columns):
            some = _text(rows, policies[first : first + columns], sizes, page_size, scale)
            parts += [Text(title, "bold"), some, ""]
    return Group(*parts[:-1])


def verdict(table: pd.DataFrame) -> str:
    """What to read from the table of ``mrc``: a line per VM, of up to MOST_VMS."""
    vms = by_vm(table)
    first = table.attrs["policies"][0]
    lines = [_said(vm, _of_policy(rows, first), first, table.attrs["page_size"]) for vm, rows in vms.items()]
    more = [f"and {len(vms) - MOST_VMS} more VMs"] if len(vms) > MOST_VMS else []
    return "\n".join(lines[:MOST_VMS] + more)


def _said(vm: str, curve: pd.DataFrame, policy: str, page_size: int) -> str:
    """How much memory saves most of what more memory can save."""
    misses, sizes = curve["misses"].to_numpy(), curve["size_pages"].to_numpy()
    saved = misses[:1] - misses
    if not len(saved) or saved[-1] <= 0:
        return f"{vm} under {policy}: more memory saves no misses at these sizes"
    places = [0, *(int(np.argmax(saved >= share * saved[-1])) for share in (_MOST, 1))]
    first, most, enough = (format_bytes(size * page_size) for size in sizes[places].tolist())
    return (
        f"{vm} under {policy}: of the {saved[-1]:,.0f} misses that more memory than {first} saves, "
        f"{most} saves {_MOST:.0%}; more than {enough} saves no more"
    )


def _text(
    rows: pd.DataFrame, policies: Sequence[str], sizes: np.ndarray, page_size: int, scale: Scale
) -> Table:
    text = plain_table()
    for heading in ("pages", "memory", *policies):
        text.add_column(heading, justify="right", overflow="fold")
    columns = [_ratios(rows, policy, sizes, scale) for policy in policies]
    for size, *ratios in zip(sizes.tolist(), *columns, strict=True):
        text.add_row(f"{size:,}", format_bytes(size * page_size), *ratios)
    return text


def _some(sizes: np.ndarray, most: int) -> np.ndarray:
    """At most so many of ascending sizes, the ends among them."""
    if len(sizes) <= most:
        return sizes
    return np.unique(sizes[np.searchsorted(sizes, spaced(int(sizes[0]), int(sizes[-1]), most))])


def _of_policy(rows: pd.DataFrame, policy: str) -> pd.DataFrame:
    return rows[rows["policy"] == policy] if "policy" in rows else rows


def _ratios(rows: pd.DataFrame, policy: str, sizes: np.ndarray, scale: Scale) -> list[str]:
    """Miss ratios at ``sizes`` as text, with half the width of their bands; a dash where there is none."""
    line = _scaled(_of_policy(rows, policy).set_index("size_pages").reindex(sizes), scale)
    texts = line["miss_ratio"].map(scale.form.format)
    if "miss_ratio_low" in line:
        texts += ((line["miss_ratio_high"] - line["miss_ratio_low"]) / 2).map(f" ±{scale.form}".format)
    return texts.where(line["miss_ratio"].notna(), "–").tolist()
