"""``tracereplay mrc``: a table, JSON, files and pictures; words that do not fit."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

SORT, GZIP = trace_path("sort"), trace_path("gzip")


def test_table_files_and_picture(command, files):
    """Data to standard output, warnings and what was written to standard error, each file once."""
    done = command(
        "mrc", SORT, "--policy", "lru,opt", "--sizes", "64,50%", "-o", "t.parquet", "--plot", "t.svg"
    )
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()][1::2] == [
        ["pages", "memory", "lru", "opt"],
        ["64", "256", "KiB", *ratios(64)],
    ]
    assert done.out.split()[-5:] == ["215", "860", "KiB", *ratios(215)]
    warning, *said = done.err.splitlines()
    assert warning.startswith("warning: ")
    assert "a reduced trace" in warning
    assert said[:2] == ["curves written to t.parquet", "picture written to t.svg"]
    most, least = tr.mrc(SORT, sizes=[64, 215])["misses"]
    assert said[2:] == [
        f"sort under lru: of the {most - least:,} misses that more memory than 256 KiB saves, 860 KiB saves "
        "90%; more than 860 KiB saves no more"
    ]
    expected = tr.mrc(str(SORT), "lru,opt", sizes="64,50%")
    pd.testing.assert_frame_equal(pd.read_parquet("t.parquet"), expected)
    assert files() == {"t.parquet", "t.svg"}
    again = command("mrc", SORT, "-o", "t.parquet")
    assert (again.code, again.out) == (3, "")
    assert "exists already" in again.err
    assert command("mrc", SORT, "-o", "t.parquet", "--force", "-q").code == 0


def ratios(size: int) -> list[str]:
    return [f"{10**6 * ratio:.1f}" for ratio in tr.mrc(SORT, "lru,opt", sizes=size)["miss_ratio"]]


def test_json(command):
    """All traces, sizes and columns, and what is said once of all."""
    done = command("mrc", SORT, GZIP, "--jobs", "2", "--json", "--quiet")
    found, table = json.loads(done.out), tr.mrc([str(SORT), str(GZIP)])
    assert found.pop("curves") == table.to_dict(orient="records")
    assert found == table.attrs


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-o", "t.txt"], 2, 'found "t.txt"; expected a file that ends in one of .parquet, .csv'),
        (["--plot", "t.gif"], 2, 'found "t.gif"; expected a file that ends in one of .svg, .png, .pdf'),
        (["--policy", "lruu"], 2, 'did you mean "lru"?'),
        (["--sizes", "0"], 2, 'sizes: found "0"; expected at least one page'),
        (["--vm", "other"], 2, 'vm: found "other"; expected an index below 1, or one of "gzip"'),
        (["--jobs", "0"], 2, "jobs: found 0; expected 1 or more"),
        (["--seed", "-1"], 2, "seed: found -1; expected 0 to 2^64 - 1"),
    ],
)
def test_words_that_do_not_fit(command, files, words, code, message):
    """One message, no traceback, no file."""
    done = command("mrc", GZIP, *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert files() == set()
