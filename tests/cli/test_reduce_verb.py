"""``reduce``: a smaller trace, and what is said of it."""

from __future__ import annotations

import json

import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

SORT = trace_path("sort")


def test_reduce(command, files):
    """Pages, sizes and shares; how many rows are left is said, the metadata come as JSON."""
    done = command("reduce", SORT, "--exact-above", "128", "-o", "a.parquet")
    rows, of = tr.open_trace("a.parquet").n_rows, tr.open_trace(SORT).n_rows
    assert rows < of / 3
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [
        f"{rows:,} rows of 1 VM written to a.parquet",
        f"{100 * rows / of:.3g} % of {of:,} rows; exact for memories of 128 pages or more",
    ]
    done = command("reduce", SORT, "--exact-above", "512KiB", "-o", "b.parquet", "--json", "-q")
    assert (done.err, json.loads(done.out)) == ("", tr.open_trace("a.parquet").metadata.to_dict())
    assert command("reduce", SORT, "--exact-above", "50%", "-o", "b.parquet", "--force").code == 0
    assert tr.open_trace("b.parquet").metadata.exact_above == 431 // 2
    refused = command("replay", "b.parquet", "--memory", "214")
    assert (refused.code, refused.out) == (3, "")
    assert files() == {"a.parquet", "b.parquet"}


BAD = {
    (): (2, "reduce: expected --exact-above K and -o FILE, as in: reduce t.parquet --exact-above 10%"),
    ("-o", "t.parquet"): (2, "reduce: expected --exact-above K and -o FILE"),
    ("-o", "t.parquet", "--exact-above", "0"): (2, 'reduce: exact_above: found "0"; expected at least one'),
    ("-o", "t.parquet", "--exact-above", "64M"): (2, 'reduce: exact_above: found "64M"; expected a size'),
    ("-o", "no/t.parquet", "--exact-above", "64"): (3, "no/t.parquet: no directory no to write to"),
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_words_that_do_not_fit(command, files, words):
    """Found, expected, what to do; nothing is written."""
    code, message = BAD[words]
    done = command("reduce", SORT, *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert files() == set()
