"""``tracereplay surface``: tables for people and programs, a picture, and what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.analysis.double_paging import anomaly
from tracereplay.bundled import trace_path
from tracereplay.report import style
from tracereplay.report.surface import figure
from tracereplay.studies.random_host import random_host_surface

GZIP, GUESTS = trace_path("gzip"), trace_path("two-guests")


def test_the_terminal(command, files):
    """A table of six by six sizes and a sentence, within 80 columns; nothing is written."""
    done = command("surface", GZIP)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].rstrip() == "gzip: pages read from all devices, guest LRU, host LRU"
    assert len(lines[1].split("KiB")) == 7
    assert max(map(len, lines)) <= 80
    worst = anomaly(tr.double_paging_surface(GZIP))
    assert worst is not None
    told = " ".join(line.strip() for line in lines)
    assert f"on a host of {worst.host_pages} frames" in told
    assert f"A balloon of 1 page saves the {worst.cost:,.0f} in between." in told
    assert files() == set()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files(command, ending, tmp_path):
    """The whole table and the picture are those of the API; what is said goes to standard error."""
    sizes = ["--guest-sizes", "50%,400KiB, 90", "--host-sizes", "80,90"]
    done = command("surface", GZIP, *sizes, "-o", f"s.{ending}", "--plot", "s.svg", "--json")
    assert (done.code, done.err) == (0, f"table written to s.{ending}\npicture written to s.svg\n")
    expected = tr.double_paging_surface(GZIP, ["50%", "400KiB", 90], [80, 90])
    read = pd.read_parquet if ending == "parquet" else pd.read_csv
    pd.testing.assert_frame_equal(read(tmp_path / f"s.{ending}"), expected)
    (tmp_path / "again").mkdir()
    style.save(figure(expected), tmp_path / "again/s.svg")
    assert (tmp_path / "s.svg").read_bytes() == (tmp_path / "again/s.svg").read_bytes()
    data = json.loads(done.out)
    assert data["surface"] == expected.to_dict(orient="records")
    assert {key: data[key] for key in expected.attrs} == expected.attrs
    assert data["anomaly"] == anomaly(expected)._asdict()


def test_a_random_host(command, tmp_path):
    """Its means and law beside the exact surface; that a reduced trace is not exact for it is a warning."""
    sizes = ["--guest-sizes", "90,120", "--host-sizes", "90"]
    done = command("surface", GZIP, *sizes, "--random-host", "--seeds", "2", "--json", "-q", "-o", "s.csv")
    data = json.loads(done.out)
    measured = random_host_surface(GZIP, [90, 120], [90], seeds=2)
    rows = measured.to_dict(orient="records")
    assert data["random_host"]["surface"] == rows
    table = pd.read_csv(tmp_path / "s.csv")
    assert table["host_policy"].tolist() == ["lru", "lru", "random", "random"]
    of_random = table[table["host_policy"] == "random"].drop(columns="host_policy")
    pd.testing.assert_frame_equal(of_random.reset_index(drop=True), measured, check_dtype=False)
    assert (data["random_host"]["seeds"], data["random_host"]["law"]["points"]) == (2, 1)
    assert done.err.startswith(f"warning: {GZIP}: a reduced trace, in which a host that chooses at random")
    text = command("surface", GZIP, *sizes, "--random-host", "--seeds", "1", "-q").out
    assert "guest LRU, host random" in text
    assert "At 1 measured pair of" in text


BAD = {
    "no VM": ([GUESTS], 2, 'vm: found nothing, and 2 VMs in the trace; expected one of "guest1", "guest2"'),
    "no file": (["none.parquet"], 3, "none.parquet: no such file"),
    "size": ([GZIP, "--host-sizes", "1M"], 2, 'host_sizes: found "1M"; expected a size such as "64MiB"'),
    "no size": ([GZIP, "--guest-sizes", ""], 2, 'guest_sizes: found ""; expected a size such as "64MiB"'),
    "ending": ([GZIP, "-o", "s.txt"], 2, 'found "s.txt"; expected a file that ends in one of .parquet, .csv'),
    "picture": ([GZIP, "--plot", "s.gif"], 2, 'found "s.gif"; expected a file that ends in one of .svg'),
    "one size": (
        [GZIP, "--guest-sizes", "90,95", "--host-sizes", "90", "--plot", "s.svg", "-o", "s.csv"],
        2,
        "surface: found 2 and 1 sizes; expected two or more of guest and host for a picture",
    ),
    "jobs": ([GZIP, "--random-host", "--jobs", "0"], 2, "jobs: found 0; expected 1 or more"),
    "seeds": ([GZIP, "--random-host", "--seeds", "0"], 2, "seeds: found 0; expected 1 or more"),
}


@pytest.mark.parametrize("case", BAD)
def test_words_that_do_not_fit(command, files, case):
    """One message, the code that tells a wrong word from a wrong file, and nothing written."""
    words, code, message = BAD[case]
    done = command("surface", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert files() == set()


def test_an_existing_file_stays(command, tmp_path):
    """Unless it is forced."""
    (tmp_path / "s.csv").write_text("kept")
    done = command("surface", GZIP, "-o", "s.csv")
    assert (done.code, (tmp_path / "s.csv").read_text()) == (3, "kept")
    assert command("surface", GZIP, "-o", "s.csv", "--force", "-q")[0] == 0
    assert len(pd.read_csv(tmp_path / "s.csv")) == len(tr.double_paging_surface(GZIP))


def test_frees_are_warned_of(command, tmp_path):
    """Even when quiet: they change what the numbers mean."""
    tr.write_trace(tmp_path / "t.parquet", {"page": np.arange(9), "op": [1] * 8 + [2]})
    done = command("surface", "t.parquet", "-q")
    assert done.err == "warning: t.parquet: 1 FREE row is left out, as if no page was freed\n"
