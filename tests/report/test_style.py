"""How figures become files: the same bytes anywhere, self-contained, in the page's colours."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tracereplay.errors import OutputError, UsageError
from tracereplay.report import figures, style

SVG = "{http://www.w3.org/2000/svg}"

DRAW = """
import pathlib, sys
sys.path[:0] = {path!r}
from test_style import digests
from made import pictures
for digest in digests(pictures(pathlib.Path({folder!r}))):
    print(digest)
assert "matplotlib.pyplot" not in sys.modules
"""

Pictures = dict[str, tuple[pd.DataFrame, Figure]]


@pytest.fixture
def figure(busy) -> Figure:
    """One of them."""
    return busy["faults"][1]


@pytest.fixture(scope="module")
def page(busy) -> dict[str, str]:
    """All of them as they would stand in one page."""
    return {kind: style.svg(figure, kind, f"<{kind}> & co", "said") for kind, (_, figure) in busy.items()}


def digests(drawn: Pictures) -> list[str]:
    """A line per figure and format."""
    return [
        f"{kind} {form} {hashlib.sha256(style.rendered(figure, form)).hexdigest()}"
        for kind, (_, figure) in drawn.items()
        for form in style.FORMATS
    ]


@pytest.mark.slow
def test_the_same_table_gives_the_same_bytes(busy, tmp_path):
    """In another process with another hash seed and date, in every format, once more; without pyplot."""
    code = DRAW.format(path=[p for p in sys.path if p], folder=str(tmp_path))
    env = {**os.environ, "PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "1000000000"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == digests(busy) == digests(busy)


def test_ids_are_unique_in_a_page_and_references_find_them(page):
    """Two figures may use the same clip path by name; none may reach into another."""
    ids = re.findall(r'\bid="([^"]*)"', "".join(page.values()))
    assert len(ids) == len(set(ids))
    for kind, text in page.items():
        own = set(re.findall(r'\bid="([^"]*)"', text))
        assert all(name.startswith(f"{kind}-") for name in own)
        used = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)|aria-labelledby="([^"]*)"', text)
        assert {name for names in used for group in names for name in group.split()} <= own


def test_a_page_figure_is_self_contained_and_says_what_it_is(page):
    """Well-formed; title and description first; no style of its own, nothing to fetch."""
    for kind, text in page.items():
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
        assert (root[0].text, root[1].text) == (f"<{kind}> & co", "said")
        assert not list(root.iter(f"{SVG}style"))
        assert set(re.findall(r"https?://[^\"' ]*", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert not [h for h in re.findall(r'href="([^"]*)"', text) if not h.startswith(("#", "data:"))]


def test_a_page_figure_takes_the_pages_colours_and_font(page):
    """Text and axes follow a dark page; nothing is painted behind the figure."""
    for text in page.values():
        assert "var(--ink)" in text
        assert "font-family" not in text
        for colour in (style.INK, style.RULE, "#000000"):
            assert colour.lower() not in text.lower()
        first = ElementTree.fromstring(text).find(f".//{SVG}path")
        assert "fill: none" in first.get("style")


def test_a_heat_map_is_one_image(page):
    """Thousands of cells would make a page slow."""
    assert page["heat"].count("<image") >= 1
    assert "data:image/png;base64," in page["heat"]
    assert page["heat"].count("<path") < 100


def test_the_ground_of_a_map_is_the_pages(page):
    """It is light on a dark page, too, where the darkest cells could not be seen; empty cells are clear."""
    assert [kind for kind, text in page.items() if "fill: var(--ground)" in text] == ["heat"]
    assert style.GROUND.lower() not in page["heat"].lower()
    (image, *_) = re.findall(r"data:image/png;base64,([^\"]*)", page["heat"])
    pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(image)))
    assert set(np.unique(pixels[:, :, 3])) == {0, 1}


def test_files_carry_no_date_and_no_maker(figure):
    """What would differ between two machines."""
    for form in style.FORMATS:
        content = style.rendered(figure, form)
        for word in (b"Matplotlib", b"CreationDate", b"<dc:date>"):
            assert word not in content, form


def test_saving_by_ending(figure, tmp_path, monkeypatch):
    """Each format by its magic; what was there only goes once the new file is whole."""
    for form, magic in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        path = tmp_path / f"x.{form}"
        style.check_target(path, force=False)
        style.save(figure, path)
        assert path.read_bytes().startswith(magic)
        with pytest.raises(OutputError, match=r"exists already; .*--force"):
            style.check_target(path, force=False)
    with pytest.raises(UsageError, match=r'x\.jpg"; expected a file that ends'):
        style.check_target(tmp_path / "x.jpg", force=True)
    old = (tmp_path / "x.svg").read_bytes()
    monkeypatch.setattr(figure, "savefig", None)
    with pytest.raises(TypeError):
        style.save(figure, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_bytes() == old
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pdf", "x.png", "x.svg"]


TICKS = {
    "bytes": (style.sizes, 3 * 2**20, ["0 B", "512 KiB", "1 MiB", "1.5 MiB", "2 MiB", "2.5 MiB", "3 MiB"]),
    "few bytes": (style.sizes, 3, ["0 B", "1 B", "2 B", "3 B"]),
    "counts": (style.counts, 2_500, ["0", "500", "1k", "1.5k", "2k", "2.5k"]),
    "seconds": (style.durations, 45 * 10**9, ["0 ns", "10 s", "20 s", "30 s", "40 s"]),
    "minutes": (style.durations, 300 * 10**9, ["0 ns", "1m 00s", "2m 00s", "3m 00s", "4m 00s", "5m 00s"]),
}


@pytest.mark.parametrize("case", TICKS)
def test_ticks_are_round_in_their_unit(case):
    """Halves of a binary unit, whole minutes, thousands."""
    ticks, top, expected = TICKS[case]
    with style.settings():
        _, axes = style.panel("", "", "")
        axes.set_ylim(0, top)
        ticks(axes.yaxis, top)
        shown = [axes.yaxis.get_major_formatter()(y, 0) for y in axes.yaxis.get_ticklocs()]
    assert shown == expected


def test_ticks_of_bytes_below_zero():
    """A net saving may be a loss."""
    with style.settings():
        _, axes = style.panel("", "", "")
        style.sizes(axes.yaxis, 2**20, -(2**20))
    assert axes.yaxis.get_ticklocs().tolist() == [n * 2**18 for n in range(-4, 5)]


LABELS = {
    "web": "web",
    "eighteen-letters-x": "eighteen-letters-x",
    "frontend-server-0001.example": "frontend-….example",
    "_x": " _x",
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_vms(name):
    """Long names keep both ends; one that matplotlib would leave out of a legend is shown."""
    assert style.shortened(name) == LABELS[name]


def labels_of(ends: list[style.End]) -> list[tuple[str, float, tuple[float, float]]]:
    """Labels beside axes from 0 to 10, with their heights and what they are joined to, from the lowest on."""
    with style.settings():
        _, axes = style.panel("", "", "")
        axes.set(xlim=(0, 4), ylim=(0, 10))
        style.label_ends(axes, ends)
    found = [(text.get_text(), round(text.xyann[1], 4), text.xy) for text in axes.texts]
    return sorted(found, key=lambda label: label[1])


def test_labels_stand_where_series_end():
    """Labels are as high as the ends if there is room, apart if not, and never outside the axes' height."""
    ends = {"a": 0, "c": 5, "b": 0.1, "low": -3, "high": 10, "two\nlines": 9.8}
    found = labels_of([style.End(name, style.BLUE, 4, y) for name, y in ends.items()])
    assert found == [
        ("a", 0.0, (4, 0)),
        ("low", 0.075, (4, 0)),
        ("b", 0.15, (4, 0.1)),
        ("c", 0.5, (4, 5)),
        ("two\nlines", 0.8875, (4, 9.8)),
        ("high", 1.0, (4, 10)),
    ]


