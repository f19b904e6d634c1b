"""``compat``: the numbers of another simulator, in its own words."""

from __future__ import annotations

import json

import pytest
from formats.importing import sample

import tracereplay as tr
from tracereplay.analysis.one_level import Traffic, count_traffic
from tracereplay.trace import open_trace
from tracereplay.trace.convert import import_trace

TEXT = b"00000000 W\n00001000 R\n00000000 R\n00002000 W\n00003000 R\n00001004 R\n"
# Two frames, LRU: 0 dirty, 1 | hit 0 | 2 dirty for 1 | 3 for 0 (written back) | 1 for 2 (written back)
SUMMARY = """\
total memory frames:  2
events in trace:      6
total disk reads:     5
total disk writes:    2
page fault rate:      0.8333
"""
CLOCK = "clock: the reference bit is clear on load; memsim sets it, as --set-on-load does\n"


@pytest.fixture
def text(tmp_path):
    (tmp_path / "t.txt").write_bytes(TEXT)
    return tmp_path / "t.txt"


def test_a_text_and_a_trace_print_the_same(command, files, text):
    """Five lines as memsim's, worked out by hand; nothing else is left."""
    assert command("compat", "memsim", text, 2, "lru") == (0, SUMMARY, "")
    assert files() == {"t.txt"}
    assert command("import", "memsim", text, "-o", "t.parquet", "-q").code == 0
    assert command("compat", "memsim", "t.parquet", 2, "lru") == (0, SUMMARY, "")


def test_json(command, text):
    """The same for programs."""
    found = json.loads(command("compat", "memsim", text, 2, "lru", "--json").out)
    assert found == {"frames": 2, "events": 6, "disk_reads": 5, "disk_writes": 2, "page_fault_rate": 5 / 6}


def test_what_differs_is_said(command, tmp_path, text):
    """FREE rows are no events; CLOCK's bit is clear on load unless asked for."""
    rows = {"page": [1, 2, 1], "op": [1, 0, 2]}
    tr.write_trace(tmp_path / "f.parquet", rows)
    done = command("compat", "memsim", "f.parquet", 1, "fifo")
    assert done.err == "left out: 1 FREE rows, which memsim has not\n"
    assert done.out.splitlines()[1:4] == [
        "events in trace:      2",
        "total disk reads:     2",
        "total disk writes:    1",
    ]
    assert command("compat", "memsim", text, 2, "clock").err == CLOCK
    assert command("compat", "memsim", text, 2, "clock", "--set-on-load").err == ""
    assert command("compat", "memsim", text, 2, "clock", "-q").err == ""


KEPT = "a reduced trace: events and page fault rate are of the accesses kept"
CAUTIONS = {
    ("lru", 2, 0): [KEPT],
    ("opt", 3, 0): [KEPT],
    ("lru", 1, 0): [KEPT, "reduced, it is exact from 2 frames on: what 1 read and write is not"],
    ("fifo", 3, 0): [KEPT, "reduced, it is exact under LRU and OPT alone: what fifo reads and writes is not"],
    ("lru", 9, 1): [
        KEPT,
        "reduced, it is exact for each VM alone: what one memory for all reads and writes is not",
    ],
}


@pytest.mark.parametrize("case", CAUTIONS)
def test_what_a_reduced_trace_does_not_tell_is_warned_of(command, tmp_path, case):
    """Even when quiet: policies, memories and VMs for which it is not exact, and what a rate is of."""
    policy, frames, second = case
    rows = {"page": [1, 2, 1], "vm": [0, second, 0]}
    tr.write_trace(tmp_path / "r.parquet", rows, reduction={"exact_above": 2})
    done = command("compat", "memsim", "r.parquet", frames, policy, "-q")
    assert (done.code, done.err.splitlines()) == (
        0,
        [f"warning: r.parquet: {text}" for text in CAUTIONS[case]],
    )


def test_a_sample_is_warned_of(command, tmp_path):
    """Its counts are not those of the trace."""
    sample = {"by": "pages", "rate": 0.5, "salt": 0}
    tr.write_trace(tmp_path / "s.parquet", {"page": [1]}, provenance={"sample": sample})
    assert command("compat", "memsim", "s.parquet", 2, "lru", "-q").err == (
        "warning: s.parquet: a sample of 0.5 of the pages: all numbers are of the rows kept\n"
    )


@pytest.mark.parametrize("policy", ["lru", "random"])
def test_more_memory_than_there_is(command, text, policy):
    """A memory that never fills up needs none: first touches alone are read, at any size."""
    most = 2**63 - 1
    done = command("compat", "memsim", text, most, policy)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"total memory frames:  {most}",
        "events in trace:      6",
        "total disk reads:     4",
        "total disk writes:    0",
        "page fault rate:      0.6667",
    ]


WRONG = {
    ("memsin", "t.txt", 2, "lru"): (2, 'compat: found "memsin"; expected "memsim"; did you mean "memsim"?'),
    ("memsim", "t.txt", 0, "lru"): (2, 'compat: found "0"; expected at least 1 frame'),
    ("memsim", "t.txt", -1, "lru"): (
        2,
        'compat: found "-1"; expected a count such as 1000 or "100k"; it cannot',
    ),
    ("memsim", "t.txt", 2**63, "lru"): (2, f'compat: found "{2**63}"; expected a number up to {2**63 - 1}'),
    ("memsim", "t.txt", "few", "lru"): (2, 'compat: found "few"; expected a count such as 1000 or "100k"'),
    ("memsim", "t.txt", 2, "lur"): (2, 'compat: found "lur"; expected one of'),
    ("memsim", "u.txt", 2, "lru"): (3, "u.txt: no such file; check the path"),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words(command, text, words):
    """Found, expected, and what was meant."""
    code, message = WRONG[words]
    done = command("compat", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")


FAMILY = ["trace1-8frames-lru", "trace1-8frames-clock", "trace2-6frames-lru.ans", "trace3-4frames-lru"]


@pytest.mark.parametrize("expected", [*FAMILY, "trace1-4frames-clock"])
def test_the_familys_own_summaries(command, expected):
    """To the letter; of the last one only with the bit set on load, as 9 reads and 3 writes give away."""
    name, frames, policy = expected.removesuffix(".ans").split("-")
    words = ("compat", "memsim", sample(f"memsim/{name}"), frames.removesuffix("frames"), policy)
    summary = sample(f"memsim/{expected}").read_text()
    assert command(*words, "--set-on-load").out == summary
    assert (command(*words).out == summary) == (expected in FAMILY)


@pytest.mark.parametrize("name", ["bzip", "gcc"])
def test_a_million_accesses(tmp_path, name):
    """Faults and write-backs that others counted, at every size, with CLOCK's bit clear and set on load."""
    golden = json.loads(sample("goldens/memsim.json").read_text())[name]
    import_trace("memsim", sample(f"memsim/{name}.trace.gz"), tmp_path / "t.parquet")
    trace = open_trace(tmp_path / "t.parquet")
    ways = [
        ("LRU", "lru", False),
        ("FIFO", "fifo", False),
        ("CLOCK_ref0", "clock", False),
        ("CLOCK_ref1", "clock", True),
    ]
    for row in golden["rows"]:
        for key, policy, set_on_load in ways:
            found = count_traffic(trace, policy, row["frames"], hit_on_load=set_on_load)
            assert found == Traffic(golden["n"], *row[key], frees=0), (row["frames"], key)
        assert count_traffic(trace, "opt", row["frames"]).misses == row["OPT_faults"], row["frames"]
