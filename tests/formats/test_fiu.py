"""FIU's IODedup: what is written where, and with which content."""

from __future__ import annotations

import pytest
from formats.importing import imported, refused

from tracereplay.errors import UsageError

ZEROS = b"620f0b67a91f7f74151bc5be745b7110"
"""``head -c 4096 /dev/zero | md5sum``."""
ZEROS_512 = b"bf619eac0cdf3f68d496ea9344137e8b"
"""``head -c 512 /dev/zero | md5sum``."""
EXAMPLE = (
    b"329131208190249 4892 syslogd 904265560 8 W 6 0 531e779d1fe0a1e4d1e9b6cf5dc1bf6e\n"
    b"329131208200249 4892 my prog 16 8 R 6 1 " + ZEROS + b"\n"
)


def test_requests_become_accesses_with_contents(tmp_path):
    """Sectors / 8, half of the MD5, 0 for zeros; a device is a VM, a process's name may hold spaces."""
    metadata, rows = imported(tmp_path, "fiu", EXAMPLE)
    assert rows == {
        "page": [113033195, 2],
        "vm": [0, 1],
        "op": [1, 0],
        "time": [0, 10_000],
        "content": [0x531E779D1FE0A1E4, 0],
    }
    assert [vm.name for vm in metadata.vms] == ["6-0", "6-1"]
    assert metadata.time_unit == "ns"


def test_contents_of_other_than_one_block_are_unknown(tmp_path):
    """Sixteen sectors are two pages, eight from the middle of one as well; both are counted."""
    digest = b"531e779d1fe0a1e4d1e9b6cf5dc1bf6e"
    lines = b"1 1 a 8 16 W 6 0 %b\n2 1 a 4 8 W 6 0 %b\n3 1 a 0 8 W 6 0 %b\n" % (digest, digest, digest)
    metadata, rows = imported(tmp_path, "fiu", lines)
    assert rows["page"] == [1, 2, 0, 1, 0]
    assert rows["content"] == [None, None, None, None, 0x531E779D1FE0A1E4]
    assert metadata.source["contents of other than one block left out"] == 2


def test_blocks_of_512_bytes(tmp_path):
    """The traces called homes: a sector is a page, and zeros are 512 zeros."""
    lines = b"1 1 a 904265560 1 W 6 0 %b\n2 1 a 9 1 W 6 0 %b\n" % (ZEROS_512, ZEROS)
    metadata, rows = imported(tmp_path, "fiu:block=512", lines)
    assert rows["page"] == [904265560, 9]
    assert rows["content"] == [0, 0x620F0B67A91F7F74]
    assert metadata.page_size == 512
    with pytest.raises(UsageError, match="fiu: block: found 100; expected a multiple of 512, such as 4096"):
        imported(tmp_path, "fiu:block=100", lines)


BAD = {
    EXAMPLE
    + b"1 1 a 8 8 W 6 0 531e\n": 'source0:3: found "1 1 a 8 8 W 6 0 531e"; expected time, pid, process, '
    "sector, count, W or R, major, minor and MD5, such as 329131208190249 4892 syslogd 904265560 8 W 6 0 "
    "531e779d1fe0a1e4d1e9b6cf5dc1bf6e",
    b"1 1 a 8 8 X 6 0 %b\n" % ZEROS: f'source0:1: found "1 1 a 8 8 X 6 0 {ZEROS.decode()}"; expected',
    b"1 1 8 8 W 6 0 %b\n" % ZEROS: f'source0:1: found "1 1 8 8 W 6 0 {ZEROS.decode()}"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "fiu", content).startswith(BAD[content])
