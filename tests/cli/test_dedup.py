"""``tracereplay dedup``: the tables of the API, as text and JSON."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

GZIP, SORT = trace_path("gzip"), trace_path("sort")
WARNING = (
    f"warning: {GZIP}, {SORT}: a reduced trace, exact for memories of pages, 64 or more for each VM: what "
    "memories of contents miss is not exact at any size; miss ratios are of all 45,738,059 accesses, those "
    "left out included\n"
)


def test_dedup_prints_the_tables(command, files):
    """Footprints by group, misses by size, sizes by miss ratio, in 80 columns; no file is left."""
    done = command("dedup", GZIP, SORT, "--memory", "50%,2MiB", "--miss-ratio", "5%,0.001%")
    assert (done.code, done.err, files()) == (0, WARNING, set())
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    found = tr.content_curves(tr.merge([GZIP, SORT]))
    cells = [line.split() for line in lines]
    for row in found.footprints.to_dict(orient="records"):
        name = "all VMs" if row["vms"] == "gzip, sort" else row["vms"]
        counts = [row[key] for key in ("pages", "contents_alone", "contents", "shared")]
        assert [*name.split(), *map(str, counts)] in cells
    for row in found.table([339, 512]).to_dict(orient="records"):
        assert any(f"{row['misses_contents_together']:,}" in line for line in cells)
    (five, least) = [line for line in lines if line.startswith(("0.0", "1e"))]
    assert (five.split()[0], least.split()) == ("0.05", ["1e-05", "never", "never", "never"])


def test_dedup_json(command):
    """The same numbers, nothing where nothing misses as little; estimates with their bands."""
    found = tr.content_curves(tr.merge([GZIP, SORT]))
    done = command("dedup", GZIP, SORT, "-m", "400,100%", "--miss-ratio", "0.001%", "--json", "-q")
    assert json.loads(done.out) == {
        "page_size": 4096,
        "exact_above": 64,
        "warnings": [WARNING.removeprefix("warning: ").strip()],
        "footprints": found.footprints.to_dict(orient="records"),
        "misses": found.table([400, 678]).to_dict(orient="records"),
        "needed": [
            {"miss_ratio": 1e-05, "pages": None, "contents_alone": None, "contents_together": None},
        ],
    }
    done = command("dedup", GZIP, "-m", "100%", "--sample", "rate=50%,salts=2", "--json", "-q")
    (row,) = json.loads(done.out)["misses"]
    assert row["low"] <= row["misses_contents_together"] <= row["high"]
    assert "± 95 %" in command("dedup", GZIP, "-m", "100%", "--sample", "rate=50%,salts=2", "-q").out


def test_files(command, tmp_path):
    """The table and the picture; a file that is there stays unless it is forced."""
    words = ["dedup", GZIP, SORT, "-m", "400,100%", "-o", "d.parquet", "--plot", "d.png"]
    done = command(*words)
    assert (done.code, done.err) == (0, f"{WARNING}table written to d.parquet\npicture written to d.png\n")
    found = tr.content_curves(tr.merge([GZIP, SORT])).table("400,100%")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "d.parquet"), found)
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")
    again = command(*words)
    assert (again.code, "d.parquet" in again.err) == (3, True)
    assert command(*words, "--force", "-q").code == 0


def test_a_trace_without_contents_among_others(command, tmp_path):
    """Its name is said, as nothing of it is shared; alone it is refused."""
    tr.write_trace(tmp_path / "bare.parquet", {"time": [1, 2], "page": [1, 2], "op": [1, 1]})
    done = command("dedup", GZIP, "bare.parquet", "-m", "100%", "-q")
    assert done.code == 0
    first, second = done.err.splitlines()
    assert first == "warning: no page contents in bare.parquet: what is written there is not shared"
    assert second.startswith(f"warning: {GZIP}, bare.parquet: a reduced trace, exact for memories of pages")
    done = command("dedup", "bare.parquet")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("tracereplay: bare.parquet: found no page contents; expected some")


BAD = {
    "not a size": (["dedup", GZIP, "-m", "1MiB,3x"], 2, 'memory: found "3x"; expected a size'),
    "too little": (["dedup", GZIP, "-m", "9"], 2, "memory: found 9 pages; expected at least 64"),
    "not a ratio": (["dedup", GZIP, "--miss-ratio", "a"], 2, 'miss ratio: found "a"; expected a'),
    "no ratio": (["dedup", GZIP, "--miss-ratio", ""], 2, 'miss ratio: found ""; expected a'),
    "ending": (["dedup", GZIP, "-o", "d.txt"], 2, 'found "d.txt"; expected a file that ends in one of'),
    "picture": (["dedup", GZIP, "--plot", "d.gif"], 2, 'found "d.gif"; expected a file that ends in one of'),
    "pages sampled": (["dedup", GZIP, "--sample", "1k"], 2, "sample: found 1000 pages; expected a rate"),
    "nothing sampled": (
        ["dedup", GZIP, SORT, "--sample", "0.001%"],
        3,
        f"{GZIP}, {SORT}: found no access to a page of VM",
    ),
    "no jobs": (["dedup", GZIP, "--jobs", "0"], 2, "jobs: found 0; expected 1 or more"),
    "no such file": (["dedup", "none.parquet"], 3, "none.parquet: no such file; check the path"),
}


@pytest.mark.parametrize("case", BAD)
def test_words_that_do_not_fit(command, case):
    """One message, and the code that tells a wrong word from a wrong file."""
    words, code, message = BAD[case]
    done = command(*words, "-q")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
