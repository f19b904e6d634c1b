"""The double-paging surface as a picture, by its colours and lines, and as text, by its characters."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import UsageError
from tracereplay.report import style
from tracereplay.report.surface import figure, terminal
from tracereplay.studies.random_host import Law

PAGE = 4096


def made(guests: list[int], hosts: list[int]) -> pd.DataFrame:
    """A surface of devices that read 8,000 / g pages, and 10,000 / h more where g > h."""
    pairs = pd.MultiIndex.from_product([guests, hosts], names=["guest_pages", "host_pages"])
    surface = pairs.to_frame(index=False)
    g, h = surface["guest_pages"], surface["host_pages"]
    surface["device_reads"] = 8000 // g + (10_000 // h).where(g > h, 0)
    surface.attrs = {"vm": "web", "page_size": PAGE}
    return surface


SIZES = [16, 17, 32, 33, 64, 65, 128]
SURFACE = made(SIZES, [16, 32, 64, 128])


def test_colours_tell_the_reads():
    """On both sides of the ridge the colour is that of the reads between the nearest sizes, or one beside."""
    drawn = figure(SURFACE)
    contours = drawn.axes[0].collections[0]
    with style.settings():
        drawn.canvas.draw()
    pixels = np.asarray(drawn.canvas.buffer_rgba())[::-1]
    for host, guest in ((20, 18), (100, 40), (50, 24), (20, 30), (17, 100), (40, 80)):
        x, y = drawn.axes[0].transData.transform((host * PAGE, guest * PAGE))
        differences = contours.get_facecolor()[:, :3] - pixels[int(y), int(x), :3] / 255
        reads = 8000 / guest + (10_000 / host if guest > host else 0)
        seen, expected = np.abs(differences).sum(axis=1).argmin(), np.searchsorted(contours.levels, reads)
        assert abs(seen - expected) <= 1


def test_a_random_host_is_drawn_below():
    """Both surfaces, each with its name, its sizes and its scale; the exact one as it is alone."""
    measured = made([16, 64, 128], [32, 128])
    drawn = figure(SURFACE, measured)
    exact, random, *bars = drawn.axes
    assert [axes.get_title("left") for axes in (exact, random)] == [
        "web: pages read from all devices, LRU in guest and host",
        "web: pages read from all devices, guest LRU, host random",
    ]
    assert [axes.get_xlim()[0] / PAGE for axes in (exact, random)] == [16, 32]
    assert len(bars) == 2
    assert exact.collections[0].levels.tolist() == figure(SURFACE).axes[0].collections[0].levels.tolist()


def test_ridge_and_balloon():
    """The line g = h, and an arrow from a larger guest down to it with what it saves."""
    axes = figure(SURFACE).axes[0]
    (ridge,) = axes.lines
    assert [*ridge.get_xdata()] == [*ridge.get_ydata()] == [16 * PAGE, 128 * PAGE]
    *names, arrow, balloon = axes.texts
    assert [name.get_text() for name in names] == [
        "the anomaly's ridge:\nguest = host",
        "guest larger than host:\nthe host pages out, too",
        "guest fits into host:\nonly the guest pages out",
    ]
    assert (arrow.xyann, arrow.xy) == ((32 * PAGE, 64 * PAGE), (32 * PAGE, 32 * PAGE))
    # 8,000 / 64 + 10,000 / 32 against 8,000 / 32
    assert balloon.get_text() == "balloon of 128 KiB:\n187 reads fewer"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("memory of the host", "memory of the guest")
    assert axes.get_title(loc="left") == "web: pages read from all devices, LRU in guest and host"


@pytest.mark.parametrize(
    "surface",
    [made([1, 2], [3, 4]), made([5, 6], [1, 2]), made([10_000, 20_000], [10_000, 30_000])],
    ids=["all fit", "none fits", "nothing read"],
)
def test_one_sided_surfaces(surface):
    """Surfaces that lie on one side of the ridge, or flat, have pictures, too."""
    assert len(style.rendered(figure(surface), "png")) > 5000


def test_the_same_bytes_every_time():
    """Drawn twice; in an SVG the contours are images, not thousands of shapes."""
    first, second = (style.rendered(figure(SURFACE), "svg") for _ in range(2))
    assert first == second
    assert first.count(b"<image") >= 1
    assert len(first) < 200_000


def test_too_few_sizes():
    """There are no contours of one line."""
    message = "surface: found 1 and 2 sizes; expected two or more of guest and host for a picture"
    with pytest.raises(UsageError) as error:
        figure(made([4], [2, 3]))
    assert str(error.value) == message


def text(*parts: object) -> list[str]:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(terminal(*parts))
    return console.export_text().splitlines()


def test_text_by_hand():
    """Guests of the sizes of the hosts, and where one page more costs most."""
    lines = [line.rstrip() for line in text(SURFACE, None, None)]
    assert lines == [
        "web: pages read from all devices, guest LRU, host LRU",
        "guest \\ host   64 KiB   128 KiB   256 KiB   512 KiB",
        "───────────────────────────────────────────────────",
        "      64 KiB      500       500       500       500",
        "     128 KiB      875       250       250       250",
        "     256 KiB      750       437       125       125",
        "     512 KiB      687       374       218        62",
        "",
        "The anomaly costs most on a host of 16 frames (64 KiB): a guest of 16 pages",
        "reads 500 pages, one of 17 reads 1,095. A balloon of 1 page saves the 595 in",
        "between.",
    ]


def test_text_of_a_random_host():
    """A second table, and how good the law is."""
    law = Law(rate=2.288, rmse=0.0124, worst=0.05, points=6)
    lines = " ".join(line.strip() for line in text(SURFACE, SURFACE, law))
    assert "web: pages read from all devices, guest LRU, host random" in lines
    assert (
        "1 − exp(−2.29·(g/h − 1)) of the guest's evictions hit a page that is paged out. At 6 measured pairs "
        "of sizes the law is 1.2% of the evictions off (root mean square), 5.0% at worst."
    ) in lines
    assert "there is no law to fit" in " ".join(text(SURFACE, SURFACE, None))


@pytest.mark.parametrize("name", ["gzip", "cc1"])
def test_it_fits_a_terminal(name):
    """80 columns, whatever the sizes."""
    assert max(map(len, text(tr.double_paging_surface(trace_path(name)), None, None))) <= 80
