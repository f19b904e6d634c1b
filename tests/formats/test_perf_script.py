"""perf script: faults and samples of many processes, with names of any kind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.trace.convert import import_trace

LS = Path(__file__).parent / "data" / "ls.page-faults.perf-script.txt.gz"
EXAMPLE = (
    b"              ls  6688/6688   2612.368131: page-faults:     558f0a6d85c0 ffffffff817554ea\n"
    b"              ls  6688/6688   2612.368157: page-faults:     7fb1b6f9e110 ffffffff817554ea\n"
)
FAULTS = "page faults, not accesses: first touches"
SAMPLES = "samples of the accesses"


def test_faults_become_accesses_of_their_processes(tmp_path):
    """Names may hold spaces, numbers and slashes; CPU, period and nanoseconds may be there."""
    lines = (
        b"Web Content  7/9   12.000001: page-faults: 1000 ffffffff817554ea\n"
        b"kworker/1:2 3/4 x 8/8 [003]   12.000002: page-faults:u: 2fff 0\n"
        b"             a  7   [000]   12.000003004:          1 minor-faults:  3000 55 main+0x1 (/bin/a)\n"
    )
    metadata, rows = imported(tmp_path, "perf-script", lines)
    assert rows == {"page": [1, 2, 3], "vm": [0, 1, 2], "op": [0, 0, 0], "time": [0, 1000, 2004]}
    assert [vm.name for vm in metadata.vms] == ["Web Content-7", "kworker/1:2 3/4 x-8", "a-7"]
    assert (metadata.time_unit, metadata.source["fidelity"]) == ("ns", FAULTS)


def test_threads_belong_to_their_process_and_a_new_program_does_not(tmp_path):
    """A thread has a name of its own; after exec the main thread has another, and so has the VM."""
    who = ["bash  5/5", "ls  5/5", "worker  5/6", "ls  5/5", "other  7/8"]
    lines = "".join(f"{name} 1.00000{i}: page-faults: 1000 0\n" for i, name in enumerate(who))
    metadata, rows = imported(tmp_path, "perf-script", lines.encode())
    assert rows["vm"] == [0, 1, 1, 1, 2]
    assert [vm.name for vm in metadata.vms] == ["bash-5", "ls-5", "other-7"]


MEMORY = (
    b"# captured on: today\n"
    b"a  5/5  1.000001: cpu/mem-loads,ldlat=30/P:  7f0000001000  123456000\n"
    b"a  5/5  1.000002: cpu/mem-stores/P:  7f0000002000 |OP STORE|LVL L1 hit|  0\n"
    b"a  5/5  1.000003: cpu/mem-loads,ldlat=30/P:  0  0\n"
    b"a  5/5  1.000004: cycles:P:  ffffffff81000000\n"
)


def test_samples_of_memory_accesses(tmp_path):
    """Loads read, stores write; events and samples without an address are counted."""
    metadata, rows = imported(tmp_path, "perf-script", MEMORY)
    assert rows == {"page": [0x7F0000001, 0x7F0000002], "vm": [0, 0], "op": [0, 1], "time": [0, 1000]}
    assert metadata.source["skipped"] == {
        "lines that begin with #": 1,
        "samples without an address": 1,
        "cycles:P events": 1,
    }
    assert (metadata.page_space, metadata.source["fidelity"]) == ("guest-virtual", SAMPLES)


def test_faults_and_samples_in_one_file(tmp_path):
    """Both are said, whichever comes last."""
    metadata, _ = imported(tmp_path, "perf-script", EXAMPLE + MEMORY + EXAMPLE)
    assert metadata.source["fidelity"] == f"{FAULTS}; {SAMPLES}"


def test_physical_addresses(tmp_path):
    """The last number of each line; there is no page there for a store whose address is not known."""
    metadata, rows = imported(tmp_path, "perf-script:physical=true", MEMORY)
    assert rows["page"] == [0x123456]
    assert metadata.source["skipped"]["samples without an address"] == 2
    assert metadata.page_space == "guest-physical"


def test_a_line_of_blanks_is_refused_at_once(tmp_path):
    """However many there are: the time is not that of their square."""
    begun = time.process_time()
    message = refused(
        tmp_path, "perf-script", EXAMPLE + b"ls 1/1 2.000001: page-faults: 10" + b" " * 200_000 + b"g"
    )
    assert message.startswith("source0:3: found ")
    assert time.process_time() - begun < 5


BAD = {
    EXAMPLE + b"ls 1/1 2.000000: page-faults: xyz\n": 'source0:3: found "ls 1/1 2.000000: page-faults: xyz"; '
    "expected comm, pid/tid, time, event, address and instruction in hexadecimal, such as ls  6688/6688   "
    "2612.368131: page-faults:     558f0a6d85c0 ffffffff817554ea; record with -d, then perf script -F "
    "comm,pid,tid,time,event,addr,ip",
    EXAMPLE + b"ls 7 2612.368157: 1 page-faults: ffffffff817554ea clear_user+0x1b ([kernel])\n": (
        'source0:3: found "ls 7 2612.368157: 1 page-faults: ffffffff817554ea clear_user+0x1b ([kernel])"; '
        "expected"
    ),
    b"ls 1/1 2.0: page-faults: 10\n": 'source0:1: found "ls 1/1 2.0: page-faults: 10"; expected',
    b"2.000000: page-faults: 10\n": 'source0:1: found "2.000000: page-faults: 10"; expected',
    b"\tffffffff81 main (/bin/ls)\n": 'source0:1: found "ffffffff81 main (/bin/ls)"; expected',
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "perf-script", content).startswith(BAD[content])


def test_a_real_recording(tmp_path):
    """ls: 102 lines of one process, from 2612.368131 to 2612.370350 seconds."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", LS, target)
    assert (metadata.rows, [vm.name for vm in metadata.vms]) == (102, ["ls-6688"])
    assert metadata.time_range == (0, 2_219_000)
    assert columns(target)["page"][:3] == [0x558F0A6D8, 0x7FB1B6F9E, 0x7FFF8ECC7]


def test_a_real_recording_of_many_processes(tmp_path):
    """python3 started by pyenv's shell scripts: 13,515 faults, and as many VMs as names with a pid."""
    metadata = import_trace(
        "auto", sample("perf/python.page-faults.perf-script.txt.gz"), tmp_path / "t.parquet"
    )
    assert (metadata.rows, len(metadata.vms)) == (13_515, 63)
    assert metadata.source["fidelity"] == FAULTS
