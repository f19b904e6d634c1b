"""The heat map as a picture, by its data, and as text, by its characters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.report import style
from tracereplay.report.heatmap import labelled_places, terminal
from tracereplay.trace.schema import METADATA_KEY, Metadata

# pages 1 (twice early), 2 (later), 0x9000 (late, eight times)
HEAT = tr.heat({"time": [0, 0, 2, *[5] * 8], "page": [1, 1, 2, *[0x9000] * 8]}, time_bins=3, page_bins=3)


def test_the_figure_shows_the_counts():
    """Image, extent, labels and scale are those of the data; cells without rows are blank."""
    figure = tr.heatmap(HEAT)
    axes, bar = figure.axes
    (image,) = axes.images
    shown = image.get_array()
    assert shown.filled(0).tolist() == HEAT.counts.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 8]]
    assert (shown.mask == (HEAT.counts == 0)).all()
    assert list(image.get_extent()) == [0, 6, 0, 3]
    assert (image.norm.vmin, image.norm.vmax) == (1, 8)
    assert axes.get_title(loc="left") == "vm0: rows by page and time"
    assert axes.get_xlabel() == (
        "time, accesses\na cell is 2 accesses × 1 page (4 KiB); pages that are never touched are left out"
    )
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0x1", "0x2", "0x9000"]
    assert bar.get_ylabel() == "rows per cell"
    figure.draw_without_rendering()
    labels = {label.get_text() for which in (False, True) for label in bar.get_yticklabels(minor=which)}
    assert {"1", "2", "4", "8"} <= labels
    assert not any("$" in label for label in labels)


@pytest.mark.parametrize("ending", style.FORMATS)
def test_the_same_bytes_every_time(tmp_path, ending):
    """Drawn twice from the trace; an SVG holds one image, not thousands of shapes."""
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / f"heat.{ending}")
        style.save(tr.heatmap(tr.heat(trace_path("gzip"))), files[-1])
    first, second = (file.read_bytes() for file in files)
    assert first == second
    if ending == "svg":
        # the map and the scale beside it
        assert first.count(b"<image") == 2
        assert len(first) < 200_000


def test_labels_are_not_too_near():
    """The lowest page, then the starts of large regions, then evenly."""
    pages = [*range(100), *range(10_000, 10_004), *range(20_000, 20_096)]
    places = labelled_places(tr.heat({"page": pages}))
    assert {0, 104} <= {*places}
    assert 100 not in places
    assert np.diff(places).min() >= 10


def test_shades_by_hand():
    """High pages at the top; four shades in equal steps of the logarithm, and what they mean."""
    assert terminal(HEAT, colour=False).plain.splitlines() == [
        "vm0: rows by page and time",
        "0x9000 ┤  █",
        "   0x2 ┤ ░ ",
        "   0x1 ┤▒  ",
        "       └───",
        "        0 to 6",
        "        time, accesses",
        "rows per cell: ░ 1   ▒ 2   ▓ 3 to 4   █ 5 to 8",
        "a cell is 2 accesses × 1 page (4 KiB)",
    ]


def test_half_blocks_by_hand():
    """Two page bins a line, coloured from dark to light; what is empty keeps the terminal's colour."""
    text = terminal(HEAT, colour=True)
    lines = text.plain.splitlines()
    assert lines[1:3] == ["0x9000 ┤  ▄", "   0x1 ┤▄▀ "]
    map_ends = text.plain.index("└")
    found = [(text.plain[s.start], str(s.style)) for s in text.spans if s.start < map_ends]
    # the ends of cividis are the most, eight rows, and the fewest, one
    assert (found[0], found[-1]) == (("▄", "#fee838"), ("▀", "#00224e"))
    assert lines[-2] == "rows per cell: 1 ████████████████ 8 (logarithmic)"


def test_a_clock():
    """Times in ns are told as durations."""
    table = pa.table({"time": [0, 3_000_000_000], "page": [1, 2]})
    table = table.replace_schema_metadata({METADATA_KEY: Metadata(time_unit="ns").to_json()})
    heat = tr.heat(table, time_bins=31)
    assert terminal(heat, colour=False).plain.splitlines()[4:] == [
        "     0          1.45 s           3 s",
        "     time, from the start of the trace",
        "rows per cell: █ 1",
        "a cell is 96.8 ms × 1 page (4 KiB)",
    ]
    assert "time, from the start of the trace" in tr.heatmap(heat).axes[0].get_xlabel()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("name", ["sort", "two-guests"])
def test_it_fits_a_terminal(name, colour):
    """80 columns and 26 lines, whatever the page numbers."""
    heat = tr.heat(trace_path(name), time_bins=62, page_bins=20 * (1 + colour))
    lines = terminal(heat, colour=colour).plain.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 26
    wide = tr.heat({"page": np.array([2**52 - 1] * 62, np.uint64)}, time_bins=62)
    assert max(map(len, terminal(wide, colour=colour).plain.splitlines())) <= 80
