"""A trace's statistics as text for a terminal, and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, PercentFormatter
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tracereplay.analysis.statistics import Statistics, VMStatistics
from tracereplay.errors import UsageError
from tracereplay.problems import problem
from tracereplay.report import style
from tracereplay.report.table import plain_table
from tracereplay.units import format_bytes, format_count, format_duration_ns, shown_number

MOST_VMS = 6
"""VMs that are drawn."""
_CELLS = 50  # of a line of blocks, with a size behind it
_OCTAVES = 62  # of a line with nothing behind it
_LABEL = 18  # characters before it
_AGES = 5  # columns of the table
_BLOCKS = " ▁▂▃▄▅▆▇█"
_OCTAVES_PER_TICK = 5
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIZE = (7.2, 5.6)


def terminal(found: Statistics) -> Group:
    """All VMs, one below the other, within 80 columns."""
    parts: list[RenderableType] = []
    for name, vm in found.vms.items():
        parts += [Text(name, "bold"), *(_page(vm, found) if vm.mix.accesses else ["no accesses"]), ""]
    return Group(*parts[:-1])


def _page(vm: VMStatistics, found: Statistics) -> Iterator[RenderableType]:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column()
    for label, text in _facts(vm, found).items():
        facts.add_row(label, text)
    yield facts
    yield from ("", _over_time(vm, found))
    if len(vm.reuse):
        yield from ("", _reuse(vm.reuse[:_OCTAVES]))
    if len(vm.idle):
        yield from ("", _by_age(vm, found))


def _facts(vm: VMStatistics, found: Statistics) -> dict[str, str]:
    mix, windows = vm.mix, vm.timeline["pages"]
    shares = {op: getattr(mix, op) / mix.accesses for op in ("reads", "writes", "fetches")}
    ops = ", ".join(f"{_percent(share)} {op}" for op, share in shares.items() if share)
    frees = f"; FREE rows: {mix.frees:,}" if mix.frees else ""
    top = ", ".join(f"{_percent(share)} go to {_percent(part)}" for part, share in vm.top.items())
    law = "" if vm.zipf.alpha is None else f"; Zipf's α {vm.zipf.alpha:z.2f}, R² {vm.zipf.r_squared:.2f}"
    return {
        "accesses": f"{mix.accesses:,}: {ops}{frees}",
        "pages": (
            f"{_pages(mix.pages, found)}, {shown_number(mix.touches_per_page)} accesses to each: "
            f"{mix.pages_written:,} written, {mix.pages_only_read:,} only read; {mix.pages_touched_once:,} "
            "touched once"
        ),
        "popularity": f"of the accesses {top} of the pages{law}",
        "reuse": _distances(vm),
        "LRU memory": _memory(vm, found),
        "working set": (
            f"{_pages(windows.mean(), found)} on average, {_pages(windows.max(), found)} at most, in windows "
            f"of {style.quantity(found.window, found.time_unit)}"
        ),
        "phases": _phases(vm),
    }


def _distances(vm: VMStatistics) -> str:
    median, _, far = vm.distances.quantiles.values()
    if median is None:
        return "none: every access is the first to its page"
    return f"half of it at stack distances up to {median:,}, 99 % up to {far:,}"


def _memory(vm: VMStatistics, found: Statistics) -> str:
    reached = {share: pages for share, pages in vm.distances.memory.items() if pages is not None}
    most = _percent(1 - vm.distances.first_touches / vm.mix.accesses)
    hits = ", ".join(f"{_pages(pages, found)} hit {_percent(share)}" for share, pages in reached.items())
    return f"{hits}; none hits more than {most}" if hits else f"none hits more than {most}"


def _phases(vm: VMStatistics) -> str:
    lasting = _lasting(vm)
    if lasting.empty:
        return "none lasts for two windows; longer windows may show some"
    share = lasting["windows"].sum() / len(vm.timeline)
    return f"{len(lasting):,} of two windows or more, {_percent(share)} of the time"


def _lasting(vm: VMStatistics) -> pd.DataFrame:
    """Phases of two windows or more; others are transitions rather."""
    return vm.phases[vm.phases["windows"] > 1]


def _over_time(vm: VMStatistics, found: Statistics) -> Text:
    """Working set, footprint and beginnings of phases, a cell for each window or a few of them."""
    timeline = vm.timeline
    length = int(timeline["end"].iloc[-1] - timeline["start"].iloc[0])
    begins = _highest(timeline["start"].isin(vm.phases["start"]))
    tops = {
        name: format_bytes(int(timeline[name].max()) * found.page_size) for name in ("pages", "footprint")
    }
    lines = {
        f"over {style.quantity(length, found.time_unit)}": "",
        "  working set": f"{_blocks(_highest(timeline['pages']))} █ {tops['pages']}",
        "  footprint": f"{_blocks(_highest(timeline['footprint']))} █ {tops['footprint']}",
        "  phases": "".join("│" if begin else "─" for begin in begins),
    }
    return _lines(lines)


def _reuse(table: pd.DataFrame) -> Text:
    """Accesses by powers of two, a cell for each: 0, 1, 2 and 3, …"""
    ticks = "".join(
        f"2{str(i).translate(_RAISED):<{_OCTAVES_PER_TICK - 1}}"
        for i in range(0, max(len(table) - 1, 1), _OCTAVES_PER_TICK)
    )
    lines = {
        "until touched again, in powers of two": "",
        "  other pages": _blocks(table["distance"].to_numpy()),
        "  accesses": _blocks(table["by_accesses"].to_numpy()),
        "  trace time": _blocks(table["by_time"].to_numpy()),
        "": f" {ticks}",
    }
    return _lines(lines)


def _lines(cells: Mapping[str, str]) -> Text:
    texts = (f"{label:<{_LABEL}}{text}" if text else label for label, text in cells.items())
    return Text("\n".join(text.rstrip() for text in texts), no_wrap=True)


def _highest(column: pd.Series) -> np.ndarray:
    """The values, or the highest of every few, at most _CELLS."""
    parts = np.array_split(column.to_numpy(), min(len(column), _CELLS))
    return np.array([part.max() for part in parts])


def _blocks(values: np.ndarray) -> str:
    """A block per value as high as that is beside the highest."""
    levels = np.ceil(values / max(values.max(initial=0), 1) * (len(_BLOCKS) - 1))
    return "".join(_BLOCKS[level] for level in levels.astype(int))


def _by_age(vm: VMStatistics, found: Statistics) -> Table:
    """Mean working sets and idle pages, a column for each age."""
    ages, unit = vm.idle[:_AGES][::-1], found.time_unit
    table = plain_table()
    table.add_column("part of the trace", no_wrap=True)
    for part in ages["part"]:
        table.add_column(f"1/{part}", justify="right", no_wrap=True)
    times = [style.quantity(int(age), unit).removesuffix(f" {unit}") for age in ages["age"]]
    table.add_row("τ" if unit == "ns" else f"τ, {unit}", *times)
    table.add_row("mean working set", *(format_bytes(n * found.page_size) for n in ages["working_set"]))
    table.add_row("idle, on average", *map(_percent, ages["mean_share"]))
    table.add_row("idle at the end", *map(_percent, ages["share"]))
    return table


def _pages(pages: float, found: Statistics) -> str:
    n = round(pages)
    return f"{n:,} page{'s' * (n != 1)} ({format_bytes(n * found.page_size)})"


def _percent(share: float) -> str:
    return f"{shown_number(100 * share)} %"


def picture(found: Statistics) -> Figure:
    """Working sets over time and by τ, stack distances and popularity: of the first MOST_VMS VMs.

    VMs without accesses are left out.  UsageError when there are no others.
    """
    active = {name: vm for name, vm in found.vms.items() if vm.mix.accesses}
    if not active:
        raise UsageError(f"stat: {problem('no accesses', 'some, for a picture')}")
    vms = dict(list(active.items())[:MOST_VMS])
    with style.settings():
        figure = style.Picture(figsize=_SIZE, layout="constrained")
        FigureCanvasAgg(figure)
        over_time, by_age, distances, popularity = figure.subplots(2, 2).flat
        _draw_timeline(over_time, vms, found)
        _draw_working_set(by_age, vms, found)
        _draw_distances(distances, vms, found)
        _draw_popularity(popularity, vms)
        names = [style.shortened(name) for name in vms]
        title = names[0] if len(vms) == 1 else ""
        if len(vms) > 1:
            figure.legend(by_age.get_lines(), names, loc="outside lower center", ncols=3)
        if len(vms) < len(active):
            title = f"the first {len(vms)} of {len(active)} VMs"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _draw_timeline(axes: Axes, vms: Mapping[str, VMStatistics], found: Statistics) -> None:
    """Lines through the windows; of a VM alone its footprint, too, and where lasting phases begin."""
    for vm, colour in zip(vms.values(), style.SERIES, strict=False):
        ends = pd.Index(vm.timeline["end"] - vm.timeline["start"].iloc[0])
        sizes = vm.timeline[["pages", "footprint"]].set_index(ends) * found.page_size
        if len(vms) == 1:
            style.steps(axes, sizes["footprint"], style.GREY, dashed=True)
            for begin in _lasting(vm)["start"] - vm.timeline["start"].iloc[0]:
                axes.axvline(begin, color=style.GREY, linewidth=0.5, linestyle=":")
        style.steps(axes, sizes["pages"], colour)
    title = "working set by window; footprint dashed" if len(vms) == 1 else "working set by window"
    span = f"windows of {style.quantity(found.window, found.time_unit)}"
    if found.time_unit == "ns":
        _shape(axes, title, f"time, {span}")
        style.durations(axes.xaxis, ends[-1])
    else:
        _shape(axes, title, f"{found.time_unit}, {span}")
        style.counts(axes.xaxis, ends[-1])
    axes.set_xlim(0, ends[-1])
    axes.set_ylim(0, 1.05 * axes.dataLim.y1)
    style.sizes(axes.yaxis, axes.dataLim.y1)


def _draw_working_set(axes: Axes, vms: Mapping[str, VMStatistics], found: Statistics) -> None:
    """Sizes from one page on."""
    for vm, colour in zip(vms.values(), style.SERIES, strict=False):
        sizes = vm.working_set["by_time"] * found.page_size
        axes.plot(vm.working_set["tau"], sizes, color=colour)
    in_ns = found.time_unit == "ns"
    _shape(axes, "mean working set of the last τ", "τ" if in_ns else f"τ, {found.time_unit}")
    axes.set_yscale("log", base=2)
    axes.set_ylim(bottom=found.page_size)
    style.octaves(axes.yaxis)
    axes.set_xscale("log")
    _decades(axes.xaxis, format_duration_ns if in_ns else format_count)


def _draw_distances(axes: Axes, vms: Mapping[str, VMStatistics], found: Statistics) -> None:
    """A step for each power of two; the first one is distance 0."""
    counts = [np.trim_zeros(vm.reuse["distance"].to_numpy(), "b") for vm in vms.values()]
    octaves = max(2, *map(len, counts))
    edges = found.page_size * 2.0 ** np.arange(-1, octaves)
    for vm, of_vm, colour in zip(vms.values(), counts, style.SERIES, strict=False):
        shares = of_vm / vm.mix.accesses
        axes.stairs(shares, edges[: len(shares) + 1], baseline=None, color=colour, linewidth=1.5)
    _shape(axes, "accesses by stack distance", "other pages until the same page again")
    axes.set_xscale("log", base=2)
    axes.set_xlim(edges[0], edges[-1])
    style.octaves(axes.xaxis)
    axes.xaxis.set_major_locator(FixedLocator(edges[1 :: -(-octaves // 4)].tolist()))
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))


def _draw_popularity(axes: Axes, vms: Mapping[str, VMStatistics]) -> None:
    """Accesses to a page by its rank; of a VM alone Zipf's law, too."""
    for vm, colour in zip(vms.values(), style.SERIES, strict=False):
        table, alpha = vm.popularity, vm.zipf.alpha
        rank = np.sqrt(table["first_rank"] * table["last_rank"])
        axes.plot(rank, table["touches"], color=colour)
        if len(vms) == 1 and alpha is not None:
            scale = np.exp((np.log(table["touches"]) + alpha * np.log(rank)).mean())
            label = f"Zipf, α = {alpha:z.2f}, R² = {vm.zipf.r_squared:.2f}"
            axes.plot(rank, scale * rank**-alpha, color=style.GREY, linestyle="--", label=label)
            axes.legend(loc="lower left")
    _shape(axes, "accesses to a page by popularity", "rank of the page")
    axes.loglog()
    _decades(axes.xaxis, format_count)
    _decades(axes.yaxis, format_count)


def _shape(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)


def _decades(axis: Axis, text: Callable[[float], str]) -> None:
    """A few ticks of a logarithmic axis at powers of ten, written by ``text``."""
    axis.set_major_locator(LogLocator(numticks=5))
    axis.set_major_formatter(lambda value, position: text(value))
    axis.set_minor_locator(NullLocator())
