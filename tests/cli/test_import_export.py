"""``import`` and ``export``: which word is the format, what is said, and what is left out."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from process import clean

import tracereplay as tr
from tracereplay.trace import formats

TEXT = b"0041f7a0 R\n13f5e2c0 W\n"


@pytest.fixture
def here(command, tmp_path):
    """A directory with a text, a file that is called like a format, and one that could be anything."""
    (tmp_path / "log.txt").write_bytes(TEXT)
    (tmp_path / "more.txt").write_bytes(TEXT)
    (tmp_path / "plain").write_bytes(b"1\n2\n*\n")
    (tmp_path / "prose").write_bytes(b"It was a dark and stormy night.\n")
    return tmp_path


SAID = {
    "a format": (["memsim", "log.txt"], "2 rows of 1 VM written to t.parquet\n"),
    "none": (["log.txt"], "read as memsim\n2 rows of 1 VM written to t.parquet\n"),
    "none, two files": (["log.txt", "more.txt"], "read as memsim\n4 rows of 1 VM written to t.parquet\n"),
    "options between the words": (
        ["memsim", "--name", "web", "log.txt", "--family", "linux", "more.txt"],
        "4 rows of 1 VM written to t.parquet\n",
    ),
    "auto": (["auto", "log.txt"], "read as memsim\n2 rows of 1 VM written to t.parquet\n"),
    "a file called like a format": (
        ["plain"],
        "read as plain\n2 rows of 1 VM written to t.parquet\nleft out: 1 checkpoint lines (*)\n",
    ),
    "a format and a file called like it": (
        ["plain", "plain"],
        "2 rows of 1 VM written to t.parquet\nleft out: 1 checkpoint lines (*)\n",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_said(command, here, case):
    """The format, if it was told from the content; rows; records left out, by reason.  Nothing on stdout."""
    words, said = SAID[case]
    assert command("import", *words, "-o", "t.parquet") == (0, "", said)
    assert command("import", *words, "-o", "t.parquet", "--force", "-q") == (0, "", "")


REFUSED = {
    "a misspelt format": (["memsmi", "log.txt"], 2, 'import: found "memsmi"; expected one of'),
    "a misspelt file": (
        ["lgo.txt"],
        3,
        "lgo.txt: cannot be read (No such file or directory); check the path",
    ),
    "a misspelt second file": (
        ["log.txt", "mroe.txt"],
        3,
        "mroe.txt: cannot be read (No such file or directory)",
    ),
    "a format alone": (
        ["memsim"],
        2,
        "import: expected a source and -o FILE, as in: import lackey log.gz -o t",
    ),
    "nothing": ([], 2, "import: expected a source and -o FILE"),
    "prose": (["prose"], 3, "prose: the format cannot be told: its beginning, "),
    "a bad line": (
        ["memsim", "log.txt", "prose"],
        3,
        'prose:1: found "It was a dark and stormy night."; expected',
    ),
    "parameters": (["csv:header=false,page=1", "plain"], 3, 'plain:3: found "*" in column page; expected'),
    "a bad parameter": (["csv:header=no", "plain"], 2, "import: parameter header of format csv: found"),
    "no page size": (["log.txt", "--page-size", "0"], 2, '--page-size: found "0"; expected at least 1 byte'),
    "a page size": (["log.txt", "--page-size", "4KB!"], 2, "--page-size: found"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_imports(command, files, here, case):
    """One message, an exit code, nothing left behind."""
    words, code, message = REFUSED[case]
    before = files()
    done = command("import", *words, "-o", "t.parquet")
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[-1].startswith(f"tracereplay: {message}")
    assert files() == before


def test_a_suggestion_for_a_format(command, here):
    """The nearest name, after all that there are."""
    assert 'did you mean "memsim"?' in command("import", "memsmi", "log.txt", "-o", "t.parquet").err


def test_what_is_to_be_known_of_a_recording(command, here):
    """Page faults are no accesses, and time does not run backwards: both are said."""
    (here / "p.txt").write_text("a 1/1 2.000000: page-faults: 1000 0\na 1/1 1.000000: page-faults: 2000 0\n")
    assert command("import", "p.txt", "-o", "t.parquet").err.splitlines() == [
        "read as perf-script",
        "2 rows of 1 VM written to t.parquet",
        "fidelity: page faults, not accesses: first touches",
        "times raised to the one before: 1",
    ]


def test_what_is_to_be_known_of_snapshots(command, here):
    """A line for each, with its counts; facts that list numbers or settings are on one line."""
    (here / "a.raw").write_bytes(bytes(4096 * 1500) + b"x" * 4096)
    (here / "b.raw").write_bytes(b"y" * 4096)
    assert command("import", "memory-snapshot", "a.raw", "b.raw", "-o", "t.parquet").err.splitlines() == [
        "3,002 rows of 1 VM written to t.parquet",
        "snapshots 1: pages 1,501; zero_pages 1,500; written 1,501; freed 0",
        "snapshots 2: pages 1; zero_pages 0; written 1; freed 1,500",
    ]
    (here / "u").write_bytes(b"Darwin\n" + b"\xff" * 4)
    assert command("import", "umass-hashes", "u", "u", "-o", "u.parquet").err.endswith("header_bytes: 7; 7\n")
    region = {"start": "0", "end": "4,096", "nr_accesses": {"samples": 1}}
    snapshots = [{"end_time": "1", "regions": [region]}]
    record = {"intervals": {"sample_us": "5 ms", "aggr_us": 100_000}, "target_id": 0, "snapshots": snapshots}
    (here / "d.json").write_text(json.dumps([record]))
    assert command("import", "d.json", "-o", "d.parquet").err.splitlines()[2:] == [
        "sampled: True",
        "snapshots: 1",
        "regions_touched: 1",
        "intervals: sample_us 5 ms; aggr_us 100,000",
    ]


def test_info_tells_what_was_left_out(command, here):
    """Counts by reason, as the import did; nothing where nothing was left out or no counts are said."""
    (here / "log").write_bytes(b" L 1fff000770,8\nSYSCALL[1]\n" + b"==1== \n" * 1234)
    for source in ("log", "log.txt"):
        assert command("import", source, "-o", f"{source}.parquet", "-q").code == 0
    line = "left out      1,234 lines of Valgrind itself; 1 lines of system calls"
    assert line in map(str.rstrip, command("info", "log.parquet").out.splitlines())
    tr.write_trace(here / "odd.parquet", {"page": [1]}, source={"skipped": ["x"]})
    for trace in ("log.txt.parquet", "odd.parquet"):
        done = command("info", trace)
        assert (done.code, "left out" in done.out) == (0, False)


def test_json_is_the_metadata(command, here):
    """Valid JSON on standard output, the talk elsewhere."""
    done = command(
        "import", "plain", "plain", "--name", "web", "--family", "linux", "-o", "t.parquet", "--json"
    )
    found = json.loads(done.out)
    kept = tr.open_trace(here / "t.parquet").metadata.to_dict()
    assert found == kept | {"time_range": [0, 1]}  # which a trace without a column of times does not keep
    assert found["vms"] == [{"name": "web", "family": "linux", "pages": 2}]
    assert found["source"]["skipped"] == {"checkpoint lines (*)": 1}


def test_from_standard_input(here):
    """A pipe, with and without a format."""
    for words in (["memsim", "-"], ["-"]):
        line = [sys.executable, "-m", "tracereplay", "import", *words, "-o", "t.parquet", "--force", "-q"]
        done = subprocess.run(line, input=TEXT, capture_output=True, env=clean(), check=True)
        assert done.stdout == done.stderr == b""
        assert tr.open_trace(here / "t.parquet").n_rows == 2


@pytest.mark.parametrize("verb", ["import", "export"])
def test_the_list(command, verb):
    """Every format with a sample and what it is, within 80 columns; the same for programs."""
    names = formats.names() if verb == "import" else formats.writable()
    done = command(verb, "--list")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    first = [line.split()[0] for line in done.out.splitlines() if line[:1] == " " and line[1:2].strip()]
    assert [word for word in first if word in names] == list(names)
    flat = " ".join(done.out.split())
    listed = json.loads(command(verb, "--list", "--json").out)
    assert [entry["format"] for entry in listed] == list(names)
    for entry in listed:
        assert f"sample: {' '.join(entry['sample'].split())}" in flat


def test_export_says_what_it_leaves_out(command, here):
    """Rows written, FREE rows, columns; --json counts them for programs."""
    rows = {"page": [1, 2, 1, 3], "op": [0, 1, 2, 3], "time": [0, 1, 5, 6]}
    tr.write_trace(here / "t.parquet", rows, time_unit="ns", page_size=8192)
    assert command("export", "plain", "t.parquet", "-o", "a.txt") == (
        0,
        "",
        "3 rows written to a.txt\n"
        "left out: 1 FREE rows, which this format has not\n"
        "left out: time, op, which this format cannot say\n"
        "left out: page_size 8192, which an import must be told\n",
    )
    assert command("export", "csv", "t.parquet", "-o", "a.csv").err == (
        "4 rows written to a.csv\n"
        "left out: page_size 8192, which an import must be told\n"
        "left out: time_unit ns, which an import must be told\n"
    )
    done = command("export", "memsim", "t.parquet", "-o", "a.txt", "--force")
    assert "written as reads: 1 instruction fetches\n" in done.err
    done = command("export", "memsim", "t.parquet", "-o", "b.txt", "--json", "-q")
    assert json.loads(done.out) == {
        "rows": 3,
        "frees_left_out": 1,
        "fetches_as_reads": 1,
        "changed": {},
        "columns_left_out": ["time"],
        "metadata_left_out": {"page_size": 8192},
    }
    assert (here / "b.txt").read_bytes() == b"00002000 R\n00004000 W\n00006000 R\n"


def test_export_says_what_no_file_holds(command, here):
    """Names of VMs (some of many), a reduction, a sample, guest-physical pages, times cut; not when quiet."""
    vms = [{"name": f"web {i}", "family": "linux" if i == 1 else None} for i in range(9)]
    tr.write_trace(
        here / "t.parquet",
        {"page": range(9), "vm": range(9), "time": range(9)},
        time_unit="ns",
        page_space="guest-physical",
        vms=vms,
        reduction={"exact_above": 64},
        provenance={"sample": {"by": "contents", "rate": 0.125, "salt": 0}},
    )
    lost = (
        "left out: page_space guest-physical, which no import can be told\n"
        "left out: exact_above 64: nothing in the file says that memories below 64 pages fault too rarely\n"
        "left out: sample: nothing in the file says that it holds 0.125 of the contents\n"
    )
    assert command("export", "csv", "t.parquet", "-o", "a.csv").err == (
        "9 rows written to a.csv\nleft out: time_unit ns, which an import must be told\n"
        + lost
        + "left out: "
        'names of VMs: "web 0", "web 1" (linux), "web 2", "web 3", "web 4", "web 5", "web 6", "web 7", …\n'
    )
    assert command("export", "oracleGeneral", "t.parquet", "-o", "a.bin", "--vm", 8).err == (
        "1 rows written to a.bin\nchanged: 1 times cut to whole seconds\n"
        "left out: vm, which this format cannot say\n" + lost + 'left out: names of VMs: "web 8"\n'
    )
    assert command("export", "csv", "t.parquet", "-o", "a.csv", "--force", "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "export: expected a format, a trace and -o FILE, as in: export memsim t.parquet -o t.txt"),
        (["plian", "t.parquet", "-o", "a"], 'export: found "plian"; expected one of'),
        (["msr", "t.parquet", "-o", "a"], 'export: found "msr"; expected one of'),
        (["plain", "t.parquet", "-o", "-"], "-o: found -; expected the name of a file, not standard output"),
        (["plain", "t.parquet", "--output", "-"], "--output: found -; expected the name of a file, not"),
    ],
)
def test_refused_exports(command, here, words, message):
    """What was expected, with exit code 2."""
    tr.write_trace(here / "t.parquet", {"page": [1]})
    done = command("export", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"tracereplay: {message}")
