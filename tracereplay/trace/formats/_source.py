"""The bytes of a foreign trace: decompressed on the fly, read once, forward, in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError

HEAD_BYTES = 1 << 14
BLOCK_BYTES = 1 << 22
STANDARD_INPUT = ("-", "/dev/stdin")

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


class Source:
    """One file (``-`` is standard input), plain or compressed with gzip, bzip2, xz, zstd or zip.

    The compression is told by the file's first bytes, not by its name; the members of a zip archive
    follow each other in name order.  ``progress(done, total)`` hears of bytes of the file as it lies there.
    """

    def __init__(
        self, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.name = os.fspath(path)
        self._progress = progress
        self._file: IO[bytes] | None = None
        self._standard_input: _Ahead | None = None

    def beside(self, path: str | os.PathLike[str]) -> Source:
        """A source over another file, such as one in the directory that this one names."""
        return Source(path, self._progress)

    def head(self) -> bytes:
        """The first decompressed bytes, at most HEAD_BYTES; they are not used up."""
        with self.open() as stream:
            return stream.head if isinstance(stream, _Ahead) else self.read(stream, HEAD_BYTES)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The decompressed bytes, to be read forward with ``read``."""
        if self.name in STANDARD_INPUT:
            if self._standard_input is None:
                stream = self._decompressed(sys.stdin.buffer)
                self._standard_input = _Ahead(self.read(stream, HEAD_BYTES), stream)
            yield cast(IO[bytes], self._standard_input)
            return
        try:
            self._file = Path(self.name).open("rb")  # noqa: SIM115 (closed below)
        except OSError as problem:
            raise TraceError(
                f"cannot be read ({problem.strerror}); check the path and the access", self.name
            ) from None
        with self._file:
            yield self._decompressed(self._file)

    def read(self, stream: IO[bytes], size: int) -> bytes:
        """``size`` bytes, fewer only at the end; TraceError where decompression fails."""
        parts: list[bytes] = []
        missing = size
        try:
            while missing and (part := stream.read(missing)):
                parts.append(part)
                missing -= len(part)
        except _BROKEN as problem:
            self._refuse_broken(problem)
        if self._progress is not None and self._file is not None:
            self._progress(self._file.tell(), os.fstat(self._file.fileno()).st_size)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """The decompressed bytes in blocks of ``size``, the last one shorter."""
        with self.open() as stream:
            while block := self.read(stream, size):
                yield block

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbered lines (from 1) without their ends, for formats whose lines need Python to be read."""
        number, rest = 0, b""
        for block in self.blocks(1 << 20):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                number += 1
                yield number, line.decode("utf-8", "replace").rstrip("\r")
        if rest:
            yield number + 1, rest.decode("utf-8", "replace").rstrip("\r")

    def records(self, dtype: np.dtype[Any], *, skip: int = 0) -> Iterator[np.ndarray]:
        """The bytes after the first ``skip`` as arrays of ``dtype``; TraceError for a cut record."""
        at = skip
        with self.open() as stream:
            self.read(stream, skip)
            while block := self.read(stream, (1 << 16) * dtype.itemsize):
                if rest := len(block) % dtype.itemsize:
                    expected = f"records of {dtype.itemsize} bytes; the file is cut off, or of another format"
                    self.refuse_byte(at + len(block) - rest, f"{rest} bytes at the end", expected)
                at += len(block)
                yield np.frombuffer(block, dtype)

    def refuse_line(self, line: int, found: str, expected: str) -> NoReturn:
        """TraceError for a line, counted from 1."""
        raise TraceError(f"found {found}; expected {expected}", f"{self.name}:{line}")

    def refuse_byte(self, offset: int, found: str, expected: str) -> NoReturn:
        """TraceError for what stands at an offset of the decompressed bytes."""
        raise TraceError(f"found {found}; expected {expected}", f"{self.name}: byte {offset}")

    def refuse(self, found: str, expected: str) -> NoReturn:
        """TraceError for the file as a whole."""
        raise TraceError(f"found {found}; expected {expected}", self.name)

    def _decompressed(self, file: IO[bytes]) -> IO[bytes]:
        head = cast(io.BufferedReader, file).peek(6)
        kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
        try:
            if kind == "gzip":
                return cast(IO[bytes], gzip.GzipFile(fileobj=file))
            if kind == "bz2":
                return cast(IO[bytes], bz2.BZ2File(file))
            if kind == "xz":
                return cast(IO[bytes], lzma.LZMAFile(file))
            if kind == "zstd":
                return cast(IO[bytes], pa.CompressedInputStream(file, "zstd"))
            if kind == "zip":
                return cast(IO[bytes], _Members(zipfile.ZipFile(file)))
        except _BROKEN as problem:
            self._refuse_broken(problem)
        return file

    def _refuse_broken(self, problem: BaseException) -> NoReturn:
        text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise TraceError(f"cannot be read or decompressed ({text}); copy or make it again", self.name)


class _Ahead:
    """A stream that cannot go back, with the bytes that were read ahead."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self.head = head
        self._left = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._left:
            part, self._left = self._left[:size], self._left[size:]
            return part
        return self._stream.read(size)


class _Members:
    """The members of a zip archive one after the other, as one stream."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = iter(sorted(archive.namelist()))
        self._member: IO[bytes] | None = None

    def read(self, size: int) -> bytes:
        while True:
            if self._member is not None and (part := self._member.read(size)):
                return part
            if (name := next(self._names, None)) is None:
                return b""
            self._member = self._archive.open(name)


def first_lines(head: bytes, count: int = 10) -> list[bytes]:
    """The first lines of ``head`` that are not blank, at most ``count``, without one that may be cut."""
    lines = head.split(b"\n")
    whole = lines if len(head) < HEAD_BYTES else lines[:-1]
    return [line.strip() for line in whole if line.strip()][:count]


def all_match(head: bytes, line: re.Pattern[bytes]) -> bool:
    """Whether ``head`` is text whose first lines (blanks at their ends stripped) all match ``line``."""
    lines = first_lines(head)
    return bool(lines) and all(map(line.fullmatch, lines))
