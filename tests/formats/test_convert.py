"""Import and export as functions: names, targets, several sources, and what became of every record."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace

import numpy as np
import pytest
from formats.importing import columns, imported, refused

import tracereplay as tr
from tracereplay.errors import OutputError, TraceError, UsageError
from tracereplay.trace import formats, open_trace, write_trace
from tracereplay.trace.convert import export_trace, import_trace
from tracereplay.trace.formats._records import MOST_PAGES, Findings, Records, tables

ROWS = {
    "time": [0, 10, 10, 25],
    "page": [3, 2**40, 3, 0],
    "op": [1, 0, 2, 3],
    "content": [None, 0, 2**62, 7],
}


@pytest.fixture
def trace(tmp_path):
    write_trace(tmp_path / "t.parquet", ROWS, time_unit="ns", vms=["web"])
    return tmp_path / "t.parquet"


# ---- import ---------------------------------------------------------------------------------------


def test_what_a_trace_says_of_its_source(tmp_path):
    """The format with its parameters, the files, the counts; names as given, or the file's."""
    (tmp_path / "web.lis.gz").write_bytes(gzip.compress(b"1 2 0 1\n9 0 0 2\n"))
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", tmp_path / "web.lis.gz", target, family="linux", page_size=8192)
    assert metadata.source == {
        "tool": "tracereplay import arc",
        "version": tr.__version__,
        "files": ["web.lis.gz"],
        "parameters": {},
        "skipped": {"ranges of no blocks": 1},
    }
    assert [(vm.name, vm.family, vm.pages) for vm in metadata.vms] == [("web", "linux", 2)]
    assert metadata.page_size == 8192
    assert open_trace(target).metadata == replace(metadata, time_range=None)  # it has no column of times
    named = import_trace("arc", tmp_path / "web.lis.gz", target, name="db", force=True)
    assert named.vms[0].name == "db"


def test_parameters_as_words_or_keywords(tmp_path):
    """``csv:page=x`` and ``csv`` with page="x" are the same, and both are kept."""
    (tmp_path / "t.csv").write_bytes(b"x\n1\n")
    words = import_trace("csv:page=x", tmp_path / "t.csv", tmp_path / "a")
    keywords = import_trace("csv", tmp_path / "t.csv", tmp_path / "b", page="x")
    assert words == keywords
    assert words.source["parameters"] == {"page": "x"}


