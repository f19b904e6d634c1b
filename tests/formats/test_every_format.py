"""What every format promises, whoever wrote it: it describes itself and reads what its test shows."""

from __future__ import annotations

import bz2
import codecs
import gzip
import importlib
import io
import lzma
import os
import sys
import threading
import zipfile
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from formats.importing import columns, imported, refused

from tracereplay.errors import TraceError
from tracereplay.trace import formats, write_trace
from tracereplay.trace.convert import detect, export_trace, import_trace
from tracereplay.trace.formats._records import Findings
from tracereplay.trace.formats._source import HEAD_BYTES, Source
from tracereplay.trace.schema import Op

NAMES = formats.names()


def archive(**members: bytes) -> bytes:
    """A zip archive."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return sink.getvalue()


def zipped(content: bytes) -> bytes:
    """Two members whose contents follow each other, the second one first in the archive.

    Binary contents are cut within a record, texts before the last line, and there the end of a line is lost.
    """
    middle = len(content) // 2
    if b"\0" in content:
        return archive(b=content[middle:], a=content[:middle])
    end = content.rindex(b"\n", 0, -1)
    return archive(b=content[end + 1 :], a=content[:end])


COMPRESSED = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "zip": zipped,
}


def example(name: str) -> bytes:
    """A few records of a format: its test module has them as ``EXAMPLE``."""
    module = formats.get(name).__name__.rpartition(".")[2]
    return importlib.import_module(f"formats.test_{module}").EXAMPLE


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_itself(name):
    """One line that ends with a stop, and a sample on one line."""
    assert formats.describe(name).endswith(".")
    sample = formats.get(name).SAMPLE
    assert sample.strip()
    assert "\n" not in sample


@pytest.mark.parametrize("name", NAMES)
def test_it_is_told_from_all_others(name):
    """By its content alone; a format that says that it never is, is not."""
    never = formats.get(name).looks_like.__doc__.startswith("Never")
    assert formats.matching(example(name)[:HEAD_BYTES]) == (() if never else (name,))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"hello, world\n", b"a,b\n1,2\n", bytes(4096)])
def test_what_is_none_of_them(content):
    """Nothing, prose, columns of no known name, zeros: no format that can be told."""
    assert formats.matching(content) == ()


@pytest.mark.parametrize("name", NAMES)
def test_however_it_is_compressed(name, tmp_path, monkeypatch):
    """Plain, in each compression and from standard input: the same rows."""
    metadata, rows = imported(tmp_path, name, example(name))
    assert metadata.rows == len(rows["page"]) > 0
    for compress in COMPRESSED.values():
        assert imported(tmp_path, name, compress(example(name)))[1] == rows
    for content in (example(name), gzip.compress(example(name))):
        stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content)))
        monkeypatch.setattr(sys, "stdin", stdin)
        import_trace(name, "-", tmp_path / "piped.parquet", force=True)
        assert columns(tmp_path / "piped.parquet") == rows


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_pipe_that_has_a_path(tmp_path, pack):
    """Is read once: told from its content, then read as a whole; there is no progress to be told."""
    os.mkfifo(tmp_path / "pipe")
    content = pack(b"".join(b"%d\n" % page for page in range(20_000)))
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[content])
    writer.start()
    heard = []
    import_trace("auto", tmp_path / "pipe", tmp_path / "t.parquet", progress=lambda *now: heard.append(now))
    writer.join()
    assert columns(tmp_path / "t.parquet") == {"page": list(range(20_000))}
    assert heard == []


def test_an_archive_in_a_pipe(tmp_path):
    """Is refused for what it is: it cannot be read forward."""
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[archive(a=b"1\n")])
    writer.start()
    with pytest.raises(TraceError, match="pipe: found a zip archive in a pipe; expected its file, as"):
        import_trace("plain", tmp_path / "pipe", tmp_path / "t.parquet")
    writer.join()


def test_members_of_an_archive_end_their_lines(tmp_path):
    """A last line without an end is not glued to the next member's first; empty members add nothing."""
    members = {"a/": b"", "a/1": b"1\n2", "a/2": b"", "a/3": b"3\n", "b": b"4"}
    assert imported(tmp_path, "auto", archive(**members))[1] == {"page": [1, 2, 3, 4]}


def test_litter_of_file_managers(tmp_path):
    """In an archive is left out and told; the true member's lines are those of the file."""
    mac = b"\0\5\x16\7\0\2\0\0Mac OS X"
    members = {"t/1.txt": b"1\n2\n", "__MACOSX/t/._1.txt": mac, ".DS_Store": b"\0\0\0\1Bud1", "._t": mac}
    metadata, rows = imported(tmp_path, "auto", archive(**members))
    assert rows == {"page": [1, 2]}
    assert metadata.source["members left out"] == [".DS_Store", "._t", "__MACOSX/t/._1.txt"]
    (tmp_path / "imported.parquet").unlink()
    assert refused(tmp_path, "plain", archive(**members | {"t/1.txt": b"x\n"})).startswith("source0:1: ")


