"""The verbs that work on traces: merge, slice, sample, check, heatmap."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
from process import clean, on_a_terminal, tracereplay

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.trace.check import CHECKS

GZIP, SORT = trace_path("gzip"), trace_path("sort")


def test_merge_slice_sample(command, files, tmp_path):
    """One after the other, each a file that the next one reads; the metadata as JSON."""
    done = command("merge", GZIP, SORT, GZIP, "-o", "m.parquet", "--starts", "0,1M,5", "--json")
    assert (done.code, done.err) == (0, "28,919 rows of 3 VMs written to m.parquet\n")
    assert [vm["name"] for vm in json.loads(done.out)["vms"]] == ["gzip", "sort", "gzip-2"]
    done = command("slice", "m.parquet", "-o", "s.parquet", "--vms", "sort,0", "--time", "1M:2M")
    part = tr.open_trace(tr.slice_trace("m.parquet", vms=["sort", 0], time=(10**6, 2 * 10**6)))
    assert (done.code, done.out) == (0, "")
    assert done.err == f"{part.n_rows:,} rows of 2 VMs written to s.parquet\n"
    assert tr.open_trace("s.parquet").time_range() == part.time_range()
    assert command("slice", "m.parquet", "-o", "k.parquet", "--rows", "5:9", "--no-rebase", "-q").err == ""
    kept, whole = (next(tr.open_trace(f"{name}.parquet").batches()) for name in "km")
    assert kept.time.tolist() == whole.time[5:9].tolist()
    done = command(
        "sample", "m.parquet", "-o", "c.parquet", "--rate", "50%", "--by", "contents", "--salt", "7"
    )
    assert done.code == 0
    sample = tr.open_trace("c.parquet").metadata.provenance["sample"]
    assert sample == {"by": "contents", "rate": 0.5, "salt": 7}
    assert files() == {f"{name}.parquet" for name in "mskc"}


BAD = {
    ("merge", "-o", "t.parquet"): (2, "merge: expected traces and -o FILE, as in: merge a.parquet"),
    ("merge", GZIP): (2, "merge: expected traces and -o FILE"),
    ("merge", GZIP, "-o", "t.parquet", "--starts", "1,2"): (
        2,
        "merge: found 2 starts; expected one for each",
    ),
    ("merge", GZIP, "none.parquet", "-o", "t.parquet"): (3, "none.parquet: no such file; check the path"),
    ("slice", GZIP): (2, "slice: expected -o FILE"),
    ("slice", GZIP, "-o", "t.parquet", "--time", "1s:2s"): (
        2,
        'slice: time: found "1s"; expected an integer',
    ),
    ("slice", GZIP, "-o", "t.parquet", "--vms", "gzp"): (2, 'vm: found "gzp"; expected an index below 1'),
    ("slice", GZIP, "-o", "t.parquet", "--rows", "1M:"): (
        3,
        f"{GZIP}: no rows inside the slice; it has 2368",
    ),
    ("sample", GZIP): (2, "sample: expected -o FILE"),
    ("sample", GZIP, "-o", "t.parquet", "--rate", "2"): (2, 'sample: found "2"; expected a rate above 0'),
    ("check",): (2, "check: expected a trace, as in: check t.parquet"),
    ("check", "none.parquet"): (3, "none.parquet: no such file"),
    ("heatmap", GZIP, "-o", "x.gif"): (2, 'found "x.gif"; expected a file that ends in one of .svg'),
    ("heatmap", GZIP, "-o", "no/x.svg"): (3, "no/x.svg: no directory no to write to; make it first"),
    ("heatmap", GZIP, "--op", "reed"): (2, 'heatmap: op: found "reed"; expected one of'),
    ("heatmap", SORT, "--page-bins", "999", "--time-bins", "21000000"): (
        2,
        "heatmap: found 431 × 10,540,061 cells; expected at most 16,777,216; ask for fewer bins",
    ),
    ("heatmap", GZIP, "--vm", "3"): (2, 'vm: found "3"; expected an index below 1, or one of "gzip"'),
}


@pytest.mark.parametrize("words", BAD, ids=lambda words: " ".join(map(str, words)).replace(str(GZIP), "GZIP"))
def test_words_that_do_not_fit(command, files, words):
    """One message, the code that tells a wrong word from a wrong file, and nothing written."""
    code, message = BAD[words]
    done = command(*words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert files() == set()


@pytest.mark.parametrize("verb", ["merge", "slice", "sample"])
def test_nothing_is_overwritten_unasked(command, tmp_path, verb):
    """Not even by what is read; with --force it is."""
    tr.write_trace(tmp_path / "t.parquet", tr.open_trace(SORT))
    refused = command(verb, "t.parquet", "-o", "t.parquet")
    assert (refused.code, refused.out) == (3, "")
    assert "t.parquet: exists already" in refused.err
    assert command(verb, "t.parquet", "-o", "t.parquet", "--force", "-q").code == 0
    assert 0 < tr.open_trace("t.parquet").n_rows <= tr.open_trace(SORT).n_rows


def test_check_lists_every_finding(command):
    """A line each, in 80 columns; the same as JSON."""
    done = command("check", SORT)
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines() if re.match(r"[a-z]", line)] == [
        "check",
        *CHECKS,
    ]
    assert max(map(len, done.out.splitlines())) <= 80
    found = json.loads(command("check", SORT, "--json").out)
    assert found == [finding.__dict__ for finding in tr.check_trace(SORT)]


def test_check_fails_on_an_invalid_trace(command, tmp_path):
    """Exit code 1, the finding in the table and in the JSON."""
    tr.write_trace(tmp_path / "t.parquet", {"page": np.arange(10_000)})
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    data[60] ^= 1
    (tmp_path / "t.parquet").write_bytes(data)
    done = command("check", "t.parquet")
    assert (done.code, done.err) == (1, "")
    assert re.search(r"column-page +error +t.parquet: row 0: damaged", done.out)
    done = command("check", "t.parquet", "--json")
    assert (done.code, json.loads(done.out)[0]["level"]) == (1, "error")


def test_check_list(command):
    """What every check looks for."""
    assert [row["check"] for row in json.loads(command("check", "--list", "--json").out)] == list(CHECKS)


def test_heatmap_as_a_picture(command, files):
    """Written where asked, in the format of its ending; never over another file unasked."""
    for name, head in (("x.svg", b"<?xml"), ("x.png", b"\x89PNG"), ("x.pdf", b"%PDF")):
        done = command("heatmap", SORT, "-o", name)
        assert (done.code, done.out, done.err) == (0, "", f"heat map of sort written to {name}\n")
        with open(name, "rb") as file:
            assert file.read(5).startswith(head)
    assert files() == {"x.svg", "x.png", "x.pdf"}
    refused = command("heatmap", SORT, "-o", "x.svg")
    assert (refused.code, refused.out) == (3, "")
    assert command("heatmap", SORT, "-o", "x.svg", "--force", "-q") == (0, "", "")


def test_heatmap_as_text_and_json(command):
    """Shades where there is no terminal; every count as JSON."""
    done = command("heatmap", SORT, "--op", "write")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("sort: write rows by page and time\n")
    assert "rows per cell: ░ 1 to " in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    found = json.loads(command("heatmap", SORT, "--json", "--time-bins", "9", "--page-bins", "5").out)
    heat = tr.heat(SORT, time_bins=9, page_bins=5)
    assert found["counts"] == heat.counts.tolist()
    assert found["first_pages"] == [int(heat.pages[i]) for i in heat.page_edges[:-1]]


@pytest.mark.parametrize("width", [40, 80])
def test_heatmap_fits_the_terminal(width, tmp_path):
    """The map and its axis, even with page numbers of 64 bits."""
    pages = np.random.default_rng(0).integers(2**63, 2**64, 3_000, np.uint64)
    tr.write_trace(tmp_path / "t.parquet", {"page": pages})
    lines = tracereplay("heatmap", tmp_path / "t.parquet", COLUMNS=str(width)).stdout.splitlines()
    assert max(map(len, lines[:-2])) <= width
    cells = [len(re.split("[┤│]", line)[1]) for line in lines[1:21]]
    assert set(cells) == {min(width - 20, 60)}


def test_heatmap_as_wide_as_asked_for():
    """Lines wider than the terminal are not broken."""
    lines = tracereplay("heatmap", SORT, "--time-bins", 200, "--page-bins", 3).stdout.splitlines()
    assert [len(line.split("┤")[1]) for line in lines[1:4]] == [200] * 3


def test_heatmap_in_colours():
    """Half blocks in colours on a terminal; shades and no colour with NO_COLOR."""
    line = [sys.executable, "-m", "tracereplay", "heatmap", str(SORT)]
    coloured = on_a_terminal(line, clean(TERM="xterm-256color"))
    assert re.search(r"\x1b\[38;5;\d+;48;5;\d+m▀", coloured)
    plain = on_a_terminal(line, clean(TERM="xterm-256color", NO_COLOR="1"))
    assert "\x1b" not in plain
    assert "▓" in plain
