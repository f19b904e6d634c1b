"""``tracereplay report`` and ``tracereplay compare``."""

from __future__ import annotations

import json
import shutil

import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.studies.compare import compare

GZIP = trace_path("gzip")


def replay(path, memory: str = "60%", trace=GZIP, seed: int = 0) -> str:
    said = {
        "seed": seed,
        "tick": 10**6,
        "host": {"memory": memory},
        "vm": [{"trace": str(trace), "memory": "80%"}],
    }
    tr.replay(said).save(path)
    return path.name


@pytest.fixture
def runs(tmp_path) -> list[str]:
    """Two run directories; the second has more host memory."""
    return [replay(tmp_path / "old"), replay(tmp_path / "new", "70%")]


# ---- report ---------------------------------------------------------------------------------------


def test_report_writes_the_page_of_the_api(command, runs, tmp_path, files):
    """The same bytes as from Python, one file, and its name on standard error."""
    before = files()
    assert command("report", "old", "-o", "r.html") == (0, "", "report written to r.html\n")
    assert files() - before == {"r.html"}
    tr.load_run("old").report("s.html")
    assert (tmp_path / "r.html").read_bytes() == (tmp_path / "s.html").read_bytes()


def test_report_options(command, runs, tmp_path):
    """Vocabulary, title, without traces; JSON says what was written."""
    words = ("--names", "esxtop", "--title", "Friday <1>", "--no-traces", "--json", "-q")
    done = command("report", "old", "-o", "r.html", *words)
    text = (tmp_path / "r.html").read_text()
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"report": "r.html", "bytes": len(text.encode()), "warnings": []}
    assert "<h1>Friday &lt;1&gt;</h1>" in text
    assert "MEMSZ" in text
    assert "Accesses of each VM by page and time: the run&#39;s traces were not to be read." in text


def test_report_says_what_is_missing(command, tmp_path):
    """Even when quiet, as it changes what the page means."""
    copy = shutil.copy(GZIP, tmp_path / "copy.parquet")
    replay(tmp_path / "run", trace=copy)
    copy.unlink()
    done = command("report", "run", "-o", "r.html", "-q")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("warning: input ")
    assert "copy.parquet is gone" in done.err
    assert "copy.parquet is gone" in (tmp_path / "r.html").read_text()


REPORT_REFUSES = {
    "not a run": (
        ["gone"],
        3,
        "gone/summary.json: not found; expected a run directory that `tracereplay replay -o`",
    ),
    "a trace": ([str(GZIP)], 3, "expected a run directory that `tracereplay replay -o` wrote"),
    "unknown names": (["old", "--names", "esxtp"], 2, 'report: --names: found "esxtp"; expected one of'),
    "exists": (["old", "-o", "mine.html"], 3, "mine.html: exists already"),
    "no directory": (["old", "-o", "a/r.html"], 3, "no directory a to write to"),
}


@pytest.mark.parametrize("case", REPORT_REFUSES)
def test_report_refuses(command, runs, tmp_path, files, case):
    """One line that says what was found and expected; no file."""
    words, code, message = REPORT_REFUSES[case]
    (tmp_path / "mine.html").write_text("mine")
    before = files()
    done = command("report", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert files() == before
    assert (tmp_path / "mine.html").read_text() == "mine"


# ---- compare --------------------------------------------------------------------------------------


def test_compare_prints_what_differs(command, runs, files):
    """Within 80 columns, for all VMs together, and for each when asked; no file."""
    before = files()
    done = command("compare", *runs)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("new against old\n  host.frames: ")
    assert "host_major_faults" in done.out
    assert "gzip" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\ngzip: " in command("compare", *runs, "--vms").out
    assert files() == before


def test_compare_json_is_the_table(command, runs):
    """All rows of the API, null where there is no number."""
    done = command("compare", *runs, "--json")
    table = compare({name: tr.load_run(name) for name in runs})
    expected = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    assert json.loads(done.out) == expected
    assert {row["vm"] for row in expected} == {"all VMs", "gzip"}


def test_compare_seeds(command, tmp_path):
    """Runs that differ in the seed alone are one, with an interval."""
    names = [replay(tmp_path / f"{m}-{s}", f"{m}%", seed=s) for m in (60, 70) for s in (1, 2)]
    done = command("compare", *names)
    assert done.out.startswith("70-1 against 60-1 (means of 2 and 2 seeds)\n")
    assert "95 % interval" in done.out


def test_compare_writes_a_page(command, runs, tmp_path, files):
    """Beside the table."""
    before = files()
    done = command("compare", *runs, "-o", "c.html")
    assert (done.code, done.err) == (0, "comparison written to c.html\n")
    assert done.out
    assert files() - before == {"c.html"}
    assert "<h1>new against old</h1>" in (tmp_path / "c.html").read_text()


def test_compare_fails_on_request(command, runs):
    """Exit code 1, every broken limit on standard error, the table all the same; else 0."""
    limits = ("--fail-if", "host_major_faults<-1%", "--fail-if", "accesses>+1%", "--fail-if", "accesses>1")
    done = command("compare", *runs, *limits, "-q")
    assert done.code == 1
    assert "host_major_faults" in done.out
    first, second = done.err.splitlines()
    assert first.startswith("tracereplay: accesses>1: new has ")
    assert second.startswith("host_major_faults<-1%: new has ")
    assert command("compare", *runs, "--fail-if", "host_major_faults>+5%", "-q").code == 0


COMPARE_REFUSES = {
    "one run": (["old"], 2, "compare: found one run; expected at least two run directories"),
    "twice the same": (["old", "old"], 2, "compare: found the same run twice"),
    "not a run": (["old", "gone"], 3, "gone/summary.json: not found"),
    "a bad limit": (["old", "new", "--fail-if", "reads>5%"], 2, '--fail-if: found "reads>5%"; expected'),
    "an unknown quantity": (["old", "new", "--fail-if", "raeds>5"], 2, 'did you mean "reads"?'),
    "exists": (["old", "new", "-o", "mine.html"], 3, "mine.html: exists already"),
}


@pytest.mark.parametrize("case", COMPARE_REFUSES)
def test_compare_refuses(command, runs, tmp_path, files, case):
    """One line that says what was found and expected; no table and no file."""
    words, code, message = COMPARE_REFUSES[case]
    (tmp_path / "mine.html").write_text("mine")
    before = files()
    done = command("compare", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert files() == before


def test_a_report_with_a_vm_that_is_idle(command, tmp_path):
    """A VM without rows has no heat, working set or miss ratios; the others have."""
    vms = [{"name": "busy"}, {"name": "idle"}]
    tr.write_trace(tmp_path / "t.parquet", {"page": [1, 2, 1, 3], "vm": [0, 0, 0, 0]}, vms=vms)
    assert command("replay", "t.parquet", "-o", "run", "-q").code == 0
    done = command("report", "run", "-o", "r.html")
    assert (done.code, (tmp_path / "r.html").exists()) == (0, True)
