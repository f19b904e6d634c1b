"""MSR Cambridge: requests in bytes, disks as VMs, ticks of 100 ns."""

from __future__ import annotations

import pytest
from formats.importing import imported, refused

EXAMPLE = (
    b"128166372003061629,hm,1,Read,383496192,32768,1331\n"
    b"128166372016382155,hm,0,Write,8192,512,2326\n"
    b"128166372026382245,hm,1,Read,4095,2,1448\n"
)


def test_requests_become_accesses(tmp_path):
    """A page for each that a request touches, at its time; every disk of every host by itself."""
    metadata, rows = imported(tmp_path, "msr", EXAMPLE, b"128166372026382246,usr,1,Write,0,0,1\r\n")
    eight = list(range(93627, 93635))
    assert rows == {
        "page": [*eight, 2, 0, 1, 0],
        "vm": [0] * 8 + [1, 0, 0, 2],
        "op": [0] * 8 + [1, 0, 0, 1],
        "time": [0] * 8 + [1_332_052_600, 2_332_061_600, 2_332_061_600, 2_332_061_700],
    }
    assert [vm.name for vm in metadata.vms] == ["hm-1", "hm-0", "usr-1"]
    assert metadata.time_unit == "ns"


def test_times_out_of_order_are_raised_and_counted(tmp_path):
    """As the traces are: a request may be written down after a later one."""
    lines = b"".join(b"%d,a,0,Read,0,512,1\n" % (128166372000000000 + t) for t in (5, 3, 4, 9))
    metadata, rows = imported(tmp_path, "msr", lines)
    assert rows["time"] == [0, 0, 0, 400]
    assert metadata.source["times raised to the one before"] == 2


BAD = {
    EXAMPLE + b"128166372026382245,hm,1,Seek,4095,2,1448\n": "source0:4: found "
    '"128166372026382245,hm,1,Seek,4095,2,1448"; expected time, host, disk, Read or Write, offset, size and '
    "response time, such as 128166372003061629,hm,1,Read,383496192,32768,1331",
    b"1,hm,1,Read,4095,2\n": 'source0:1: found "1,hm,1,Read,4095,2"; expected',
    b"1,hm,1,Read,-1,2,3\n": 'source0:1: found "1,hm,1,Read,-1,2,3"; expected',
    b"999999999999999999,h,1,Read,1,2,3\n": 'source0:1: found "999999999999999999,h,1,Read,1,2,3"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "msr", content).startswith(BAD[content])
