"""UCSD's addresses: loads and stores, with a clock of instructions."""

from __future__ import annotations

import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.trace.convert import import_trace

EXAMPLE = b"s 0x1fffff78 1\nl 0x1fffff80 1\nl 0x20000000 6\n"


def test_lines_become_accesses(tmp_path):
    """The counts of instructions add up to a clock that starts at the first access, across files."""
    metadata, rows = imported(tmp_path, "address", b"s 0x1fffff78 5\nl 0x1fffff80 1\r\n", b"l 0x20000000 6\n")
    assert rows == {"page": [0x1FFFF, 0x1FFFF, 0x20000], "op": [1, 0, 0], "time": [0, 1, 7]}
    assert metadata.time_unit == "instructions"


def test_penalties_are_passed_over(tmp_path):
    """The variant with the penalties of a hit and a miss."""
    rows = imported(tmp_path, "address", b"l 0x1000 1 0.5 12.25\ns 0x2000 2 1 3\n")[1]
    assert rows == {"page": [1, 2], "op": [0, 1], "time": [0, 2]}
    assert imported(tmp_path, "auto", b"l 0x1000 1 0.5 12.25\n")[1]["page"] == [1]


BAD = {
    b"l 0x10 1\nm 0x10 1\n": 'source0:2: found "m 0x10 1"; expected l or s, an address in hexadecimal and a '
    "count of instructions, such as s 0x1fffff78 1",
    b"l 0x10\n": 'source0:1: found "l 0x10"; expected',
    b"l 0xg 1\n": 'source0:1: found "l 0xg 1"; expected',
    b"l0x10 1\n": 'source0:1: found "l0x10 1"; expected',
    b"l 0x10 1 0.5\n": 'source0:1: found "l 0x10 1 0.5"; expected',
    b"l 0x10 1 0.5 x\n": 'source0:1: found "l 0x10 1 0.5 x"; expected',
    b"l 0x10 1 1 2 3\n": 'source0:1: found "l 0x10 1 1 2 3"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "address", content).startswith(BAD[content])


def test_a_real_trace(tmp_path):
    """swim, against awk: lines, addresses without their last three digits, stores, the sum of the counts."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample("address/swim.trace.gz"), target)
    assert (metadata.rows, metadata.vms[0].pages) == (303_193, 135)
    assert metadata.time_range == (0, 873_008)
    assert sum(columns(target)["op"]) == 82_525