REFUSED = {
    "no such format": (UsageError, "memsmi", ["t.txt"], 'import: found "memsmi"; .* did you mean "memsim"'),
    "no parameters": (
        UsageError,
        "memsim:base=10",
        ["t.txt"],
        'found parameter "base"; expected none: format memsim',
    ),
    "no source": (UsageError, "memsim", [], "import: found no source; expected at least one file"),
    "no such file": (TraceError, "memsim", ["u.txt"], r"u.txt: cannot be read \(No such file or directory\)"),
    "a directory": (TraceError, "auto", ["."], r"a directory; say which format it is"),
    "another format": (TraceError, "plain", ["t.txt"], 't.txt:1: found "0041f7a0 R"; expected a page number'),
    "a bad second file": (
        TraceError,
        "memsim",
        ["t.txt", "x.txt"],
        'x.txt:1: found "x"; expected an address',
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_imports(tmp_path, monkeypatch, case):
    """What was wrong is told, and nothing is left under the target's name or beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_bytes(b"0041f7a0 R\n")
    (tmp_path / "x.txt").write_bytes(b"x\n")
    error, format, sources, message = REFUSED[case]
    with pytest.raises(error, match=message):
        import_trace(format, sources, "t.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"t.txt", "x.txt"}


@pytest.mark.parametrize(
    ("format", "contents", "message"),
    [
        ("memsim", [b""], "source0: found no rows; expected at least one access"),
        ("memsim", [b"", b"\n"], "source0 and 1 more: found no rows; expected at least one access"),
        (
            "plain",
            [b"*\n*\n"],
            "source0: found no rows (left out: 2 checkpoint lines (*)); expected at least one access",
        ),
    ],
)
def test_no_rows_at_all(tmp_path, format, contents, message):
    """Name the files that were read, not that which cannot be written, and what was left out of them."""
    assert refused(tmp_path, format, *contents) == message


@pytest.mark.parametrize("size", [0, -1, 2**64])
def test_page_sizes_without_sense(tmp_path, size):
    """Are refused before anything is read."""
    with pytest.raises(
        UsageError, match=rf"import: found a page size of {size} bytes; expected 1 to 2\^64 - 1"
    ):
        import_trace("memsim", tmp_path / "nosuch", tmp_path / "t.parquet", page_size=size)


def test_nothing_is_overwritten_unasked(tmp_path):
    """Neither by an import nor by an export; with force, both are."""
    (tmp_path / "t.txt").write_bytes(b"0041f7a0 R\n")
    import_trace("auto", tmp_path / "t.txt", tmp_path / "t.parquet")
    for call in (
        lambda **force: import_trace("auto", tmp_path / "t.txt", tmp_path / "t.parquet", **force),
        lambda **force: export_trace("plain", tmp_path / "t.parquet", tmp_path / "t.txt", **force),
    ):
        with pytest.raises(OutputError, match="exists already; give another name, or force to replace it"):
            call()
        call(force=True)
    assert (tmp_path / "t.txt").read_bytes() == b"1055\n"


def test_a_source_is_never_replaced(tmp_path, monkeypatch):
    """Even with force and under another of its names: what was made of it is not the same again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_bytes(b"0041f7a0 R\n")
    (tmp_path / "link").symlink_to("t.txt")
    import_trace("auto", "t.txt", "t.parquet")
    before = (tmp_path / "t.parquet").read_bytes()
    message = "found one of the sources; expected another name, as it would be lost"
    for sources, target in ((["t.txt"], "./t.txt"), (["t.parquet", "link"], "t.txt"), (["t.txt"], "link")):
        with pytest.raises(OutputError, match=message):
            import_trace("memsim", sources, target, force=True)
    with pytest.raises(OutputError, match=f"t.parquet: {message}"):
        export_trace("plain", "t.parquet", tmp_path / "t.parquet", force=True)
    assert (tmp_path / "t.txt").read_bytes() == b"0041f7a0 R\n"
    assert (tmp_path / "t.parquet").read_bytes() == before


@pytest.mark.parametrize("target", ["pipe", "/dev/null", "/dev/stdout", "-"])
def test_a_target_that_is_no_file_is_never_replaced(tmp_path, monkeypatch, target):
    """Even with force: the user meant to write into it, which cannot be."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_bytes(b"0041f7a0 R\n")
    os.mkfifo(tmp_path / "pipe")
    message = f"{target}: expected the name of a file, .* pipes and devices cannot be written to"
    with pytest.raises(OutputError, match=message):
        import_trace("auto", "t.txt", target, force=True)
    assert (tmp_path / "pipe").is_fifo()


def test_progress_is_of_the_files_bytes(tmp_path):
    """As they lie there, compressed; the last word is that all are read."""
    content = gzip.compress(b"".join(b"%d\n" % (i * i) for i in range(100_000)))
    (tmp_path / "t.gz").write_bytes(content)
    heard = []
    import_trace("plain", tmp_path / "t.gz", tmp_path / "t.parquet", progress=lambda *now: heard.append(now))
    assert heard[-1] == (len(content), len(content))
    assert heard == sorted(heard)


# ---- ranges, clocks ---------------------------------------------------------------------------------


def array(*values):
    return np.array(values, np.uint64)


def test_ranges_end_with_the_address_space():
    """A size that would go beyond it touches the last page alone; size 0 touches one."""
    last = 2**64 - 1
    records = Records(array(last - 4095, last, 0), array(10_000, 2, 0))
    rows = [b.to_pydict() for b in tables(iter([records]), Findings())]
    assert rows == [{"page": [last // 4096, last // 4096, 0]}]


def test_a_range_without_measure_is_refused():
    """Before it fills the memory."""
    records = Records(array(1, 2), array(1, MOST_PAGES))
    beyond = Records(array(1, 2), array(1, MOST_PAGES + 1))
    with pytest.raises(
        TraceError, match=rf"an access of {MOST_PAGES + 1} pages \(record 4\); expected at most {MOST_PAGES}"
    ):
        list(tables(iter([records, beyond]), Findings(blocks=True)))


@pytest.mark.parametrize(
    ("format", "contents", "message"),
    [
        (
            "csv:address=at,size=n",
            [b"at,n\n0,17179869184\n"],
            "source0: found an access of 33554432 pages (record 1); ",
        ),
        (
            "csv:address=at,size=n",
            [b"at,n\n0,1\n", b"at,n\n0,1\n0,17179869184\n"],
            "source1: found an access of 33554432 ",
        ),
        (
            "msr",
            [b"1,h,1,Read,0,1,1\n", b"".join(b"1,h,%d,Read,0,1,1\n" % i for i in range(1 << 16, 1 << 17))],
            "source1: found the VM h-131071 after 65536 others; expected no more: import a part of the trace",
        ),
    ],
)
def test_what_no_line_is_to_blame_for_names_the_file(tmp_path, format, contents, message):
    """That which is being read: a range without measure, one VM too many."""
    assert refused(tmp_path, format, *contents, page_size=512).startswith(message)


@pytest.mark.parametrize("sizes", [[1] * 5, [3 << 20, 1, 1], [1, 1 << 20, 1 << 20, 5]])
def test_batches_are_cut_between_ranges(sizes):
    """Whatever their lengths, all pages come in order, with the time of their range."""
    starts = np.cumsum([0, *sizes])
    records = Records(array(*starts[:-1]), array(*sizes), time=array(*range(len(sizes))))
    batches = list(tables(iter([Records(array()), records]), Findings(blocks=True)))
    page = np.concatenate([batch["page"].to_numpy() for batch in batches])
    time = np.concatenate([batch["time"].to_numpy() for batch in batches])
    assert np.array_equal(page, np.arange(starts[-1]))
    assert np.array_equal(time, np.repeat(np.arange(len(sizes)), sizes))


# ---- export ---------------------------------------------------------------------------------------

WEB = {"vms": [{"name": "web", "family": None}]}
LOST = {
    "csv": ((4, 0, 0, {}, [], WEB | {"time_unit": "ns"}), ROWS | {"vm": [0] * 4}),
    "memsim": ((3, 1, 1, {}, ["time", "content"], WEB), {"page": [3, 2**40, 0], "op": [1, 0, 0]}),
    "plain": ((3, 1, 0, {}, ["time", "op", "content"], WEB), {"page": [3, 2**40, 0]}),
    "oracleGeneral": (
        (3, 1, 0, {"times cut to whole seconds": 2}, ["op", "content"], WEB),
        {"page": [3, 2**40, 0], "time": [0, 0, 0]},
    ),
}
TOLD = (
    "rows", "frees_left_out", "fetches_as_reads", "changed", "columns_left_out", "metadata_left_out",
)  # fmt: skip


@pytest.mark.parametrize("format", LOST)
def test_export_and_back(tmp_path, trace, format):
    """What the format can say comes back; what it cannot is counted or named."""
    told, expected = LOST[format]
    found = export_trace(format, trace, tmp_path / "t.txt")
    assert found == dict(zip(TOLD, told, strict=True))
    assert imported(tmp_path, format, (tmp_path / "t.txt").read_bytes())[1] == expected


def test_a_page_size_that_an_import_must_be_told(tmp_path):
    """No file says it; with it, the pages come back."""
    write_trace(tmp_path / "t.parquet", {"page": [3]}, page_size=8192)
    for format in formats.writable():
        found = export_trace(format, tmp_path / "t.parquet", tmp_path / "t", force=True)
        assert found["metadata_left_out"] == {"page_size": 8192}
        metadata, rows = imported(tmp_path, format, (tmp_path / "t").read_bytes(), page_size=8192)
        assert (metadata.page_size, rows["page"]) == (8192, [3])


def test_metadata_that_no_file_holds(tmp_path):
    """Names, families, pages of the guest, a reduction, a sample: each named, of the VMs that are written."""
    trace, target = tmp_path / "t.parquet", tmp_path / "t"
    names = [{"name": "web", "family": "linux"}, {"name": "vm1"}, {"name": "vm2"}]
    sample = {"by": "pages", "rate": 0.5, "salt": 1}
    write_trace(
        trace,
        {"page": [1, 2, 3], "vm": [0, 1, 2]},
        vms=names,
        page_space="guest-physical",
        reduction={"method": "sad", "exact_above": 64},
        provenance={"sample": sample},
    )
    all_of_it = {"page_space": "guest-physical", "exact_above": 64, "sample": sample}
    web, second = {"name": "web", "family": "linux"}, {"name": "vm1", "family": None}
    third = {"name": "vm2", "family": None}
    for format in formats.writable():
        for vm, lost in ((0, {"vms": [web]}), (1, {})):
            told = export_trace(format, trace, target, vm=vm, force=True)["metadata_left_out"]
            assert told == all_of_it | lost, (format, vm)
    told = export_trace("csv", trace, target, force=True)["metadata_left_out"]
    assert told == all_of_it | {"vms": [web, second, third]}


IDLE = {
    ("csv", 1): r"t.parquet: found no rows of VM 1 that csv can say; expected at least one",
    ("oracleGeneral", 2): r"t.parquet: found no rows of VM 2 that oracleGeneral can say; expected",
}


@pytest.mark.parametrize(("format", "vm"), IDLE)
def test_a_vm_without_rows_is_refused(tmp_path, format, vm):
    """As is one whose rows the format has not; no empty file is made."""
    rows = {"page": [1, 2], "vm": [0, 2], "op": [0, 2]}
    write_trace(tmp_path / "t.parquet", rows, vms=["a", "idle", "frees"])
    with pytest.raises(TraceError, match=IDLE[format, vm]):
        export_trace(format, tmp_path / "t.parquet", tmp_path / "out", vm=vm)
    assert {path.name for path in tmp_path.iterdir()} == {"t.parquet"}


@pytest.mark.parametrize("name", formats.names())
def test_every_writable_format_is_tried(name):
    """A new exporter needs a round trip: here, or in its own test."""
    assert not hasattr(formats.get(name), "write") or name in LOST


def test_one_vm_of_several(tmp_path):
    """Formats without VMs take one; those with them take all, or one."""
    write_trace(tmp_path / "t.parquet", {"page": [1, 2, 3], "vm": [0, 1, 0]})
    trace, target = tmp_path / "t.parquet", tmp_path / "t.txt"
    with pytest.raises(
        UsageError, match="export: found 2 VMs; expected one, as plain has none: choose with --vm"
    ):
        export_trace("plain", trace, target)
    with pytest.raises(UsageError, match="export: found VM 2; expected 0 to 1"):
        export_trace("plain", trace, target, vm=2)
    assert export_trace("plain", trace, target, vm=0)["rows"] == 2
    assert target.read_bytes() == b"1\n3\n"
    assert export_trace("csv", trace, target, vm=1, force=True)["rows"] == 1
    assert columns(trace)["page"] == [1, 2, 3]


def test_refused_exports(tmp_path, trace):
    """No such format, one that cannot be written, no such parameter; no file is made."""
    for format, message in {
        "memsmi": 'export: found "memsmi"; expected one of .* did you mean "memsim"',
        "arc": 'export: found "arc"; expected one of',
        "csv:page=x": 'export: found "page"; expected "delimiter"',
    }.items():
        with pytest.raises(UsageError, match=message):
            export_trace(format, trace, tmp_path / "t.txt")
    assert list(tmp_path.iterdir()) == [trace]


def test_a_format_that_says_what_its_pages_are_is_not_cut_anew(tmp_path):
    """The metadata tell the format's page size; another one is refused, and nothing is written."""
    metadata, rows = imported(tmp_path, "memory-snapshot", bytes(4096) + b"x" * 4096)
    assert (metadata.page_size, rows["page"]) == (4096, [0, 1])
    (tmp_path / "imported.parquet").unlink()
    with pytest.raises(UsageError, match="found a page size of 512 bytes; expected 4096, or none"):
        imported(tmp_path, "memory-snapshot", bytes(4096), page_size=512)
    assert not (tmp_path / "imported.parquet").exists()
