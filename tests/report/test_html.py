"""The page of a run: valid, offline, small, the same every time, and complete for those who cannot see it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from made import run
from markupsafe import escape
from pages import Page, busy_run, fetched
from runs import SCENARIO, TABLES

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.core.invariants import LAWS
from tracereplay.errors import OutputError
from tracereplay.report import figures, html, markup
from tracereplay.report.html import Told
from tracereplay.report.verdict import cautions, verdict
from tracereplay.scenario import CPU_COSTS, PRESETS
from tracereplay.studies.run_report import limits, write_report
from tracereplay.trace.reader import open_trace

NOTHING_TOLD = Told({}, ("input a is gone",), ())
LARGEST = 2 * 2**20


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> tr.Result:
    """A run in which everything happens, with its traces."""
    return busy_run(tmp_path_factory.mktemp("traces"))


@pytest.fixture(scope="module")
def text(result, tmp_path_factory) -> str:
    """Its page."""
    path = tmp_path_factory.mktemp("page") / "r.html"
    assert result.report(path) == path
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text) -> Page:
    """Its page's structure."""
    return Page(text)


def test_the_page_is_whole(page, text):
    """A document with language, title, character set and tags that nest."""
    assert text.startswith("<!doctype html>\n")
    assert text.rstrip().endswith("</html>")
    assert page.elements[0].tag == "html"
    assert page.elements[0].attributes == {"lang": "en"}
    assert page.all("meta")[0].attributes == {"charset": "utf-8"}
    assert page.text_of("h1") == ["Replay of one, two"]
    assert len(page.all("main")) == len(page.all("header")) == len(page.all("footer")) == 1


def test_ids_are_unique_and_references_find_them(page):
    """Over the page and all its figures together."""
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    used = {e.attributes["href"][1:] for e in page.elements if e.attributes.get("href", "").startswith("#")}
    for element in page.elements:
        used |= set(element.attributes.get("aria-labelledby", "").split())
    assert used
    assert used <= set(ids)


