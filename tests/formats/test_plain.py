"""Plain page numbers: one a line, LIRS's checkpoints left out and counted."""

from __future__ import annotations

import json

import pytest
from formats.importing import imported, refused, sample

from tracereplay.analysis.one_level import count_misses
from tracereplay.trace import open_trace
from tracereplay.trace.convert import export_trace, import_trace

EXAMPLE = b"2819\n85\n560\n40\n"


def test_numbers_are_pages(tmp_path):
    """CRLF, blank lines, leading spaces and a last line without an end are fine; ``*`` is counted."""
    metadata, rows = imported(tmp_path, "plain", b"2819\r\n\n  85\r\n*\n18446744073\n*\n0")
    assert rows == {"page": [2819, 85, 18446744073, 0]}
    assert metadata.source["skipped"] == {"checkpoint lines (*)": 2}
    assert imported(tmp_path, "plain", b"1\n2", b"3\n")[1] == {"page": [1, 2, 3]}
    large = b"18446744073709551615\n10000000000000000000\n00000000000000000000007\n"
    assert imported(tmp_path, "plain", large)[1] == {"page": [2**64 - 1, 10**19, 7]}
    assert imported(tmp_path, "auto", large[:42])[1] == {"page": [2**64 - 1, 10**19]}


BAD = {
    b"1\nx\n": 'source0:2: found "x"; expected a page number in decimal, such as 2819',
    b"1\n\n\n2 3\n": 'source0:4: found "2 3"; expected',
    b"-1\n": 'source0:1: found "-1"; expected',
    b"1.5\n": 'source0:1: found "1.5"; expected',
    b"**\n": 'source0:1: found "**"; expected',
    b"18446744073709551616\n": 'source0:1: found "18446744073709551616"; expected',
    b"20000000000000000000\n": 'source0:1: found "20000000000000000000"; expected',
    b"184467440737095516150\n": 'source0:1: found "184467440737095516150"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "plain", content).startswith(BAD[content])


def test_export_and_back(tmp_path):
    """The pages come back; what the format cannot say is told."""
    imported(tmp_path, "memsim", b"00001000 R\n00000000 W\n7fff00001000 R\n")
    target = tmp_path / "back.txt"
    found = export_trace("plain", tmp_path / "imported.parquet", target)
    assert target.read_bytes() == b"1\n0\n34358689793\n"
    assert (found["rows"], found["columns_left_out"]) == (3, ["op"])
    assert imported(tmp_path, "plain", target.read_bytes())[1] == {"page": [1, 0, 34358689793]}


CHECKPOINTS = {"2_pools": {"checkpoint lines (*)": 2}}
KEYS = {"LRU": "lru", "FIFO": "fifo", "CLOCK": "clock", "OPT": "opt"}


@pytest.mark.parametrize("name", ["2_pools", "cpp", "loop", "multi1", "ps", "sprite"])
def test_real_traces(tmp_path, name):
    """The LIRS paper's: references, pages, and faults in the smallest and largest memory of the goldens."""
    golden = json.loads(sample("goldens/lirs.json").read_text())[name]
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample(f"lirs/{name}.trace.gz"), target)
    assert (metadata.rows, metadata.vms[0].pages) == (golden["n"], golden["uniq"])
    assert metadata.source["skipped"] == CHECKPOINTS.get(name, {})
    for row in (golden["rows"][0], golden["rows"][-1]):
        found = {key: count_misses(open_trace(target), policy, row["size"]) for key, policy in KEYS.items()}
        assert found == {key: row[key] for key in KEYS}
