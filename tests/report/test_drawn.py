"""Every figure shows its table: each value that is drawn, under its label, at its place, in its unit."""

from __future__ import annotations

import artists
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_odd_names import ODD, replayed, told

from tracereplay.report import figures
from tracereplay.units import format_bytes, format_count, format_duration_ns

Picture = tuple[pd.DataFrame, Figure]

LABELS = {
    "faults": {
        "demand_faults": "an access itself",
        "double_faults": "guest writes it out",
        "stale_reads": "guest overwrites it:\nswap-in or file",
        "false_reads": "guest overwrites it:\nzeros",
    },
    "guest-faults": {
        "guest_major_faults": "major: paged out before",
        "guest_file_fills": "minor: from a file",
        "guest_zero_fills": "minor: zeros",
    },
    "swap-io": {
        "guest_swap_reads": "guests read",
        "guest_swap_writes": "guests write",
        "host_swap_reads": "host reads",
        "host_swap_writes": "host writes",
    },
    "sharing": {
        "reclaimed_zero": "saved: zeros",
        "reclaimed_self": "saved: same VM",
        "reclaimed_inter_vm": "saved: another VM",
        "reclaimed_cross_family": "saved: another OS family",
        "shared": "shared",
        "net": "saved, net",
    },
    "time-by-cause": {
        "accesses": "accesses",
        "guest_minor_faults": "guest minor faults",
        "host_minor_faults": "zeroing frames",
        "cow_breaks": "copy-on-write",
        "guest_swap_reads": "guest swap reads",
        "guest_swap_writes": "guest swap writes",
        "host_swap_reads": "host swap reads",
        "host_swap_writes": "host swap writes",
    },
    "double-paging": {
        "double_faults": "read, then written\nto guest swap",
        "stale_reads": "read, then overwritten\nby swap-in or file",
        "false_reads": "read, then zeroed",
        "silent_swap_writes": "written, though on the\nguest's disk already",
    },
}
"""What a figure calls the columns or rows of its table; VMs go by their names."""
OVER_TIME = {"faults": format_count, "guest-faults": format_count, "swap-io": format_bytes}
OVER_TIME |= {"frames": format_bytes, "sharing": format_bytes}
"""Figures of steps on one pair of axes → how their values are written."""


@pytest.fixture(scope="module")
def ten_vms() -> dict[str, Picture]:
    """Figures of a run of ten VMs, the largest by name, without what only traces tell of pages."""
    result, extras = replayed(ODD), told(ODD).extras
    tables = {kind: figures.data(kind, result, extras) for kind in figures.names()}
    return {kind: (table, figures.draw(kind, table)) for kind, table in tables.items() if table is not None}


@pytest.fixture(params=["busy", "ten_vms"])
def drawn(request) -> dict[str, Picture]:
    """Figures by their names: table and picture."""
    return request.getfixturevalue(request.param)