def test_headings_are_in_order(page):
    """One first heading, and no level is left out."""
    levels = [int(e.tag[1]) for e in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_every_figure_says_what_it_is_and_has_its_table(page, text):
    """Every figure that there is: title, description, caption, and the numbers behind it."""
    drawn = page.all("svg")
    assert [e.attributes["aria-labelledby"].split()[0] for e in drawn] == [f"{n}-title" for n in html.ORDER]
    assert sorted(html.ORDER) == sorted(figures.names())
    assert all("figure" in e.around and e.attributes["role"] == "img" for e in drawn)
    for tag in ("title", "desc"):
        assert sum("svg" in e.around and e.around[-1] == "svg" for e in page.all(tag)) == len(drawn)
    assert len(page.all("figcaption")) == len(drawn)
    for section in re.findall(r'<section class="figure".*?</section>', text, re.DOTALL):
        assert section.count("<svg") == section.count("<table") == section.count("<summary>") == 1
        assert "<td" in section


def test_tables_have_headings(page):
    """Every heading says of what; a table that scrolls can be reached with the keyboard, and has a name."""
    assert all(e.attributes["scope"] in ("col", "row") for e in page.all("th"))
    around = [e for e in page.all("div") if e.attributes.get("class") == "scroll"]
    assert len(around) == len(page.all("table")) == len(page.all("tbody")) == len(page.all("thead"))
    assert all(e.attributes["tabindex"] == "0" and e.attributes["aria-label"] for e in around)


def test_nothing_is_fetched(page, text):
    """No source, link or import but fragments and data; the only addresses are SVG's namespaces."""
    assert fetched(text) == []
    assert set(re.findall(r"https?://[^\"' <]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert fetched('<img src="x.png"><style>a { background: url("http://b/c") }</style>') == [
        "x.png",
        '"http://b/c"',
    ]


def test_the_page_says_what_the_run_says(result, page, text):
    """Verdict, cautions, tables, counters, provenance, glossary: every one of them, as texts."""
    said = page.text_of("li")
    assert said[: len(verdict(result))] == verdict(result)
    assert set(cautions(result)) <= set(said)
    rows = page.text_of("td") + page.text_of("th")
    for name in (*COUNTER_NAMES, *GAUGE_NAMES):
        assert name in rows  # in the glossary at least
        if result.totals[name]:
            assert f"{result.totals[name]:,}" in rows
    for known in result.provenance["inputs"].values():
        assert next(iter(known["xxh3_128"].values())) in text
    assert "None in this run" in text
    assert "Not shown" not in text


def test_laws_that_were_checked_are_listed(result):
    """By their sentences."""
    said = Page(html.page(replace(result, laws=tuple(LAWS)), NOTHING_TOLD)).text_of("li")
    assert set(LAWS) <= set(said)


def test_what_is_not_shown_is_said(result):
    """Figures without data by why, those that read traces together; the reason is a caution, too."""
    calm = replace(result, timeline=result.timeline.assign(balloon_target=0, shared=0, zero_mapped=0))
    text = html.page(calm, NOTHING_TOLD)
    absent = re.findall(r"<li>([^:<]*): ([^<]*)\.</li>", text[text.index('id="absent"') :])
    of_traces = ("LRU miss ratio of each VM by its memory", "Working set of each VM")
    assert absent == [
        ("Balloon of each VM, target and actual", str(escape(figures.get("balloon").ABSENT))),
        ("Memory shared and saved", str(escape(figures.get("sharing").ABSENT))),
        (", ".join((*of_traces, "Accesses of each VM by page and time")), "input a is gone"),
    ]
    assert "input a is gone" in Page(text).text_of("li")


def test_names_and_texts_are_escaped(result):
    """They come from files and must not become markup."""
    evil = "<script>alert(1)</script>&"
    names = {"one": evil, "two": "two"}
    vms = [{**vm, "name": names[vm["name"]]} for vm in result.machine["vms"]]
    hostile = replace(
        result,
        machine=result.machine | {"vms": vms},
        vms=result.vms.rename(index=names),
        timeline=result.timeline.assign(vm=result.timeline["vm"].map(names)),
        warnings=(evil,),
    )
    text = html.page(hostile, Told({}, (), (evil,)), title=evil)
    assert text.count("<script>") == 1
    assert Page(text).text_of("h1") == [evil]


def test_titles_and_vocabularies(result):
    """The title replaces the VMs' names; another vocabulary is in the table and the glossary."""
    page = Page(html.page(result, NOTHING_TOLD, names="esxtop", title="Friday"))
    assert page.text_of("h1") == page.text_of("title")[:1] == ["Friday"]
    assert page.text_of("th").count("SWCUR") == 2
    with pytest.raises(ValueError, match=r"expected one of"):
        html.page(result, NOTHING_TOLD, names="vmstat")


def test_the_lead(result):
    """One row of one VM; costs that are not those of their preset are said to be others."""
    vms = [result.machine["vms"][0] | {"pages": 2}]
    host = result.machine["host"] | {"frames": 1, "policy": "lru"}
    one = replace(
        result,
        machine=result.machine
        | {"vms": vms, "host": host, "costs": {"preset": "hdd", **CPU_COSTS, **PRESETS["hdd"]}},
        totals=result.totals | {"accesses": 1},
    )
    said = "1 VM (lru) with 8 KiB on a host of 4 KiB (lru). Balloons: static; sharing: esx. 1 row replayed; "
    assert html._lead(one) == f"{said}hdd costs."
    costs = one.machine["costs"] | {"access": 99}
    assert (
        html._lead(replace(one, machine=one.machine | {"costs": costs})) == f"{said}hdd costs, some changed."
    )


def test_long_names_in_the_heading():
    """Both ends of them; of many VMs the first ones."""
    assert html._listed(["a" * 40, "b" * 30 + "c" * 11]) == f"{'a' * 40}, {'b' * 25}…{'b' * 3}{'c' * 11}"
    assert html._listed(list("abcdef")) == "a, b, c, d and 2 more VMs"


SAME = """
import sys, tracereplay as tr
tr.load_run(sys.argv[1]).report(sys.argv[2])
"""


def test_the_same_run_gives_the_same_bytes(result, text, tmp_path):
    """From its directory, in another process with another hash seed."""
    run_directory = result.save(tmp_path / "run")
    env = {**os.environ, "PYTHONHASHSEED": "1"}
    line = [sys.executable, "-c", SAME, str(run_directory), str(tmp_path / "r.html")]
    subprocess.run(line, check=True, env=env)
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == text


def large(result: tr.Result) -> tr.Result:
    """64 VMs and 500 samples, every counter of them busy."""
    random = np.random.default_rng(1)
    names = [f"virtual-machine-{i:02}" for i in range(64)]
    grown = (*COUNTER_NAMES, *GAUGE_NAMES, "balloon_target")
    vms = {vm: {name: random.integers(0, 10**6, 500).cumsum().tolist() for name in grown} for vm in names}
    of_vm = result.machine["vms"][0]
    said = {"vms": [{**of_vm, "name": name} for name in names], "first_time": 100, "last_time": 5100}
    made = run(range(110, 5110, 10), vms)
    made.vms[["memory_pages", "footprint_pages", "estimated_ns"]] = 10**6
    return replace(made, machine=result.machine | said, provenance=result.provenance)


def test_a_large_run_stays_small(result):
    """64 VMs over 500 samples: at most 2 MB, every VM in the table."""
    text = html.page(large(result), NOTHING_TOLD)
    assert len(text.encode()) <= LARGEST
    page = Page(text)
    assert {f"virtual-machine-{i:02}" for i in range(64)} <= set(page.text_of("th"))
    assert "virtual-machine-03 and 60 more VMs" in page.text_of("h1")[0]


def test_a_long_table_is_thinned(result):
    """No more than MOST_TABLE_ROWS rows behind a figure, and it says so."""
    data = pd.DataFrame({"n": range(1201)}, pd.RangeIndex(1201, name="time"))
    found = str(html._numbers("many", data))
    assert found.startswith("<p>One row in 3, of 1,201.</p>")
    assert found.count("<td>") == 401
    assert "One row" not in str(html._numbers("few", data[:500]))


# ---- light and dark -------------------------------------------------------------------------------

CSS = (Path(markup.__file__).parent / "templates/page.css").read_text(encoding="utf-8")


def schemes() -> dict[str, dict[str, str]]:
    """The colours of the page by name, light and dark."""
    light, dark = re.findall(r":root \{([^}]*)\}", CSS)
    return {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
        for name, block in {"light": light, "dark": dark}.items()
    }


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme):
    """Contrast of every colour of text against both backgrounds: 4.5 to 1 or more."""
    colours = schemes()[scheme]
    assert set(colours) == {"paper", "ink", "faint", "rule", "wash", "ground", "accent", "care"}
    for text in ("ink", "faint", "accent", "care"):
        for ground in ("paper", "wash"):
            low, high = sorted(luminance(colours[name]) for name in (text, ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_the_style_uses_no_other_colours():
    """Else the test above would prove nothing."""
    rest = re.sub(r":root \{[^}]*\}", "", CSS)
    assert not re.findall(r"#[0-9a-f]{3,6}\b|\brgba?\(", rest)
    assert "@media print" in rest


# ---- files and traces -----------------------------------------------------------------------------


def test_files_are_replaced_only_when_asked(result, tmp_path):
    """As everywhere; nothing half-written stays when the vocabulary is unknown."""
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        result.report(path, traces=False)
    with pytest.raises(ValueError, match="expected one of"):
        result.report(path, names="vmstat", force=True)
    assert path.read_text() == "mine"
    result.report(path, traces=False, force=True)
    assert path.read_text().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_missing_traces_are_said(tmp_path):
    """A warning in Python, a sentence in the page; not asked for, it is no warning."""
    result = tr.replay(SCENARIO, TABLES, jit=False)
    with pytest.warns(UserWarning, match="table in memory") as said:
        result.report(tmp_path / "r.html")
    assert [str(w.message) for w in said] == [
        f"input {key} was a table in memory: what its rows would show is missing" for key in TABLES
    ]
    assert "input a was a table in memory" in (tmp_path / "r.html").read_text()
    written = write_report(result, tmp_path / "s.html", traces=False)
    assert written.warnings == ()
    assert "the run&#39;s traces were not to be read" in written.path.read_text()


def test_parts_of_traces_are_a_caution(tmp_path):
    """Reductions, samples of pages, and what a recorder saw now and then; a whole trace is none."""
    rows = {"page": np.arange(100, dtype=np.uint64)}
    paths = {name: tmp_path / f"{name}.parquet" for name in ("whole", "part", "seldom")}
    tr.write_trace(paths["whole"], rows)
    tr.write_trace(paths["part"], tr.sample_trace(paths["whole"], "50%"))
    tr.write_trace(paths["seldom"], rows, source={"sampled": True})
    traces = {name: open_trace(path) for name, path in paths.items()}
    assert limits({**traces, "gzip": open_trace(trace_path("gzip"))})[0] == (
        "Reduced traces (1 of 4) hold only those accesses that some memory might miss; the time of the "
        "others is not in the estimate."
    )
    assert limits(traces) == (
        "Sampled: part is a sample of 0.5 of the pages, so its counts are not those of the whole trace.",
        "Sampled: seldom was recorded by looking now and then, so accesses are missing.",
    )


# ---- notebooks ------------------------------------------------------------------------------------


def test_a_result_is_an_arrow_table(result):
    """Its timeline, for whatever takes tables."""
    expected = result.timeline
    assert pl.DataFrame(result).to_pandas().equals(expected)
    found = duckdb.sql("select vm, max(accesses) as n from result group by vm order by vm").fetchall()
    assert found == sorted(result.vms["accesses"].items())


def test_a_notebook_shows_the_table_of_the_report(result):
    """Numbers as in the report, warnings below."""
    shown = replace(result, warnings=("<odd>",))._repr_html_()
    assert "<td>2,048</td>" in replace(result, vms=result.vms.assign(memory_pages=1024))._repr_html_()
    assert shown.endswith("<p>&lt;odd&gt;</p>")
    assert "<th>all VMs</th>" in shown
