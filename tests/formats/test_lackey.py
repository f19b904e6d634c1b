"""Valgrind lackey's log: accesses to pages, and the same misses as Cachegrind counts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
from formats.importing import columns, imported, refused

from tracereplay.trace.convert import import_trace

DATA = Path(__file__).parent / "data"

EXAMPLE = b"""==5763== Lackey, an example Valgrind tool
==5763== Command: ./t
SYSCALL[5763,1](  12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000)
I  004014f0,2
 L 1fff000770,8
 S 1fff000ffc,8
SYSCALL[5763,1](7) sys_poll ( 0x1fff0003f8, 1, 1 )
 --> [async] ...
 M 00404fff,2
--5763-- a debugging message
I  00402ffe,4
**5763** a message of the program
I  00402000,3
==5763==
"""


def test_lines_become_accesses(tmp_path):
    """I fetches, L reads, S and M write; what crosses a page touches both at one time; others are counted."""
    metadata, rows = imported(tmp_path, "lackey", EXAMPLE)
    assert rows == {
        "time": [0, 1, 2, 2, 3, 3, 4, 4, 5],
        "page": [0x401, 0x1FFF000, 0x1FFF000, 0x1FFF001, 0x404, 0x405, 0x402, 0x403, 0x402],
        "op": [3, 0, 1, 1, 1, 1, 3, 3, 3],
    }
    assert metadata.source["skipped"] == {"lines of Valgrind itself": 5, "lines of system calls": 3}
    assert metadata.time_unit == "accesses"


def test_several_files_are_one_stream(tmp_path):
    """The number of the access goes on."""
    _, rows = imported(tmp_path, "lackey", b"I  00401000,2\n", b" L 00402000,8\n S 00403000,8\n")
    assert (rows["time"], rows["page"]) == ([0, 1, 2], [0x401, 0x402, 0x403])


BAD = {
    b"I  00401000,2\n X 00401000,2\n": 'source0:2: found "X 00401000,2"; expected an access such as L 1fff',
    b" L 00401000\n": 'source0:1: found "L 00401000"; expected',
    b" L 00401000,\n": 'source0:1: found "L 00401000,"; expected',
    b" L 0,1\n L 0,4194305\n": 'source0:2: found "L 0,4194305"; expected',
    b" L ,8\n": 'source0:1: found "L ,8"; expected',
    b" L 00401000,8 9\n": 'source0:1: found "L 00401000,8 9"; expected',
    b"L00401000,8\n": 'source0:1: found "L00401000,8"; expected',
    b"I  00401000,2\nhello\n": 'source0:2: found "hello"; expected',
    b"==5763== Memcheck\n": "source0: found no rows (left out: 1 lines of Valgrind itself); expected",
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_line_is_named(tmp_path, content):
    """File, line, found and expected; no file is left."""
    assert refused(tmp_path, "lackey", content).startswith(BAD[content])


def test_our_own_log(tmp_path):
    """The first 200,000 lines of a sort of integers, told from their content; counts by another program."""
    metadata = import_trace("auto", DATA / "lackey.gz", tmp_path / "t.parquet")
    rows = columns(tmp_path / "t.parquet")
    assert (metadata.rows, rows["time"][-1], len(set(rows["page"]))) == (200_050, 199_993, 72)
    assert Counter(rows["op"]) == {0: 6_459, 1: 18_683, 3: 174_908}
    assert metadata.source["skipped"] == {"lines of Valgrind itself": 6}


def misses(rows: dict[str, list[int]], frames: int) -> int:
    """Accesses to data that an LRU memory of so many pages misses; one that crosses pages counts once."""
    memory: OrderedDict[int, None] = OrderedDict()
    missed = set()
    for time, page, op in zip(rows["time"], rows["page"], rows["op"], strict=True):
        if op == 3:
            continue
        if page not in memory:
            missed.add(time)
            if len(memory) == frames:
                memory.popitem(last=False)
        memory[page] = None
        memory.move_to_end(page)
    return len(missed)


def test_cachegrind_counts_the_same_misses(tmp_path):
    """Cachegrind with one set of 4 KiB lines is an LRU memory of so many pages, by other hands."""
    if shutil.which("valgrind") is None or shutil.which("gcc") is None:
        pytest.skip("needs valgrind and gcc")
    source = (DATA / "lackey.c").read_text().replace("n=60000", "n=4000")
    (tmp_path / "sort.c").write_text(source)
    subprocess.run(["gcc", "-O1", "-static", "-o", "sort", "sort.c"], cwd=tmp_path, check=True)

    def valgrind(*options: str) -> str:
        line = ["setarch", "-R", "valgrind", *options, "./sort"]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stderr

    valgrind("--tool=lackey", "--trace-mem=yes", "--log-file=log")
    import_trace("lackey", tmp_path / "log", tmp_path / "t.parquet")
    rows = columns(tmp_path / "t.parquet")
    for frames in (4, 8, 16):
        cache = f"--D1={frames * 4096},{frames},4096"
        said = valgrind("--tool=cachegrind", "--cache-sim=yes", "--cachegrind-out-file=/dev/null", cache)
        counted = re.search(r"D1 +misses: +([0-9,]+)", said)
        assert counted is not None
        assert misses(rows, frames) == int(counted[1].replace(",", ""))
