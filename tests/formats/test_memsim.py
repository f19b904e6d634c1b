"""memsim's text: addresses to pages, letters to operations, and back."""

from __future__ import annotations

import numpy as np
import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.errors import UsageError
from tracereplay.trace import write_trace
from tracereplay.trace.convert import export_trace, import_trace

EXAMPLE = b"0041f7a0 R\n13f5e2c0 R\n05e78900 W\n"


def test_lines_become_accesses(tmp_path):
    """Address / page size; CRLF, blank lines, 0x and forks' wider addresses are fine."""
    metadata, rows = imported(tmp_path, "memsim", b"0041f7a0 R\r\n\n13f5e2c0 W\n0x00007fff00001000  W")
    assert rows == {"page": [0x41F, 0x13F5E, 0x7FFF00001], "op": [0, 1, 1]}
    assert (metadata.time_unit, metadata.page_size, metadata.vms[0].name) == ("accesses", 4096, "source0")
    assert imported(tmp_path, "memsim", b"0041f7a0 R\n", page_size=256)[1]["page"] == [0x41F7]


BAD = {
    b"0041f7a0 R\n0041f7a0 X\n": 'source0:2: found "0041f7a0 X"; expected an address in hexadecimal',
    b"0041f7a0\n": 'source0:1: found "0041f7a0"; expected',
    b"0041f7a0R\n": 'source0:1: found "0041f7a0R"; expected',
    b"xyz R\n": 'source0:1: found "xyz R"; expected',
    b"0041f7a0 R W\n": 'source0:1: found "0041f7a0 R W"; expected',
    b"11112222333344445 R\n": 'source0:1: found "11112222333344445 R"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "memsim", content).startswith(BAD[content])


def test_export_and_back(tmp_path):
    """The same pages and operations."""
    lines = b"0041f000 R\n13f5e000 W\n7fff00001000 R\n"
    _, rows = imported(tmp_path, "memsim", lines)
    target = tmp_path / "back.txt"
    found = export_trace("memsim", tmp_path / "imported.parquet", target)
    assert target.read_bytes() == lines
    assert (found["rows"], found["columns_left_out"]) == (3, [])
    assert rows["page"] == [0x41F, 0x13F5E, 0x7FFF00001]


def test_pages_beyond_an_address_of_64_bits(tmp_path):
    """The last page is written; one more is refused, and how to go on is said."""
    write_trace(tmp_path / "t.parquet", {"page": np.array([2**52 - 1], np.uint64)})
    export_trace("memsim", tmp_path / "t.parquet", tmp_path / "t.txt")
    assert (tmp_path / "t.txt").read_bytes() == b"fffffffffffff000 R\n"
    write_trace(tmp_path / "t.parquet", {"page": np.array([1, 2**52], np.uint64)}, force=True)
    message = (
        "export: found page 4503599627370496; expected at most 4503599627370495, for an address of 64 bits; "
        r"export page numbers \(plain\)"
    )
    with pytest.raises(UsageError, match=message):
        export_trace("memsim", tmp_path / "t.parquet", tmp_path / "u.txt")
    assert not (tmp_path / "u.txt").exists()


@pytest.mark.parametrize(("name", "pages", "writes"), [("bzip", 317, 122_419), ("gcc", 2852, 107_184)])
def test_real_traces(tmp_path, name, pages, writes):
    """A million accesses each, with the pages and writes that others counted."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample(f"memsim/{name}.trace.gz"), target)
    assert (metadata.rows, metadata.vms[0].pages) == (1_000_000, pages)
    assert sum(columns(target)["op"]) == writes
