"""``tracereplay partition``: the table of the API, as text and JSON."""

from __future__ import annotations

import json

import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

GZIP, SORT = trace_path("gzip"), trace_path("sort")


def test_partition_prints_the_table(command, files):
    """A line per VM and one of all, how good it is, in 80 columns; the same as JSON; no file."""
    table = tr.partition([GZIP, SORT], "60%")
    done = command("partition", GZIP, SORT, "--memory", "60%")
    lines = done.out.splitlines()
    assert (done.code, done.err, files()) == (0, "", set())
    for row, line in zip(table.itertuples(), lines[3:5], strict=True):
        assert line.split() == [
            row.vm,
            str(row.pages),
            str(row.misses),
            f"{row.miss_ratio:.4f}",
            str(row.pages_proportional),
            str(row.misses_proportional),
        ]
    assert lines[6].split()[:2] == ["all", "VMs"]
    assert lines[-2] == "406 pages (1.59 MiB) under lru: no split has fewer misses."
    assert lines[-1].startswith("In proportion to footprints: +")
    assert max(map(len, lines)) <= 80
    found = json.loads(command("partition", GZIP, SORT, "-m", "406", "--json", "--quiet").out)
    assert found.pop("vms") == table.to_dict(orient="records")
    assert found == table.attrs | {"warnings": []}


def test_warnings_are_said(command):
    """On standard error, even when quiet: a reduced trace under another policy."""
    done = command("partition", GZIP, "-m", "100%", "--policy", "fifo", "-q")
    assert done.code == 0
    assert done.err == "warning: a reduced trace is exact under LRU alone: what fifo misses is not\n"


BAD = {
    "no memory": (
        ["partition", GZIP],
        2,
        "partition: expected --memory, as in: partition a.parquet b.parquet",
    ),
    "not a size": (
        ["partition", GZIP, "-m", "3g"],
        2,
        'partition: found "3g"; expected a size such as "64MiB"',
    ),
    "too little": (
        ["partition", GZIP, "-m", "9"],
        2,
        "memory: found 9 pages; expected at least 64, which its",
    ),
    "no jobs": (["partition", GZIP, "-m", "99", "--jobs", "0"], 2, "jobs: found 0; expected 1 or more"),
    "no such file": (
        ["partition", "none.parquet", "-m", "9"],
        3,
        "none.parquet: no such file; check the path",
    ),
    "no policy": (["partition", GZIP, "-m", "99", "--policy", "lur"], 2, 'partition: found "lur"; expected'),
}


@pytest.mark.parametrize("case", BAD)
def test_words_that_do_not_fit(command, case):
    """One message, and the code that tells a wrong word from a wrong file."""
    words, code, message = BAD[case]
    done = command(*words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
