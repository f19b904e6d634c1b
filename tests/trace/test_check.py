"""Findings about traces: what is sound, odd, misleading or invalid."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from trace_rows import FULL

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError
from tracereplay.trace import Metadata, VMInfo, write_trace
from tracereplay.trace.check import CHECKS, Finding, advise, describe
from tracereplay.trace.schema import METADATA_KEY
from tracereplay.trace.survey import survey


def said(table, **fields):
    """A table that brings metadata."""
    return pa.table(table).replace_schema_metadata({METADATA_KEY: Metadata(**fields).to_json()})


def found(source) -> dict[str, Finding]:
    """The findings by name."""
    return {finding.name: finding for finding in tr.check_trace(source)}


def test_every_finding_of_a_small_trace():
    """All of them, in order, by hand."""
    rows = [f.__dict__ for f in tr.check_trace(said(FULL, vms=(VMInfo("a"), VMInfo("b")), rows=5))]
    assert [row.pop("advice") for row in rows] == [
        advise(row["name"]) if row["level"] != "ok" else "" for row in rows
    ]
    assert [tuple(row.values()) for row in rows] == [
        ("rows", "ok", "5 rows: read 1, write 2, free 1, fetch 1", 5, None),
        ("metadata", "ok", "agree with the rows", 0, None),
        ("reduced", "ok", "no: faults are exact for memory of any size", 0, None),
        ("sampled", "ok", "no: the whole trace", 0, None),
        ("recorder", "ok", "says of no accesses that it has not seen", 0, None),
        ("idle-vms", "ok", "none of 2", 0, None),
        ("clock", "ok", "9 accesses from 3 to 12", 0, None),
        ("time-gaps", "note", "the longest time without a row is 4 accesses, 44.4 % of the trace", 1, 2),
        ("first-touches", "note", "3 rows (60 %) touch a page for the first time", 3, 0),
        ("hot-page", "ok", "2 rows (40 %) touch the hottest page", 2, None),
        ("page-numbers", "ok", "0x5 to 0x10000000000", 0, None),
        ("contents", "ok", "3 rows (60 %) know their page's content", 3, None),
        ("zero-pages", "ok", "1 known contents (33.3 %) are the zero page", 1, None),
        ("file-fills", "ok", "no first touches read a page of a file", 0, None),
        (
            "empty-reads",
            "warning",
            "1 first touches (33.3 %) read an unknown page, taken as empty: give contents",
            1,
            0,
        ),
        ("untraced-writes", "ok", "no rows read what no row wrote", 0, None),
        ("reads-after-free", "ok", "no rows read a freed page", 0, None),
    ]


N = 40
WRITES = {"tool": "tracereplay capture, writes"}
CLOCK = {"time": list(range(N)), "page": list(range(N))}
ODD = {
    "no metadata": (
        FULL,
        "metadata",
        "note",
        "none; taken for granted: pages of 4096 bytes, time in accesses",
    ),
    "filtered": (said(FULL, rows=9), "metadata", "warning", "written for another number of rows"),
    "reduced": (said(FULL, reduction={"exact_above": 64}), "reduced", "note", "64 pages or more"),
    "sampled": (tr.sample_trace(FULL, 1, salt=2), "sampled", "note", "a sample of 1 of the pages, salt 2"),
    "writes alone": (
        said(CLOCK, source=WRITES),
        "recorder",
        "warning",
        "writes alone, no reads: tells contents and sharing; not working sets, miss ratios or paging",
    ),
    "merged": (
        said(
            CLOCK,
            source={
                "tool": "tracereplay merge",
                "traces": [
                    {"source": {"tool": "tracereplay import damon"}},
                    {"source": None},
                    {"source": {"tool": "tracereplay merge", "traces": [{"source": WRITES}]}},
                ],
            },
        ),
        "recorder",
        "warning",
        "regions looked at now and then, no single accesses: tells working sets and their change; not counts "
        "of accesses, miss ratios or paging; writes alone, no reads: tells contents and sharing; not working "
        "sets, miss ratios or paging",
    ),
    "a source of another tool": (
        said(CLOCK, source={"tool": ["x"], "traces": 3, "fidelity": 1}),
        "recorder",
        "ok",
        "says of no accesses",
    ),
    "idle": (said(CLOCK, vms=(VMInfo("a"), VMInfo("b"))), "idle-vms", "warning", "1 of 2, the first is VM 1"),
    "still": ({"time": [7, 7], "page": [1, 2]}, "clock", "warning", "all rows have one time"),
    "short": (said(CLOCK, time_unit="ns"), "clock", "warning", "39 ns: shorter than the default tick of 1 s"),
    "gap": ({"time": [0, 1, 9], "page": [1, 2, 3]}, "time-gaps", "note", "8 accesses, 88.9 % of the trace"),
    "cold": (CLOCK, "first-touches", "note", "40 rows (100 %)"),
    "hot": ({"page": [1, 1, 1, 2]}, "hot-page", "note", "3 rows (75 %)"),
    "addresses": ({"page": [4096, 12288]}, "page-numbers", "warning", "all are multiples of 4096"),
    "beyond": ({"page": [1, 2**52]}, "page-numbers", "warning", "beyond 64 bits of guest-virtual addresses"),
    "beyond physical": (
        said({"page": [1, 2**40]}, page_space="guest-physical"),
        "page-numbers",
        "warning",
        "beyond 52 bits of guest-physical addresses",
    ),
    "no contents": (CLOCK, "contents", "note", "none: page sharing cannot be replayed"),
    "file": (
        {"page": [1, 2], "content": [8, 0]},
        "file-fills",
        "ok",
        "1 first touches (50 %) read a page of",
    ),
    "empty": (
        {"page": [1, 2], "op": [0, 1]},
        "empty-reads",
        "warning",
        "1 first touches (50 %) read an unknown page, taken as empty: give contents",
    ),
    "untraced": (
        {"page": [1, 1, 1], "op": [1, 0, 3], "content": [8, 9, 9]},
        "untraced-writes",
        "warning",
        "1 rows (33.3 %) read what no row wrote",
    ),
    "freed": (
        {"page": [1, 1, 1], "op": [1, 2, 0]},
        "reads-after-free",
        "note",
        "1 rows (33.3 %) read a freed",
    ),
    "wrong footprint": (
        said(FULL, vms=(VMInfo("a", pages=9), VMInfo("b"))),
        "metadata",
        "error",
        "<table>: metadata: vms[0].pages: found 9; expected 1 as counted; write the trace again",
    ),
    "wrong times": (
        said(FULL, time_range=(0, 12)),
        "metadata",
        "error",
        "<table>: metadata: time_range: found [0, 12]; expected [3, 12]; write the trace again",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_odd_is_told(case):
    """Name, level and text of one oddity."""
    source, name, level, text = ODD[case]
    finding = found(source)[name]
    assert (finding.level, text in finding.text) == (level, True), finding


PERF = "ls  6688/6688   2612.368131: {}:     558f0a6d85c0 ffffffff817554ea\n"
RECORDERS = {
    "perf-script": (PERF.format("page-faults"), "page faults alone, no other accesses: tells footprints"),
    "perf-script:physical=false": (
        PERF.format("mem-loads"),
        "some of the accesses: tells which pages are hot",
    ),
    "damon": (
        "kdamond.0 4452 [000] 82820.952659: damon:damon_aggregated: target_id=0 nr_regions=1 4096-8192: 3\n",
        "regions looked at now and then",
    ),
    "memory-snapshot": ("x" * 4096, "pages that changed between snapshots, no accesses: tells contents"),
}


@pytest.mark.parametrize("format", RECORDERS)
def test_what_recorders_do_not_see(format, tmp_path):
    """An import says who recorded, and the check what cannot be learned of it."""
    content, text = RECORDERS[format]
    source = tmp_path / "source"
    source.write_text(content)
    tr.import_trace(format, source, tmp_path / "t.parquet")
    finding = found(tmp_path / "t.parquet")["recorder"]
    assert (finding.level, finding.text.startswith(text)) == ("warning", True), finding


def test_every_invalid_column_is_told():
    """The reader's first finding in each of them; the sound ones are said to be so."""
    rows = {"time": [4, 3], "page": [1, 2], "op": [1, 9]}
    first, *_ = findings = tr.check_trace(rows)
    assert [(f.name, f.level, f.row) for f in findings] == [
        ("column-time", "error", 1),
        ("column-page", "ok", None),
        ("column-op", "error", 1),
    ]
    with pytest.raises(TraceError) as caught:
        survey(tr.open_trace(rows))
    assert first.text == str(caught.value)