@pytest.mark.parametrize("name", ["plain", "msr"])
def test_a_line_of_an_archive_has_the_number_of_its_member(tmp_path, name):
    """Whoever reads the lines; members that lack the last line's end or have no lines count rightly."""
    good = example(name).rstrip(b"\n")
    for empty in (b"", b"\n"):
        members = {"a/": b"", "a/1": good, "a/2": empty, "a/3": good + b"\n\n?\n", "b": good}
        line = good.count(b"\n") + 3
        assert refused(tmp_path, name, archive(**members)).startswith(f'source0/a/3:{line}: found "?"; ')


def test_a_line_of_zero_bytes_has_the_number_of_its_member(tmp_path):
    """Zero bytes are the end of text, not of lines."""
    members = {"a": b"1\n", "b": b"2\n\0\n3\n", "c": b"4\n"}
    assert refused(tmp_path, "plain", archive(**members)).startswith('source0/b:2: found "')


TEXTS = tuple(name for name in NAMES if b"\0" not in example(name) and name not in ("damon", "parquet"))


@pytest.mark.parametrize("name", TEXTS)
def test_text_with_a_byte_order_mark(name, tmp_path):
    """Is what it is without, in each member of an archive, too; UTF-16 is refused, and what to do is said."""
    rows = imported(tmp_path, name, example(name))[1]
    marked = codecs.BOM_UTF8 + example(name)
    assert formats.matching(marked[:HEAD_BYTES]) == formats.matching(example(name)[:HEAD_BYTES])
    assert imported(tmp_path, name, marked)[1] == rows
    both = imported(tmp_path, name, archive(a=marked, b=marked))[1]["page"]
    assert both == rows["page"] * 2
    (tmp_path / "imported.parquet").unlink()
    for format in (name, "auto"):
        for kind in ("utf-16", "utf-16-be"):
            content = ("\ufeff" * (kind == "utf-16-be") + example(name).decode()).encode(kind)
            assert refused(tmp_path, format, content) == (
                "source0: found text in UTF-16; expected UTF-8; convert it with iconv -f UTF-16 -t UTF-8"
            )


STREAMS = {name: compress for name, compress in COMPRESSED.items() if name != "zip"}


@pytest.mark.parametrize("compression", STREAMS)
def test_what_follows_a_compressed_stream(tmp_path, compression):
    """Another one is read, anything else refused."""
    first, second = map(STREAMS[compression], (b"1\n2\n", b"3\n"))
    assert imported(tmp_path, "plain", first + second)[1] == {"page": [1, 2, 3]}
    (tmp_path / "imported.parquet").unlink()
    assert "source0: cannot be read or decompressed" in refused(tmp_path, "plain", first + b"garbage")


@pytest.mark.parametrize("padding", [4, 1 << 17])
def test_zeros_that_pad_xz(tmp_path, padding):
    """Are of its format, between streams and at the end."""
    first, second = map(lzma.compress, (b"1\n2\n", b"3\n"))
    content = first + bytes(padding) + second + bytes(padding)
    assert imported(tmp_path, "plain", content)[1] == {"page": [1, 2, 3]}


def of_method(method: int) -> bytes:
    """An archive that says that its member is compressed in such a way."""
    content = bytearray(archive(a=b"1\n"))
    content[8] = content[content.index(b"PK\x01\x02") + 10] = method
    return bytes(content)


def encrypted() -> bytes:
    """An archive that says that its member is encrypted."""
    content = bytearray(archive(a=b"1\n"))
    content[6] = content[content.index(b"PK\x01\x02") + 8] = 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "why"), [(of_method(97), "compression method is not supported"), (encrypted(), "encrypted")]
)
def test_an_archive_that_cannot_be_read(tmp_path, content, why):
    """Is named, with the reason."""
    message = refused(tmp_path, "plain", content)
    assert message.startswith("source0: cannot be read or decompressed (")
    assert why in message


@pytest.mark.parametrize("name", ["plain", "msr", "csv:page=1,header=false"])
def test_a_line_without_end(tmp_path, name):
    """Is refused before it fills the memory, whoever reads the lines."""
    message = refused(tmp_path, name, bytes(3 << 20).replace(b"\0", b"1"))
    assert message == (
        "source0: found a line of more than 1048576 bytes; expected text; this may be a binary file"
    )


