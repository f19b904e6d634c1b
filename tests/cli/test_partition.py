"""``tracereplay partition``: the table of the API, as text and JSON."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.trace import Metadata, VMInfo
from tracereplay.trace.schema import METADATA_KEY

GZIP, SORT = trace_path("gzip"), trace_path("sort")
KEPT = "warning: of a reduced trace, miss ratios are of all accesses, those left out included\n"


def test_partition_prints_the_table(command, files):
    """A line per VM and one of all, how good it is, in 80 columns; the same as JSON; no file."""
    table = tr.partition([GZIP, SORT], "60%")
    done = command("partition", GZIP, SORT, "--memory", "60%")
    lines = done.out.splitlines()
    assert (done.code, done.err, files()) == (0, KEPT, set())
    for row, line in zip(table.itertuples(), lines[3:5], strict=True):
        assert line.split() == [
            row.vm,
            str(row.pages),
            str(row.misses),
            f"{row.miss_ratio:.3g}",
            str(row.pages_proportional),
            str(row.misses_proportional),
        ]
    assert lines[6].split()[:2] == ["all", "VMs"]
    assert lines[-2] == "406 pages (1.59 MiB) under lru: no split has fewer misses."
    more = table.attrs["total_proportional"] / table.attrs["total"] - 1
    assert lines[-1] == f"In proportion to footprints: {more:+.1%} misses."
    assert max(map(len, lines)) <= 80
    found = json.loads(command("partition", GZIP, SORT, "-m", "406", "--json", "--quiet").out)
    assert found.pop("vms") == table.to_dict(orient="records")
    assert found == table.attrs


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_file(command, ending, tmp_path):
    """The table of the API; a file that is there stays unless it is forced."""
    words = ["partition", GZIP, SORT, "-m", "60%", "-o", f"p.{ending}"]
    assert command(*words).err == f"{KEPT}table written to p.{ending}\n"
    read = pd.read_parquet if ending == "parquet" else pd.read_csv
    pd.testing.assert_frame_equal(read(tmp_path / f"p.{ending}"), tr.partition([GZIP, SORT], "60%"))
    (tmp_path / f"p.{ending}").write_text("kept")
    assert (command(*words).code, (tmp_path / f"p.{ending}").read_text()) == (3, "kept")
    assert command(*words, "--force").code == 0


@pytest.mark.parametrize("verb", ["partition", "dedup"])
def test_names_that_are_no_words(command, tmp_path, verb):
    """Names are shown as they are, in several lines if need be; all numbers fit beside them."""
    names = ["[red]x[/red]", "[/]", "a-machine-" * 12]
    rows = {"vm": [0, 1, 2] * 9, "page": list(range(27)), "content": list(range(1, 28)), "op": [1] * 27}
    said = Metadata(vms=tuple(map(VMInfo, names))).to_json()
    tr.write_trace(tmp_path / "t.parquet", pa.table(rows).replace_schema_metadata({METADATA_KEY: said}))
    lines = command(verb, "t.parquet", "-m", "100%").out.splitlines()
    assert max(map(len, lines)) <= 80
    text = "".join(line.split("  ")[0].strip() for line in lines)
    assert all(name in text for name in names)
    assert "…" not in "".join(lines)


def test_warnings_are_said(command):
    """On standard error, even when quiet: a reduced trace under another policy."""
    done = command("partition", GZIP, "-m", "100%", "--policy", "fifo", "-q")
    assert done.code == 0
    told = "warning: a reduced trace is exact under LRU and OPT alone: what fifo misses is not\n"
    assert done.err == told + KEPT
    assert "under fifo, simulated at 64 sizes of each VM: no split has" in done.out


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
    "ending": (["partition", GZIP, "-m", "99", "-o", "p.txt"], 2, 'found "p.txt"; expected a file'),
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