def test_a_damaged_file_and_one_that_does_not_open(tmp_path):
    """Damage is a finding; what is no trace at all is an error."""
    path = tmp_path / "t.parquet"
    write_trace(path, {"page": np.arange(10_000)})
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    (finding,) = tr.check_trace(path)
    assert (finding.name, finding.level) == ("column-page", "error")
    assert "damaged at or after this row" in finding.text
    with pytest.raises(TraceError, match="no such file"):
        tr.check_trace(tmp_path / "none.parquet")


@pytest.mark.parametrize("name", ["gzip", "sort", "two-guests"])
def test_events_are_those_of_a_replay_with_room_for_all(name):
    """Where no page is evicted, a replay counts the same first touches, file fills and untraced writes."""
    path = trace_path(name)
    totals = tr.replay({"host": {"memory": "100%"}, "vm": [{"trace": str(path)}]}).totals
    findings = found(path)
    assert findings["first-touches"].count == totals["guest_minor_faults"]
    assert findings["file-fills"].count == totals["guest_file_fills"]
    assert findings["untraced-writes"].count == totals["untraced_writes"]


def test_rows_of_frees_and_unknown_contents_are_followed():
    """Random rows of every kind, against the replay's counters."""
    rng = np.random.default_rng(5)
    n = 5_000
    rows = pa.table(
        {
            "page": rng.integers(0, 50, n),
            "op": rng.choice([0, 0, 1, 2, 3], n),
            "content": pa.array(rng.integers(0, 6, n), mask=rng.random(n) < 0.3),
        }
    )
    totals = tr.replay({"host": {"memory": "100%"}, "vm": [{"trace": "t"}]}, {"t": rows}).totals
    findings = found(rows)
    assert findings["file-fills"].count == totals["guest_file_fills"] > 0
    assert findings["untraced-writes"].count == totals["untraced_writes"] > 0


def test_each_check_says_what_it_looks_for():
    """A line each, for the table of the command line, and what to do but for what is always ok."""
    assert all(describe(name).endswith(".") for name in CHECKS)
    always_ok = {"rows", "zero-pages", "file-fills"}
    assert {name for name in CHECKS if not advise(name).endswith(".")} == always_ok
    assert advise("idle-vms") == "A replay gives each of them one page: leave them out with slice --vms."
    assert list(CHECKS) == [finding.name for finding in tr.check_trace(CLOCK)]