def test_more_labels_than_there_is_room_for():
    """They share the height."""
    found = labels_of([style.End(str(i), style.BLUE, 4, 0) for i in range(21)])
    assert [height for _, height, _ in found] == [round(i / 21, 4) for i in range(21)]


def test_series_that_end_early_are_drawn_on():
    """A line that ends before the axes do has its label beside them, level with its end."""
    with style.settings():
        _, axes = style.panel("", "", "")
        axes.set(xlim=(0, 4), ylim=(0, 10))
        style.label_ends(axes, [style.End("a", style.BLUE, 3, 7), style.End("b", style.BLUE, 4, 2)])
    (level,) = axes.collections
    assert [path.vertices.tolist() for path in level.get_paths()] == [[[3, 7], [4, 7]]]
    assert {text.get_text(): text.xy for text in axes.texts} == {"a": (4, 7), "b": (4, 2)}


def test_characters_that_the_font_lacks(tmp_path):
    """Said once of pictures that show boxes for them; an SVG is drawn in the fonts of who looks at it."""
    with style.settings():
        figure, _ = style.panel("虚拟机 é😀", "机", "y")
    assert style.save(figure, tmp_path / "f.svg") == ()
    for ending in ("png", "pdf"):
        path = tmp_path / f"f.{ending}"
        assert style.save(figure, path) == (
            f'{path}: the font has no "拟机虚": boxes stand for them; an .svg takes its viewer\'s fonts',
        )


def test_a_name_is_no_formula():
    """Names come from files: dollars stay dollars."""
    with style.settings():
        _, axes = style.panel("$x$", "", "")
    assert not axes.title.get_parse_math()


def test_settings_leave_no_trace(busy):
    """A user's own settings are the same after drawing, and do not change our figures."""
    data, figure = busy["faults"]
    with mpl.rc_context({"font.size": 20, "axes.grid": False}):
        again = style.rendered(figures.draw("faults", data), "svg")
        assert mpl.rcParams["font.size"] == 20
    assert again == style.rendered(figure, "svg")
