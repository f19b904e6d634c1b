"""``tracereplay stat``: a page, JSON and pictures; words that do not fit."""

from __future__ import annotations

import json

import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

GZIP, GUESTS = trace_path("gzip"), trace_path("two-guests")
SMALL = {
    "time": [0, 10**6, 2 * 10**6, 5 * 10**6, 9 * 10**6],
    "page": [1, 2, 1, 1, 3],
    "op": [1, 0, 0, 2, 0],
}
PAGE = """\
vm0
accesses     4: 75 % reads, 25 % writes; FREE rows: 1
pages        3 pages (12 KiB), 1.33 accesses to each: 1 written, 2 only read; 2
             touched once
popularity   of the accesses 50 % go to 1 %, 50 % go to 10 % of the pages;
             Zipf's α 0.67, R² 0.87
reuse        half of it at stack distances up to 1, 99 % up to 1
LRU memory   none hits more than 25 %
working set  1 page (4 KiB) on average, 2 pages (8 KiB) at most, in windows of 3
             ms
phases       1 of two windows or more, 50 % of the time

over 9 ms
  working set     █  ▄ █ 8 KiB
  footprint       ▆▆▆█ █ 12 KiB
  phases          ││─│

until touched again, in powers of two
  other pages      █
  accesses          █
  trace time                           █
                   2⁰   2⁵   2¹⁰  2¹⁵  2²⁰

part of the trace     1/32     1/16       1/8        1/4        1/2
───────────────────────────────────────────────────────────────────
τ                   281 us   562 us   1.12 ms    2.25 ms     4.5 ms
mean working set     384 B    768 B   1.5 KiB   2.89 KiB   4.89 KiB
idle, on average      95 %   90.1 %    80.1 %     61.8 %     35.3 %
idle at the end     66.7 %   66.7 %    66.7 %     66.7 %     66.7 %
"""
"""Windows hold pages 1 2 1, none, none, and 3.  Pages stay in the working set for 2, 7 and 8 ms, or τ if that
is less, page 3 for no time: 2 + 4.5 + 4.5 of 9 ms for a τ of 4.5 ms, 1.22 pages of a footprint of 17 / 9."""


def plain(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_page(command):
    """The facts of a small trace in sentences, blocks and a table."""
    tr.write_trace("t.parquet", SMALL, time_unit="ns")
    done = command("stat", "t.parquet", "--window", "3ms", "-q")
    assert (done.code, done.err) == (0, "")
    assert plain(done.out) == plain(PAGE)


def test_every_vm_fits(command):
    """Two guests, one below the other, in 80 columns; warnings even when quiet."""
    done = command("stat", GUESTS, "-q", "--jobs", "2")
    assert done.code == 0
    assert [line for line in plain(done.out) if line.startswith("guest")] == ["guest1", "guest2"]
    assert max(map(len, done.out.splitlines())) <= 80
    assert "…" not in done.out
    assert [line.split(": ")[2] for line in done.err.splitlines()] == [
        "a reduced trace, without accesses that no memory of 512 pages or more could miss",
        "recorded below the guest's own paging",
    ]


def test_json_and_picture(command, files):
    """The numbers of the API, and a picture beside them."""
    done = command("stat", GZIP, "--json", "--plot", "g.svg", "--vm", "gzip")
    assert json.loads(done.out) == json.loads(json.dumps(tr.stat(str(GZIP)).to_dict()))
    assert done.err.splitlines()[-1] == "picture written to g.svg"
    assert files() == {"g.svg"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--plot", "t.gif"], 2, 'found "t.gif"; expected a file that ends in one of .svg, .png, .pdf'),
        (["--vm", "other"], 2, 'vm: found "other"; expected an index below 1, or one of "gzip"'),
        (["--window", "soon"], 2, 'window: found "soon"; expected a time such as "10s"'),
    ],
)
def test_words_that_do_not_fit(command, files, words, code, message):
    """One message, no traceback, no file."""
    done = command("stat", GZIP, *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert files() == set()
