"""CSV: whichever columns, however written; and a trace as CSV and back."""

from __future__ import annotations

import io
import re
import zipfile

import pyarrow as pa
import pytest
from formats.importing import columns, imported, refused, sample

from tracereplay.errors import UsageError
from tracereplay.trace import formats, write_trace
from tracereplay.trace.convert import export_trace, import_trace

EXAMPLE = b"time,vm,page,op,content\n0,0,7,0,\n5,1,18446744073709551615,1,0\n5,0,7,2,18446744073709551615\n"
MOST = 2**64 - 1


def test_our_own_columns_need_no_naming(tmp_path):
    """As ``write`` makes them: numbers are VM indices, nothing is a content that is not known."""
    metadata, rows = imported(tmp_path, "csv", EXAMPLE)
    assert rows == {
        "time": [0, 5, 5],
        "vm": [0, 1, 0],
        "page": [7, MOST, 7],
        "op": [0, 1, 2],
        "content": [None, 0, MOST],
    }
    assert [vm.name for vm in metadata.vms] == ["vm0", "vm1"]


CASES = {
    "another name, others not asked for": ("csv:page=lbn,op=", b"version,op,lbn\n1,2a,7\n", {"page": [7]}),
    "any order": ("csv", b"op,page\nW,7\n", {"op": [1], "page": [7]}),
    "ops in words": (
        "csv",
        b"page,op\n1,Read\n1,write\n1,FREE\n1,fetch\n1,r\n1,W\n1,3\n",
        {"page": [1] * 7, "op": [0, 1, 2, 3, 0, 1, 3]},
    ),
    "hexadecimal and decimal": ("csv", b"page,n\n0x1F,1\n31,2\n0Xab,3\n", {"page": [31, 31, 171]}),
    "blanks, CRLF, blank lines, no end": (
        "csv",
        b"\r\n time , page \r\n\r\n 0 , 1 \r\n \t\r\n 3,  2",
        {"time": [0, 3], "page": [1, 2]},
    ),
    "a header in a comment": (
        "csv:page=object",
        b"# time, object, size\n5, 9, 100\n",
        {"time": [0], "page": [9]},
    ),
    "files put together": ("csv", b"op,page\nw,1\nop,page\nr,2\n\nop,page", {"op": [1, 0], "page": [1, 2]}),
    "quotes": ("csv", b'"page","note"\n"1","a,b"\n2,"c"\n', {"page": [1, 2]}),
    "tabs": ("csv:delimiter=tab", b"page\tcontent\n1\t5\n2\t\n", {"page": [1, 2], "content": [5, None]}),
    "semicolons": ("csv:delimiter=;", b"page;op\n1;w\n", {"page": [1], "op": [1]}),
    "semicolons, not said": ("csv", b"note;page;op\na,b;1;w\n", {"page": [1], "op": [1]}),
    "tabs, not said, another name": (
        "csv:page=lbn",
        b"\xef\xbb\xbf\"lbn\"\tnote\n1\tx,y;z\n2\t\n",
        {"page": [1, 2]},
    ),
    "semicolons in a comment, not said": (
        "csv:address=at",
        b"# x\n#op; at\nR;4096\n",
        {"op": [0], "page": [1]},
    ),
    "no header to tell it from": ("csv:header=false,page=1", b"1,a;1;b\n", {"page": [1]}),
    "commas, not said": ("csv", b"a;b,page\n1;2,3\n", {"page": [3]}),
    "spaces": ("csv:delimiter= ,header=false,page=2,time=1", b"4 1\n6 2\n", {"time": [0, 2], "page": [1, 2]}),
    "no header": ("csv:header=false,page=3", b"a,b,7\nc,d,8\n", {"page": [7, 8]}),
    "one column": ("csv", b"page\n1\n2\n", {"page": [1, 2]}),
    "bytes that cross pages": (
        "csv:address=where,size=bytes",
        b"where,bytes,page\n4095,2,x\n0x2000,0,x\n",
        {"page": [0, 1, 2]},
    ),
    "several pages at once": ("csv:size=n", b"page,n\n4,3\n", {"page": [4, 5, 6]}),
    "names of VMs": ("csv:vm=host", b"page,host\n1,b\n2,a\n3,b\n", {"page": [1, 2, 3], "vm": [0, 1, 0]}),
    "numbers as names": ("csv:vm=pid", b"page,pid\n1,4242\n2,17\n", {"page": [1, 2], "vm": [0, 1]}),
    "a number after a name": ("csv", b"page,vm\n1,web\n2,7\n", {"page": [1, 2], "vm": [0, 1]}),
    "hexadecimal indices": ("csv", b"page,vm\n1,0x1\n2,0\n", {"page": [1, 2], "vm": [1, 0]}),
    "a content of one page, not of several": (
        "csv:size=n",
        b"page,n,content\n5,3,9\n8,1,9\n4,0,2\n",
        {"page": [5, 6, 7, 8, 4], "content": [None, None, None, 9, 2]},
    ),
    "a byte order mark": ("csv", b"\xef\xbb\xbfpage,op\n1,W\n", {"page": [1], "op": [1]}),
    "quotes inside": ("csv:page=n", b'note,n\nx"y,1\n"x""y",2\n', {"page": [1, 2]}),
    "a comment that is no record": ("csv", b'#"a,b\npage\n1\n', {"page": [1]}),
    "names in a column vm": ("csv", b"page,vm\n1,b\n2,a\n", {"page": [1, 2], "vm": [0, 1]}),
    "seconds": (
        "csv:time_unit=s",
        b"page,time\n1,1700000000.5\n1,1700000000.500000001\n1,1700000001\n",
        {"page": [1, 1, 1], "time": [0, 1, 500_000_000]},
    ),
    "microseconds": ("csv:time_unit=us", b"page,time\n1,1\n1,2.5\n", {"page": [1, 1], "time": [0, 1500]}),
    "nanoseconds": (
        "csv:time_unit=ns",
        b"page,time\n1,%d\n1,%d\n" % (MOST - 1, MOST),
        {"page": [1, 1], "time": [0, 1]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_how(tmp_path, case):
    """Columns of other names, other marks, other ways to write an operation, a number, a time."""
    format, content, expected = CASES[case]
    assert imported(tmp_path, format, content)[1] == expected


def test_the_first_row_says_what_vms_are(tmp_path):
    """A VM called 7 is the same one in a block, and in a file, that begins with it."""
    first = b"page,vm\n1,web\n2,7\n" + b"3,web\n" * 600_000 + b"5,7\n" * 600_000
    metadata, rows = imported(tmp_path, "csv", first, b"page,vm\n5,7\n")
    assert [vm.name for vm in metadata.vms] == ["web", "7"]
    assert rows["vm"] == [0, 1] + [0] * 600_000 + [1] * 600_001


@pytest.mark.parametrize("format", ["csv", "csv:header=false,page=1,op=2"])
def test_more_than_a_block_of_comments(tmp_path, format):
    """The first line after them is the header, or without one tells how many columns there are."""
    header = b"page,op\n" if format == "csv" else b""
    metadata, rows = imported(tmp_path, format, b"# a comment\n" * 400_000 + header + b"1,W\n")
    assert rows == {"page": [1], "op": [1]}
    assert metadata.source["skipped"] == {"lines that begin with #": 400_000}


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t"])
def test_it_is_told_whatever_delimits(tmp_path, delimiter):
    """A header with a column page and another, and nothing else that begins like it."""
    for header in (b"time,page,op", b'"page" , "content"', b"\xef\xbb\xbfpage,vm"):
        assert formats.matching(header.replace(b",", delimiter) + b"\n") == ("csv",)
    for header in (b"page", b"pages,op", b"a page,op", b"page|op"):
        assert formats.matching(header.replace(b",", delimiter) + b"\n") == ()
    assert imported(tmp_path, "auto", b"page,op\n7,W\n".replace(b",", delimiter))[1] == {
        "page": [7],
        "op": [1],
    }


def test_each_file_has_its_own_delimiter(tmp_path):
    """Where none is said."""
    assert imported(tmp_path, "csv", b"page;op\n1;R\n", b"page,op\n2,R\n")[1]["page"] == [1, 2]


def test_a_line_of_tabs_is_a_record_where_they_delimit(tmp_path):
    """With other delimiters it is blank."""
    content = b"page\top\n1\tR\n\t\n2\tW\n"
    assert refused(tmp_path, "csv:delimiter=tab", content).startswith('source0:3: found "" in column page')


def test_contents_of_several_pages_are_counted(tmp_path):
    """They are not kept; those of no known content do not count."""
    metadata, _ = imported(tmp_path, "csv:size=n", b"page,n,content\n5,3,9\n8,1,9\n4,2,\n1,2,1\n")
    assert metadata.source["contents of several pages at once left out"] == 2


def test_what_is_said_of_the_trace(tmp_path):
    """Names of the VMs, the unit of time, and the comments that are left out, of all files."""
    content = b"# made today\npage,vm,time\n1,web,0\n# half way\n2,db,1.5\n"
    metadata, rows = imported(tmp_path, "csv:time_unit=ms", content, b"time,vm,page\n2,db,3\n")
    assert [vm.name for vm in metadata.vms] == ["web", "db"]
    assert rows == {"page": [1, 2, 3], "vm": [0, 1, 1], "time": [0, 1_500_000, 2_000_000]}
    assert metadata.time_unit == "ns"
    assert metadata.source["skipped"] == {"lines that begin with #": 2}


def archive(*members: bytes) -> bytes:
    """A zip archive of a.csv, b.csv, …"""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name, content in zip("abc", members, strict=False):
            file.writestr(f"{name}.csv", content)
    return sink.getvalue()


def test_an_archive_of_tables(tmp_path):
    """Is one table, whether each has the header, a byte order mark or an end of its last line."""
    content = archive(b"page,op\n1,r\n2,w", b"\xef\xbb\xbfpage,op\r\n3,r\r\n", b"4,w\n")
    metadata, rows = imported(tmp_path, "auto", content)
    assert rows == {"page": [1, 2, 3, 4], "op": [0, 1, 0, 1]}
    assert metadata.source["skipped"] == {"headers that come again": 1}


@pytest.mark.parametrize("header", ["op,page", "op,page,x", "page"])
def test_an_archive_of_tables_that_differ(tmp_path, header):
    """Names the member whose columns are others."""
    message = refused(tmp_path, "csv", archive(b"page,op\n1,r", header.encode() + b"\n1,1\n"))
    assert message == (
        f'source0/b.csv:1: found "{header}"; expected "page,op", the header of the members before it, or a '
        "record of its columns"
    )


def test_a_bad_record_of_an_archive(tmp_path):
    """Is named by its member and the line there, also at its beginning where there is no header."""
    message = refused(tmp_path, "csv", archive(b"page,op\n1,r", b"page,op\n2,r\n\nx,r\n"))
    assert message.startswith('source0/b.csv:4: found "x" in column page; expected a whole number')
    message = refused(tmp_path, "csv:header=false,page=1", archive(b"1", b"x\n"))
    assert message.startswith('source0/b.csv:1: found "x" in column page; expected a whole number')
    assert refused(tmp_path, "csv", archive(b"page\nx\n")).startswith('source0:2: found "x" in column page')


NUMBER = "expected a whole number from 0 to 2^64 - 1, decimal or 0x…"
ENDS = r"expected lines that end with \n or \r\n"
BAD = {
    b"page\n1\n\nx\n": f'source0:4: found "x" in column page; {NUMBER}',
    b"page,op\n1,R\n-1,R\n": f'source0:3: found "-1" in column page; {NUMBER}',
    b"page,op\n1,R\n1.0,R\n": f'source0:3: found "1.0" in column page; {NUMBER}',
    b"page,op\n18446744073709551616,R\n": f'source0:2: found "18446744073709551616" in column page; {NUMBER}',
    b"page,op\n1,R\n,R\n": f'source0:3: found "" in column page; {NUMBER}',
    b"page,op\n1,R\n2,X\n": 'source0:3: found "X" in column op; expected read, write, free or fetch, r or w, '
    "or 0 to 3 (op= leaves the column out)",
    b"page,time\n1,-1\n": 'source0:2: found "-1" in column time; expected a time of at least 0 in '
    "accesses, a whole number",
    b"page,vm\n1,0\n2,b\n": 'source0:3: found "b" in column vm; expected the index of a VM, below 65536, '
    "or in all rows a name",
    b"page,vm\n1,-1\n2,0\n": 'source0:2: found "-1" in column vm; expected the index of a VM, below 65536, '
    "or in all rows a name",
    b"page,op\n1,R\n2,R\r3,W\n4,W\n": f'source0:3: found "2,R\\r3,W"; {ENDS}',
    b"page,op\n1,R\n2,R\r3,X\n4,W\n": f'source0:3: found "2,R\\r3,X"; {ENDS}',
    b"page,op\r1,R\r": f'source0:1: found "page,op\\r1,R"; {ENDS}',
    b"page,op\n# made\r1,R\n2,R\n": f'source0:2: found "# made\\r1,R"; {ENDS}',
    b"page,content\n1,0x\n": f'source0:2: found "0x" in column content; {NUMBER}, or nothing',
    b"page,op\n# left out\n1,R\n2\n": 'source0:4: found 1 fields: "2"; expected 2: page, op',
    b"page,op\n1,R,3\n": 'source0:2: found 3 fields: "1,R,3"; expected 2: page, op',
    b'page,op\n1,R\n2,"R\n3,R\n': 'source0:3: found "2,\\"R"; expected a record on one line; '
    "a quote is not closed",
    b'page,op\n1,R\n2,"R': 'source0:3: found "2,\\"R"; expected a record on one line; a quote is not closed',
    b'note,page\nx"y,1\n"c,2\n3,4\n': 'source0:3: found "\\"c,2"; expected a record on one line; a quote is '
    "not closed",
    b"page,op\n": "found no rows; expected at least one access",
    b"# page\n": "found no rows; expected at least one access",
}


@pytest.mark.parametrize("content", BAD)
def test_a_bad_record_is_named(tmp_path, content):
    """File, line, column, found and expected; no file is left."""
    assert refused(tmp_path, "csv", content).endswith(BAD[content])


@pytest.mark.parametrize(
    ("line", "content"),
    [(1, b"page," + b"x" * 200_000 + b"\n1,2\n"), (3, b'page\n\n"' + b"1" * 200_000 + b'"')],
)
def test_a_field_beyond_measure_is_refused(tmp_path, line, content):
    """In the header as in a quoted record, by its line."""
    message = refused(tmp_path, "csv", content)
    assert message.startswith(f"source0:{line}: found ")
    assert message.endswith("expected a record on one line; field larger than field limit (131072)")


def test_a_bad_record_far_inside_is_named(tmp_path):
    """Its line is that of the whole file, blank lines and comments included."""
    lines = b"page,time\n" + b"1,1\n\n# no\n" * 700_000 + b"1,1\n1,z\n"
    assert refused(tmp_path, "csv", lines).startswith('source0:2100003: found "z" in column time')


def test_times_in_seconds_have_at_most_nine_decimals(tmp_path):
    """What is finer than a nanosecond cannot be kept, nor what is negative."""
    for time in (b"0.1234567891", b"-0.5", b"1:02", b"99999999999999999999"):
        message = refused(tmp_path, "csv:time_unit=s", b"page,time\n1,0\n1," + time + b"\n")
        expected = "in column time; expected a time of at least 0 in s"
        assert message == f'source0:3: found "{time.decode()}" {expected}'


USAGE = {
    "csv:page=lbm": 'column page: found "lbm"; expected one of "lbn", "op"; did you mean "lbn"?; say which: '
    "page=NAME",
    "csv": 'column page: found "page"; expected one of "lbn", "op"; say which: page=NAME',
    "csv:page=lbn,time=when": 'column time: found "when"; expected one of "lbn", "op"; say which: time=NAME',
    "csv:page=lbn,delimiter=::": 'csv: delimiter: found "::"; expected one character, or tab',
    'csv:page=lbn,delimiter="': 'csv: delimiter: found "\\""; expected one character, or tab',
    "csv:page=lbn,time_unit=sec": 'time_unit: found "sec"; expected one of "s", "ms", "us", "ns", '
    '"instructions", "accesses"',
    "csv:pages=lbn": 'found "pages"; expected one of "page", "address", "size", "time", "op", "vm", '
    '"content", "time_unit", "delimiter", "header", "comment"; did you mean "page"?',
    "csv:header=maybe": 'parameter header of format csv: found "maybe"; expected one of "true", "false"',
}


@pytest.mark.parametrize("format", USAGE)
def test_wrong_parameters(tmp_path, format):
    """Columns that are not there, with those that are; and other words that mean nothing."""
    with pytest.raises(UsageError, match=re.escape(USAGE[format])):
        imported(tmp_path, format, b"lbn,op\n1,R\n")


def test_two_columns_of_a_name_are_refused(tmp_path):
    """Which of them would be meant cannot be told."""
    with pytest.raises(UsageError, match=r'column page: found two columns "page"; expected one'):
        imported(tmp_path, "csv", b"page,page\n1,2\n")


@pytest.mark.parametrize("delimiter", [",", "tab", ";"])
def test_export_and_back(tmp_path, delimiter):
    """Unknown contents, VMs by index although the second comes first, FREE rows, all of 64 bits."""
    rows = {
        "time": [0, 3, 3, 900],
        "vm": [1, 0, 2, 1],
        "page": [7, MOST, 0, 7],
        "op": [1, 0, 3, 2],
        "content": [None, MOST, 0, None],
    }
    table = pa.table({name: pa.array(values, pa.uint64()) for name, values in rows.items()})
    write_trace(tmp_path / "t.parquet", table, time_unit="ns", vms=["a", "b", "c"])
    text = tmp_path / "t.csv"
    found = export_trace("csv", tmp_path / "t.parquet", text, delimiter=delimiter)
    assert found == {
        "rows": 4,
        "frees_left_out": 0,
        "fetches_as_reads": 0,
        "changed": {},
        "columns_left_out": [],
        "metadata_left_out": {"time_unit": "ns", "vms": [{"name": vm, "family": None} for vm in "abc"]},
    }
    metadata, back = imported(tmp_path, "csv", text.read_bytes(), time_unit="ns", delimiter=delimiter)
    assert back == rows
    assert metadata.time_unit == "ns"


def test_a_trace_as_text(tmp_path):
    """A header, then numbers alone."""
    write_trace(tmp_path / "t.parquet", {"page": [7, 8], "content": [None, 5]})
    export_trace("csv", tmp_path / "t.parquet", tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"time,vm,page,op,content\n0,0,7,0,\n1,0,8,0,5\n"


def test_libcachesims_files(tmp_path):
    """cloudPhysics: its requests and objects; Twitter: a header in a comment, blanks after commas."""
    target = tmp_path / "t.parquet"
    metadata = import_trace(
        "csv:page=lbn,op=,time_unit=s", sample("libcachesim/cloudPhysicsIO.csv.gz"), target
    )
    assert (metadata.rows, metadata.vms[0].pages) == (113_872, 48_974)
    twitter = sample("libcachesim/twitter_cluster52.head20k.csv.gz")
    metadata = import_trace("csv:page=object,time_unit=s", twitter, target, force=True)
    assert metadata.rows == 19_999
    assert columns(target)["page"][:3] == [13053225291711363978, 61177148907475485, 286355432205858634]
