"""cache2k's ids: big-endian, never taken for anything by their content alone."""

from __future__ import annotations

import bz2

from formats.importing import columns, imported, refused, sample

from tracereplay.trace import formats
from tracereplay.trace.convert import import_trace

EXAMPLE = bytes.fromhex("00000007 000f4240 00000007 ffffffff")


def test_ids_are_pages(tmp_path):
    """Four bytes a reference, the first the highest; bzip2 is read as it is."""
    metadata, rows = imported(tmp_path, "cache2k", EXAMPLE)
    assert rows == {"page": [7, 1_000_000, 7, 0xFFFFFFFF]}
    assert metadata.time_unit == "accesses"
    assert imported(tmp_path, "cache2k", bz2.compress(EXAMPLE))[1] == rows


def test_a_cut_file_is_refused(tmp_path):
    """Where the last whole record ends, and what a record is."""
    assert refused(tmp_path, "cache2k", EXAMPLE[:10]) == (
        "source0: byte 8: found 2 bytes at the end; expected records of 4 bytes; the file is cut off, or of "
        "another format"
    )


def test_it_is_not_guessed():
    """Any bytes could be ids."""
    assert "cache2k" not in formats.matching(EXAMPLE)


def test_real_trace(tmp_path):
    """References and pages as its authors' benchmark counts them."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("cache2k", sample("cache2k/trace-mt-20121220.trc.bin.gz"), target)
    assert (metadata.rows, metadata.vms[0].pages) == (95_607, 13_756)
    assert len(set(columns(target)["page"])) == 13_756
