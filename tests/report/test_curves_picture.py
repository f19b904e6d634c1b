"""Miss-ratio curves as a picture, by its data, as text, by its characters, and as files."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from rich.console import Console

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.report import curves, style

BELADY = {"page": [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]}
KIB = 1024


def text_of(table: pd.DataFrame) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as found:
        console.print(curves.terminal(table))
    return found.get()


def test_a_line_per_policy_over_a_floor():
    """Lines are the table's, in bytes; OPT is thin and dark, the area below it hatched; names stand apart."""
    table = tr.mrc(BELADY, "lru,opt,fifo")
    (axes,) = curves.miss_ratio_curves(table).axes
    assert axes.get_title(loc="left") == "vm0"
    for line, (_, rows) in zip(axes.lines, table.groupby("policy", sort=False), strict=True):
        assert line.get_xdata().tolist() == [4 * KIB * n for n in range(1, 6)]
        assert line.get_ydata().tolist() == rows["miss_ratio"].tolist()
    lru, opt, fifo = axes.lines
    assert to_hex(opt.get_color()) == style.INK
    assert opt.get_linewidth() < min(lru.get_linewidth(), fifo.get_linewidth())
    assert (lru.get_color(), lru.get_linestyle()) != (fifo.get_color(), fifo.get_linestyle())
    (floor,) = axes.collections
    assert floor.get_hatch()
    labels = {text.get_text(): text for text in axes.texts}
    assert sorted(labels) == ["fifo", "lru", "opt, the floor"]
    heights = sorted(text.xyann[1] for text in labels.values())
    assert np.diff(heights).min() > 0.07
    assert min(labels.values(), key=lambda text: text.xyann[1]) is labels["opt, the floor"]


def test_a_line_per_vm_and_axes_per_vm():
    """One policy has all VMs on one pair of axes, several have one each; VMs too many are said to be."""
    rows = {"page": [1, 2, 3, 1] * 8, "vm": [vm for vm in range(8) for _ in range(4)]}
    (axes,) = curves.miss_ratio_curves(tr.mrc(rows)).axes
    assert [text.get_text() for text in axes.texts] == [f"vm{vm}" for vm in range(curves.MOST_VMS)]
    assert axes.get_title(loc="left") == "lru"
    figure = curves.miss_ratio_curves(tr.mrc([rows, BELADY], "lru,fifo"))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"<table>: vm{vm}" for vm in range(6)]
    assert figure.get_suptitle() == "the first 6 of 9 VMs"


def test_policies_look_different():
    """A dozen lines, no two alike, and the same in all axes where a sample leaves some of a VM out."""
    policies = ["lru", "opt", *(f"two_q:hot={share}%" for share in range(10, 20))]
    (axes,) = curves.miss_ratio_curves(tr.mrc(BELADY, policies)).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 12
    rows = {"vm": [0] * 5 + [1] * 1000, "page": [*range(5), *range(1000)]}
    table = tr.mrc(rows, "fifo,lru", sample="50%")
    small, large = curves.miss_ratio_curves(table).axes
    assert [text.get_text() for text in small.texts] == ["lru"]
    assert [line.get_color() for line in small.lines] == [large.lines[1].get_color()]


def test_one_size_and_a_huge_one():
    """A curve of one size is a dot; sizes beyond 64 bits of bytes are on the axis, too."""
    (axes,) = curves.miss_ratio_curves(tr.mrc(BELADY, sizes=3)).axes
    assert axes.lines[0].get_marker() == "o"
    table = tr.mrc(BELADY, sizes=[1, 2**62])
    (axes,) = curves.miss_ratio_curves(table).axes
    assert axes.lines[0].get_xdata().tolist() == [4 * KIB, 2**74]
    assert text_of(table).splitlines()[-1].split() == [f"{2**62:,}", f"{2**24}", "PiB", "0.4167"]


