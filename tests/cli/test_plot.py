"""``tracereplay plot``: a figure into a file, its caption on standard error, its table as JSON."""

from __future__ import annotations

import json

import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.report import figures, style

GZIP = trace_path("gzip")


@pytest.fixture
def run(tmp_path) -> str:
    """A run directory: one VM that pages, without balloon or sharing."""
    said = {"tick": 10**6, "host": {"memory": "60%"}, "vm": [{"trace": str(GZIP), "memory": "80%"}]}
    tr.replay(said).save(tmp_path / "run")
    return "run"


@pytest.mark.parametrize("ending", style.FORMATS)
def test_plot_writes_the_figure_of_the_api(command, run, tmp_path, ending):
    """The same bytes as from Python, and nothing else; the caption on standard error."""
    done = command("plot", run, "faults", "-o", f"f.{ending}")
    data = figures.data("faults", tr.load_run(tmp_path / run))
    assert (done.code, done.out, done.err) == (0, "", figures.caption("faults", data) + "\n")
    expected = tmp_path / f"g/f.{ending}"
    expected.parent.mkdir()
    style.save(tr.load_run(tmp_path / run).plot.faults(), expected)
    assert (tmp_path / f"f.{ending}").read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("kind", ["heat", "miss-ratio", "working-set"])
def test_plot_reads_the_runs_traces(command, run, files, kind):
    """Figures that a run directory alone cannot give."""
    before = files()
    assert command("plot", run, kind, "-o", "f.svg", "-q") == (0, "", "")
    assert files() - before == {"f.svg"}


def test_plot_json_is_the_table(command, run, tmp_path, files):
    """A record per row, and no file is needed."""
    before = files()
    done = command("plot", run, "swap-io", "--json", "--quiet")
    data = figures.data("swap-io", tr.load_run(tmp_path / run))
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == data.reset_index().to_dict(orient="records")
    assert files() == before


def test_plot_list(command, run):
    """All figures with what they show; of a run, which it has; at most 80 columns."""
    plain = json.loads(command("plot", "--list", "--json").out)
    assert plain == [{"figure": name, "shows": figures.title(name)} for name in figures.names()]
    has = {
        row["figure"]: row["in this run"] for row in json.loads(command("plot", run, "--list", "--json").out)
    }
    assert (has["faults"], has["balloon"], has["sharing"], has["heat"]) == ("yes", "no", "no", "reads traces")
    shown = command("plot", run, "--list").out
    assert "faults " in shown
    assert max(map(len, shown.splitlines())) <= 80


BAD = {
    "no run": ([], 2, "plot: expected a run, a figure and -o FILE, as in: plot runs/x faults -o faults.svg"),
    "no figure": (["run"], 2, "plot: expected a run, a figure and -o FILE"),
    "no file": (["run", "faults"], 2, "plot: expected a run, a figure and -o FILE"),
    "unknown figure": (["run", "swap_io", "-o", "f.svg"], 2, 'did you mean "swap-io"?'),
    "unknown ending": (["run", "faults", "-o", "f.jpg"], 2, "ends in one of .svg, .png, .pdf"),
    "no ending": (["run", "faults", "-o", "f"], 2, 'found "f"; expected a file that ends in one of'),
    "no such directory": (["run", "faults", "-o", "a/f.svg"], 3, "no directory a to write to"),
    "not a run": (["gone", "faults", "-o", "f.svg"], 3, "summary.json: not found; expected a run directory"),
    "nothing to show": (
        ["run", "balloon", "-o", "f.svg"],
        3,
        "no figure balloon: no balloon target was recorded",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_plot_refuses(command, run, files, case):
    """One line that says what was found and expected; no file."""
    words, code, message = BAD[case]
    before = files()
    done = command("plot", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("tracereplay: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert files() == before


def test_plot_overwrites_only_when_asked(command, run, tmp_path):
    """What was there stays, until --force."""
    (tmp_path / "f.svg").write_text("mine")
    done = command("plot", run, "faults", "-o", "f.svg")
    assert (done.code, "exists already" in done.err) == (3, True)
    assert (tmp_path / "f.svg").read_text() == "mine"
    assert command("plot", run, "faults", "-o", "f.svg", "--force").code == 0
    assert (tmp_path / "f.svg").read_text().startswith("<?xml")


def test_a_missing_trace_is_said_even_when_quiet(command, run, tmp_path):
    """It changes what the figure means: here nothing is left to draw; exit code 3."""
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(GZIP.read_bytes())
    tr.replay({"tick": 0, "vm": [{"trace": str(p)} for p in (GZIP, copy)]}).save(tmp_path / "two")
    copy.unlink()
    done = command("plot", "two", "working-set", "-o", "f.svg", "--quiet")
    assert done.code == 0
    assert done.err.startswith("warning: input ")
    assert "copy.parquet is gone" in done.err
