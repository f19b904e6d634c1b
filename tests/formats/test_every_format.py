"""What every format promises, whoever wrote it: it describes itself and reads what its test shows."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from formats.importing import columns, imported

from tracereplay.errors import TraceError
from tracereplay.trace import formats
from tracereplay.trace.convert import detect, import_trace
from tracereplay.trace.formats._records import Findings
from tracereplay.trace.formats._source import HEAD_BYTES, Source

NAMES = formats.names()


def zipped(content: bytes) -> bytes:
    """Two members whose contents follow each other, the second one first in the archive."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        middle = len(content) // 2
        archive.writestr("b", content[middle:])
        archive.writestr("a", content[:middle])
    return sink.getvalue()


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


@pytest.mark.parametrize("name", formats.writable())
def test_what_it_writes_it_reads(name, tmp_path):
    """A format that can be written says what it carries, of our columns and FREE rows."""
    carried = formats.get(name).CARRIES
    assert "page" in carried
    assert carried <= {"time", "vm", "page", "op", "content", "free"}


def test_a_format_that_cannot_be_told(tmp_path):
    """No guess is made, and how to go on is said."""
    path = tmp_path / "prose.txt"
    path.write_bytes(b"It was a dark and stormy night.\n")
    with pytest.raises(TraceError, match=r"prose.txt: the format cannot be told: .*import --list"):
        detect(Source(path))
