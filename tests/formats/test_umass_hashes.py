"""UMass page hashes: where the text ends, what a hash becomes, snapshots over time."""

from __future__ import annotations

import struct

import pytest
from formats.importing import imported, refused

from tracereplay.errors import UsageError

TEXT = b"Darwin 9.4.0\n  PID COMMAND\n    1 launchd\n"


def snapshot(*hashes: int, text: bytes = TEXT) -> bytes:
    """A file of these hashes."""
    return text + struct.pack(f"<{len(hashes)}I", *hashes)


EXAMPLE = snapshot(0xDEADBEEF, 1, 2)


def test_hashes_become_contents(tmp_path):
    """Page after page; equal hashes are equal contents, hash 0 is a content like any other."""
    metadata, rows = imported(tmp_path, "umass-hashes", snapshot(0x80000001, 7, 7, 0))
    assert rows["page"] == [0, 1, 2, 3]
    assert rows["content"] == [0x80000001, 7, 7, 1 << 32]
    assert rows["op"] == [1, 1, 1, 1]
    assert metadata.page_space == "guest-physical"
    assert metadata.source["header_bytes"] == [len(TEXT)]


def test_snapshots_over_time(tmp_path):
    """Half an hour between two files unless said; pages that changed, grew and went."""
    _, rows = imported(
        tmp_path, "umass-hashes", snapshot(1 << 31, 2), snapshot(1 << 31, 3, 4), snapshot(1 << 31)
    )
    minutes = [t // (60 * 10**9) for t in rows["time"]]
    assert list(zip(minutes, rows["page"], rows["op"], rows["content"], strict=True)) == [
        (0, 0, 1, 1 << 31), (0, 1, 1, 2),
        (30, 1, 1, 3), (30, 2, 1, 4),
        (60, 1, 2, None), (60, 2, 2, None),
    ]  # fmt: skip


def test_times_beyond_64_bits(tmp_path):
    """An interval is refused before anything is read if the last snapshot would be out of reach."""
    files, most = [snapshot(1 << 31), snapshot(2 << 30, 3), EXAMPLE], 2**63 - 1
    assert imported(tmp_path, "umass-hashes", *files, interval=most)[1]["time"][-1] == 2 * most
    with pytest.raises(
        UsageError, match=f"found an interval of {most} ns between 4 snapshots; expected less than"
    ):
        imported(tmp_path, "umass-hashes", *files, EXAMPLE, interval=most)


@pytest.mark.parametrize("zero", ["0x7", "7", 7])
def test_hash_of_the_zero_page(tmp_path, zero):
    """The hash that ``zero`` names is content 0."""
    assert imported(tmp_path, "umass-hashes", snapshot(9 << 28, 7, 7), zero=zero)[1]["content"] == [
        9 << 28,
        0,
        0,
    ]


def test_border_that_is_said(tmp_path):
    """``header`` and ``pages`` cut out the hashes; what follows (a Bloom filter) is counted."""
    text = TEXT + b"no line end"
    content = snapshot(5, 6, text=text) + b"filter"
    metadata, rows = imported(tmp_path, "umass-hashes", content, header=len(text), pages=2)
    assert rows["content"] == [5, 6]
    assert metadata.source["skipped"] == {"bytes after the hashes": 6}


def test_a_header_of_more_than_a_block(tmp_path):
    """It is left out as a whole."""
    metadata, rows = imported(
        tmp_path, "umass-hashes", b"x" * 5_000_000 + snapshot(5, 6, text=b""), header=5_000_000
    )
    assert rows["content"] == [5, 6]
    assert metadata.source["header_bytes"] == [5_000_000]


def test_bytes_that_are_no_hash(tmp_path):
    """Fewer than four bytes at the end are counted."""
    metadata, rows = imported(tmp_path, "umass-hashes", snapshot(1 << 31) + b"abc")
    assert (rows["page"], metadata.source["skipped"]) == ([0], {"bytes after the hashes": 3})


BAD = {
    (b"", ()): "source0: found 0 hashes; expected some; give other values for header and pages",
    (
        TEXT,
        (),
    ): f"source0: found nothing but text in the first {len(TEXT)} bytes; expected hashes after it; or give "
    "header",
    (snapshot(1 << 31), (("pages", 2),)): "source0: found 1 hashes; expected 2; give other values",
    (snapshot(1 << 31), (("header", 9999),)): "source0: found 0 hashes; expected some; give other values",
}


@pytest.mark.parametrize(("content", "options"), BAD)
def test_a_bad_file_is_named(tmp_path, content, options):
    """Too few hashes for what was said."""
    assert refused(tmp_path, "umass-hashes", content, **dict(options)).startswith(BAD[content, options])


def test_a_hash_is_a_number(tmp_path):
    """The wrong value and the right form are in the message."""
    with pytest.raises(
        UsageError, match=r'zero of format umass-hashes: found "0x1ffffffff"; expected a hash of'
    ):
        imported(tmp_path, "umass-hashes:zero=0x1ffffffff", EXAMPLE)