@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize("name", NAMES)
def test_a_cut_compressed_file_is_refused(name, compression, tmp_path):
    """By its name; no trace is made of what could be read."""
    whole = COMPRESSED[compression](example(name))
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(TraceError, match=f"{path}.*cannot be read or decompressed"):
        import_trace(name, path, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", NAMES)
def test_records_are_arrays_of_the_kinds_promised(name, tmp_path):
    """Equal lengths, one dtype a column, the same columns in every batch, contents with their mask."""
    kinds = {"op": np.uint8, "vm": np.uint16, "known": np.bool_}
    path = tmp_path / "source"
    path.write_bytes(example(name))
    seen = set()
    for records in formats.get(name).read([Source(path)], Findings()):
        given = {key: array for key, array in records._asdict().items() if array is not None}
        assert {key: array.dtype for key, array in given.items()} == {
            key: np.dtype(kinds.get(key, np.uint64)) for key in given
        }
        assert {len(array) for array in given.values()} == {len(records.address)}
        assert ("content" in given) == ("known" in given)
        seen.add(tuple(given))
    assert len(seen) == 1


@pytest.mark.parametrize("page_size", [1, 512, 4096, 8192, 1 << 30])
@pytest.mark.parametrize("name", formats.writable())
def test_what_it_writes_it_reads(name, page_size, tmp_path):
    """Of all that a trace can hold, up to the last byte of the address space, comes back what it CARRIES."""
    rng = np.random.default_rng(page_size)
    n, vms = 3000, 3
    last = (2**64 - 1) // page_size
    page = rng.integers(0, last, n, np.uint64, endpoint=True)
    page[:vms] = last
    rows = {
        "time": np.sort(rng.integers(0, 1 << 32, n, np.uint64)) * np.uint64(10**9),
        "vm": np.append(np.arange(vms), rng.integers(0, vms, n - vms)).astype(np.uint16),
        "page": page,
        "op": np.append([Op.READ] * vms, rng.integers(0, len(Op), n - vms)).astype(np.uint8),
        "content": pa.array(
            rng.integers(0, 2**64 - 1, n, np.uint64, endpoint=True), mask=rng.random(n) < 0.3
        ),
    }
    trace = tmp_path / "t.parquet"
    write_trace(trace, rows, time_unit="ns", page_size=page_size)
    carried = formats.get(name).CARRIES
    for vm in [None] if "vm" in carried else range(vms):
        found = export_trace(name, trace, tmp_path / "out", vm=vm, force=True)
        told = {"time_unit": "ns"} if "time_unit" in found["metadata_left_out"] else {}
        _, back = imported(tmp_path, name, (tmp_path / "out").read_bytes(), page_size=page_size, **told)
        assert back == surviving(columns(trace), carried, vm)


def surviving(rows: dict[str, list], carried: frozenset[str], vm: int | None) -> dict[str, list]:
    """The columns of an import of what a format that ``carried`` these wrote of ``rows``."""
    kept = [
        i
        for i, (of, op) in enumerate(zip(rows["vm"], rows["op"], strict=True))
        if vm in (None, of) and (op != Op.FREE or "free" in carried)
    ]
    found = {key: [values[i] for i in kept] for key, values in rows.items() if key in carried}
    if "time" in found:
        found["time"] = [time - found["time"][0] for time in found["time"]]
    if "op" in found and "fetch" not in carried:
        found["op"] = [Op.READ if op == Op.FETCH else op for op in found["op"]]
    return found


EMPTY = "source0: found an empty file; expected a trace"
TWICE = "expected a trace, compressed once: decompress it"
UNTOLD = {
    b"": EMPTY,
    b"\r\n \n": EMPTY,
    archive(): EMPTY,
    gzip.compress(b""): EMPTY,
    gzip.compress(lzma.compress(b"1\n")): f"source0: found xz within what was decompressed; {TWICE}",
    archive(a=gzip.compress(b"1\n")): f"source0: found gzip within what was decompressed; {TWICE}",
    b"\nLD 0x1000\nST 0x2000\n": 'its beginning, "LD 0x1000", is none that is known; name it',
    b"x" * 61: f'its beginning, "{"x" * 59}…", is none that is known; name it',
    b"\x7fELF\n": "the format cannot be told: its beginning is none that is known; name it",
}


@pytest.mark.parametrize("content", UNTOLD)
def test_what_is_said_of_files_of_no_format(tmp_path, content):
    """Empty, compressed twice, or how they begin, where that can be shown."""
    assert UNTOLD[content] in refused(tmp_path, "auto", content)


def test_a_format_that_cannot_be_told(tmp_path):
    """No guess is made, and how to go on is said."""
    path = tmp_path / "prose.txt"
    path.write_bytes(b"It was a dark and stormy night.\n")
    with pytest.raises(TraceError, match=r"prose.txt: the format cannot be told: .*import --list"):
        detect(Source(path))