def test_bands_and_long_curves():
    """An estimate has its band; a curve of thousands of sizes is drawn by some hundred, the ends included."""
    table = tr.mrc(trace_path("sort"), sample="50%")
    (axes,) = curves.miss_ratio_curves(table).axes
    (band,) = axes.collections
    (path,) = band.get_paths()
    assert path.vertices[:, 1].max() == table["miss_ratio_high"].max() * 10**6
    exact = tr.mrc(trace_path("cc1"))
    (line,) = curves.miss_ratio_curves(exact).axes[0].lines
    assert len(line.get_xdata()) <= 400 < len(exact)
    assert [line.get_ydata()[i] for i in (0, -1)] == (exact["miss_ratio"] * 10**6).iloc[[0, -1]].tolist()


def test_the_same_bytes_every_time():
    """Drawn twice from the trace."""
    first, second = (
        style.rendered(curves.miss_ratio_curves(tr.mrc(trace_path("gzip"), "lru,opt")), "svg") for _ in "ab"
    )
    assert first == second
    assert len(first) < 60_000


def test_text():
    """Small tables whole, in the terminal's columns: sizes in pages and bytes, a ratio per policy."""
    assert [line.split() for line in text_of(tr.mrc(BELADY, "lru,opt")).splitlines()] == [
        ["vm0"],
        ["pages", "memory", "lru", "opt"],
        ["─" * 32],
        ["1", "4", "KiB", "1.0000", "1.0000"],
        ["2", "8", "KiB", "1.0000", "0.7500"],
        ["3", "12", "KiB", "0.8333", "0.5833"],
        ["4", "16", "KiB", "0.6667", "0.5000"],
        ["5", "20", "KiB", "0.4167", "0.4167"],
    ]


def test_much_text():
    """At most twenty sizes of a VM; many policies in several tables of 80 columns; half a band behind a ±."""
    lines = text_of(tr.mrc(trace_path("cc1"))).splitlines()
    assert len(lines) == 3 + 20
    assert [line.split()[0] for line in (lines[3], lines[-1])] == ["256", "4,249"]
    policies = ["lru", "fifo", "clock", "lru", "opt", "random:", "fifo", "random"]
    found = text_of(tr.mrc(trace_path("sort"), policies, sample="50%", sizes=[64, 400]))
    assert max(map(len, found.splitlines())) <= 80
    assert [line.split()[2:] for line in found.splitlines() if "pages" in line] == [
        ["lru", "fifo", "clock"],
        ["opt", "random"],
    ]
    assert found.count("±") == 10


def test_what_to_read_from_curves():
    """The first size that saves nine tenths, or all; of each VM, of so many; or that nothing is saved."""
    # LRU misses of 1 … 5 pages: 12 12 10 8 5
    said = (
        "vm0 under lru: of the {} misses that more memory than 4 KiB saves, {} saves 90%; "
        "more than {} saves no more"
    )
    assert curves.verdict(tr.mrc(BELADY)) == said.format(7, "20 KiB", "20 KiB")
    assert curves.verdict(tr.mrc(BELADY, "lru,fifo", sizes=[1, 2, 3])) == said.format(2, "12 KiB", "12 KiB")
    nothing = "under lru: more memory saves no misses at these sizes"
    assert curves.verdict(tr.mrc(BELADY, sizes=[1, 2])) == f"vm0 {nothing}"
    idle = {"vm": [0, 7], "page": [1, 1], "op": [0, 0]}
    assert curves.verdict(tr.mrc(idle)).splitlines() == [
        *(f"vm{i} {nothing}" for i in range(6)),
        "and 2 more VMs",
    ]


def test_small_ratios_are_per_million():
    """Where all of a VM, or of a picture, are below a hundredth; the same numbers, on another scale."""
    table = tr.mrc([BELADY, trace_path("gzip")], sizes=[100])
    assert [line for line in text_of(table).splitlines() if "million" in line] == [
        "gzip: misses per million accesses"
    ]
    (misses,) = table["misses"].tail(1)
    assert text_of(table).splitlines()[-1].split()[-1] == f"{misses / 24.657933:.1f}"
    (axes,) = curves.miss_ratio_curves(table).axes
    assert axes.get_ylabel() == "miss ratio"
    (axes,) = curves.miss_ratio_curves(tr.mrc(trace_path("gzip"), sizes=[100])).axes
    assert axes.get_ylabel() == "misses per million accesses"
    assert abs(axes.lines[0].get_ydata()[0] - misses / 24.657933) < 1e-9