def assert_equal(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """The same values by the same names, whatever the order of the columns and the types."""
    as_found = expected[sorted(expected, key=list(found).index)]
    pd.testing.assert_frame_equal(
        found, as_found, check_dtype=False, check_names=False, check_index_type=False
    )


def written(axis) -> list[tuple[float, str]]:
    """The ticks of an axis and their texts."""
    texts = [text.get_text() for text in axis.get_ticklabels()]
    assert texts
    return list(zip(axis.get_ticklocs().tolist(), texts, strict=True))


def assert_written(axis, text) -> None:
    """Every tick is written by ``text``."""
    assert written(axis) == [(place, text(place)) for place, _ in written(axis)]


def seen(ends: pd.Index) -> int:
    """The last bin that is wide enough: −1, or −2 where the last one is less than half as wide."""
    return -2 if len(ends) > 1 and 2 * (ends[-1] - ends[-2]) < ends[0] else -1


@pytest.mark.parametrize("kind", OVER_TIME)
def test_steps_over_time(drawn, kind):
    """Bands and lines are the columns in which something happens; they begin at 0 and end with the run."""
    data, figure = drawn[kind]
    axes, text = figure.axes[0], OVER_TIME[kind]
    shown = data.loc[:, data.any()].rename(columns=LABELS.get(kind, {}))
    found = artists.steps(axes)
    if kind == "frames":
        assert (axes.get_ylim()[1] - found.sum(axis=1)).tolist() == shown.pop("free").tolist()
    assert_equal(found, shown)
    middles = found.cumsum(axis=1) - found / 2
    middles["free"] = axes.get_ylim()[1] - (axes.get_ylim()[1] - found.sum(axis=1)) / 2
    lines = {"shared": found.get("shared"), "saved, net": found.get("saved, net")}
    last = seen(data.index)
    expected = {name: lines.get(name, middles[name]).iloc[last] for name in middles}
    if kind != "frames":
        del expected["free"]
    labels = artists.labelled(axes)
    assert {name: y for name, (_, y) in labels.items()} == pytest.approx(expected)
    assert [y for _, y in labels.values()] == sorted(y for _, y in labels.values())
    assert {x for x, _ in labels.values()} == {data.index[-1]}
    assert axes.get_xlim() == (0, data.index[-1])
    low, high = axes.get_ylim()
    assert low <= min(0, found.to_numpy().min())
    assert high >= found.to_numpy().max()
    assert_written(axes.yaxis, text)
    assert_written(axes.xaxis, format_count)


def test_balloons(drawn):
    """A strip per VM: the band is what the balloon holds, the dashed line its target."""
    data, figure = drawn["balloon"]
    rows = artists.strips(figure)
    assert list(rows) == list(data.columns.unique(1))
    for vm, axes in rows.items():
        expected = pd.DataFrame({part: data[part, vm] for part in ("actual", "target")})
        if not expected["actual"].any():
            del expected["actual"]
        assert_equal(artists.steps(axes), expected)
        assert {patch.get_label(): patch.get_linestyle() for patch in axes.patches}["target"] == "--"
        assert axes.get_ylim()[1] >= expected.to_numpy().max()
        assert axes.get_xlim() == (0, data.index[-1])
        assert_written(axes.yaxis, format_bytes)
    assert artists.legend(figure.axes[0]) == ["actual", "target"]


def test_working_sets(drawn):
    """A strip per VM with its column."""
    data, figure = drawn["working-set"]
    rows = artists.strips(figure)
    assert list(rows) == list(data)
    for vm, axes in rows.items():
        assert_equal(artists.steps(axes), data[[vm]])
        assert axes.get_ylim()[1] >= data[vm].max()
        assert axes.get_xlim() == (0, data.index[-1])
        assert_written(axes.yaxis, format_bytes)


@pytest.mark.parametrize("kind", ["double-paging", "time-by-cause"])
def test_bars(drawn, kind):
    """A bar per row, stacked by column, its sum at the end."""
    data, figure = drawn[kind]
    axes = figure.axes[0]
    labels = LABELS[kind]
    expected = data.loc[:, data.any()].rename(index=labels, columns=labels)
    sums = data.sum(axis=1).tolist()
    if kind == "time-by-cause":
        expected["end"], text = [format_duration_ns(n) for n in sums], format_duration_ns
    else:
        size = data.attrs["page_size"]
        expected["end"], text = [f"{format_count(n)} · {format_bytes(n * size)}" for n in sums], format_count
    assert_equal(artists.bars(axes), expected)
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > max(sums)
    assert_written(axes.xaxis, text)


def test_miss_ratios(busy):
    """A line per VM by its name, and a dot on it at the VM's memory."""
    data, figure = busy["miss-ratio"]
    axes = figure.axes[0]
    lines, dots = artists.curves(axes)
    expected = {vm: list(zip(of["size"], of["miss_ratio"], strict=True)) for vm, of in data.groupby(level=0)}
    assert lines == expected
    memory = {vm: pages * data.attrs["page_size"] for vm, pages in data.attrs["memory"].items()}
    assert dots == [point for vm, points in expected.items() for point in points if point[0] == memory[vm]]
    assert len(dots) == len(expected)
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] >= data["miss_ratio"].max()
    assert artists.legend(axes) == ["the VM's memory"]
    ends = {vm: points[-1][1] for vm, points in expected.items()}
    assert {vm: y for vm, (_, y) in artists.labelled(axes).items()} == ends
    assert_written(axes.xaxis, format_bytes)


def seven_pages() -> pd.DataFrame:
    """Cells of a VM of seven pages in bins of three, the last of which is short."""
    table = pd.DataFrame({"vm": "a", "time": [5, 9, 9], "page": [0, 3, 6], "accesses": [1, 20, 3]})
    table.attrs = {"time_unit": "accesses", "page_size": 4096, "end": 12, "left_out": 0}
    table.attrs |= {"bins": {"a": (2, 3)}, "pages": {"a": 7}}
    return table


@pytest.mark.parametrize("made", [None, seven_pages])
def test_heat(busy, made):
    """A strip per VM, whose cells that are not empty are its rows, from edge to edge of their bins."""
    data = made() if made else busy["heat"][0]
    figure = figures.draw("heat", data)
    attrs, rows = data.attrs, artists.strips(figure)
    rows.pop("accesses in a bin", None)
    assert list(rows) == list(data["vm"].unique())
    for vm, axes in rows.items():
        of_vm, (width, pages), size = data[data["vm"] == vm], attrs["bins"][vm], attrs["page_size"]
        expected = pd.DataFrame(
            {
                "left": of_vm["time"],
                "right": of_vm["time"] + width,
                "bottom": of_vm["page"] * size,
                "top": (of_vm["page"] + pages).clip(upper=attrs["pages"][vm]) * size,
                "value": of_vm["accesses"],
            }
        )
        order = ["bottom", "left"]
        found = artists.cells(axes).sort_values(order, ignore_index=True)
        assert_equal(found, expected.sort_values(order, ignore_index=True))
        assert axes.get_ylim() == (0, attrs["pages"][vm] * size)
        assert axes.get_xlim() == (0, attrs["end"])
        assert axes.collections[0].norm.vmin == 1
        assert axes.collections[0].norm.vmax == max(data["accesses"].max(), 10)
        assert axes.collections[0].get_rasterized()
        assert_written(axes.yaxis, format_bytes)


def test_every_figure_is_read():
    """A new figure needs a test here."""
    others = {"balloon", "working-set", "double-paging", "time-by-cause", "miss-ratio", "heat"}
    assert {*OVER_TIME, *others} == {*figures.names()}
