"""ARC's ranges: a page for each block of each."""

from __future__ import annotations

import json

import pytest
from formats.importing import imported, refused, sample

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace
from tracereplay.trace.convert import import_trace

EXAMPLE = b"37412 8 0 1\n37420 1 0 2\n"


def test_ranges_become_pages(tmp_path):
    """In order; a range of no blocks is counted, tabs and CRLF are fine."""
    metadata, rows = imported(tmp_path, "arc", b"10 3 0 1\r\n7\t1\t0\t2\n5 0 0 3\n11 2 0 4")
    assert rows == {"page": [10, 11, 12, 7, 11, 12]}
    assert metadata.source["skipped"] == {"ranges of no blocks": 1}


def test_long_ranges_are_split_in_bounded_memory(tmp_path):
    """Three ranges of four million blocks each are all their blocks, once each."""
    blocks = 1 << 22
    metadata, _ = imported(tmp_path, "arc", b"".join(b"%d %d 0 1\n" % (i * blocks, blocks) for i in range(3)))
    assert (metadata.rows, metadata.vms[0].pages) == (3 * blocks, 3 * blocks)


BAD = {
    b"10 3 0 1\n10 3 0\n": 'source0:2: found "10 3 0"; expected first block, count (at most 4194304), two '
    "more numbers, such as 37412 8 0 1",
    b"10 3 0 1 9\n": 'source0:1: found "10 3 0 1 9"; expected',
    b"10 x 0 1\n": 'source0:1: found "10 x 0 1"; expected',
    b"10 3 0 1x\n": 'source0:1: found "10 3 0 1x"; expected',
    b"10 4194305 0 1\n": 'source0:1: found "10 4194305 0 1"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "arc", content).startswith(BAD[content])


def test_a_real_trace(tmp_path):
    """OLTP of the ARC paper: its references and pages, and the hit ratios that others published."""
    golden = json.loads(sample("goldens/arc.json").read_text())["OLTP"]
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample("arc/OLTP.lis.zst"), target)
    assert (metadata.rows, metadata.vms[0].pages) == (golden["refs"], golden["uniq"]) == (914_145, 186_880)
    for policy in ("lru", "clock"):
        for frames, percent in golden[f"{policy.upper()}_hit%"].items():
            misses = count_misses(open_trace(target), policy, int(frames))
            assert round(100 * (1 - misses / metadata.rows), 4) == percent
