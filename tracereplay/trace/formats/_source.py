"""The bytes of a foreign trace: decompressed on the fly, read once, forward, in bounded memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import sys
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np
import pyarrow as pa

from tracereplay.errors import TraceError

HEAD_BYTES = 1 << 14
BLOCK_BYTES = 1 << 22
STANDARD_INPUT = ("-", "/dev/stdin")

_LONGEST_LINE = 1 << 20
_COMPRESSED_BYTES = 1 << 16
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # without members
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# beside the files that were packed: what file managers leave behind
_LITTER = re.compile(r"(.*/)?(__MACOSX/.*|\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)")
# RuntimeError: a zip archive that is encrypted, or compressed in a way that Python has not
_BROKEN = (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException)


class Source:
    """One file (``-`` is standard input), plain or compressed with gzip, bzip2, xz, zstd or zip.

    The compression is told by the file's first bytes, not by its name; the members of a zip archive
    follow each other in name order as one file, except for those that file managers leave there
    (``left_out``).  Text is UTF-8, with a byte order mark or not.  Anything but a regular file, such as a
    pipe, is read once, its beginning ahead.  ``progress(done, total)`` hears of bytes of a regular file as it
    lies there; ``opened`` is whether anyone has begun to read.  Used in ``with``, it closes its files at the
    end even if a reader was left in the middle.
    """

    def __init__(
        self, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.name = os.fspath(path)
        self._progress = progress
        self._file: IO[bytes] | None = None
        self._ahead: _Ahead | None = None
        self._files = ExitStack()
        self._members: _Members | None = None
        self.opened = False

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exception: object) -> None:
        self._files.close()

    def beside(self, path: str | os.PathLike[str]) -> Source:
        """A source over another file, such as one in the directory that this one names; closed with it."""
        return self._files.enter_context(Source(path, self._progress))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Members of the archive that are no part of what was packed; none before it is read."""
        return () if self._members is None else self._members.left_out

    def head(self) -> bytes:
        """The first decompressed bytes, at most HEAD_BYTES; they are not used up."""
        with self.open() as stream:
            return stream.head if isinstance(stream, _Ahead) else self.read(stream, HEAD_BYTES)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The decompressed bytes, to be read forward with ``read``."""
        self.opened = True
        if self.name in STANDARD_INPUT or not os.path.isfile(self.name):
            self._ahead = self._ahead or self._read_ahead()
            yield cast(IO[bytes], self._ahead)
            return
        with self._opened() as self._file:
            self._files.callback(self._file.close)
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

    def whole_lines(self) -> Iterator[bytes]:
        """The decompressed text in blocks that end with a line's end, which the last line gets if need be."""
        rest = b""
        for i, block in enumerate(self.blocks()):
            if i == 0:
                self.refuse_utf16(block)
                block = block.removeprefix(codecs.BOM_UTF8)
            cut = block.rfind(b"\n") + 1
            if cut:
                yield rest + block[:cut]
                rest = block[cut:]
            else:
                rest += block
            if len(rest) > _LONGEST_LINE:
                self.refuse(f"a line of more than {_LONGEST_LINE} bytes", "text; this may be a binary file")
        if rest:
            yield rest + b"\n"

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbered lines (from 1) without their ends, for formats whose lines need Python to be read."""
        lines = (line for block in self.whole_lines() for line in block.split(b"\n")[:-1])
        for number, line in enumerate(lines, 1):
            yield number, line.decode("utf-8", "replace").rstrip("\r")

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

    def member(self, line: int) -> tuple[str, int]:
        """The member of an archive of several that a line of all of them is in, and which of its lines it is.

        Of other files, no name and the line itself.
        """
        return ("", line) if self._members is None else self._members.place(line)

    def refuse_line(self, line: int, found: str, expected: str) -> NoReturn:
        """TraceError for a line, counted from 1."""
        member, number = self.member(line)
        place = f"{self.name}/{member}" if member else self.name
        raise TraceError(f"found {found}; expected {expected}", f"{place}:{number}")

    def refuse_utf16(self, head: bytes) -> None:
        """TraceError if text that begins with ``head`` is UTF-16."""
        if head.startswith(_UTF16):
            self.refuse("text in UTF-16", "UTF-8; convert it with iconv -f UTF-16 -t UTF-8")

    def refuse_byte(self, offset: int, found: str, expected: str) -> NoReturn:
        """TraceError for what stands at an offset of the decompressed bytes."""
        raise TraceError(f"found {found}; expected {expected}", f"{self.name}: byte {offset}")

    def refuse(self, found: str, expected: str) -> NoReturn:
        """TraceError for the file as a whole."""
        raise TraceError(f"found {found}; expected {expected}", self.name)

    def _opened(self) -> IO[bytes]:
        try:
            return Path(self.name).open("rb")
        except OSError as problem:
            raise TraceError(
                f"cannot be read ({problem.strerror}); check the path and the access", self.name
            ) from None

    def _read_ahead(self) -> _Ahead:
        """What can be read only once; its file is closed with this source."""
        standard = self.name in STANDARD_INPUT
        file = sys.stdin.buffer if standard else self._files.enter_context(self._opened())
        stream = self._decompressed(file)
        return _Ahead(self.read(stream, HEAD_BYTES), stream)

    def _decompressed(self, file: IO[bytes]) -> IO[bytes]:
        kind = compression(cast(io.BufferedReader, file).peek(6))
        if kind == "zip" and not file.seekable():
            self.refuse("a zip archive in a pipe", "its file, as its table of contents is at its end")
        try:
            if kind == "gzip":
                return cast(IO[bytes], gzip.GzipFile(fileobj=file))
            if kind == "bz2":
                return cast(IO[bytes], _Streams(file, bz2.BZ2Decompressor))
            if kind == "xz":
                return cast(IO[bytes], _Streams(file, lzma.LZMADecompressor))
            if kind == "zstd":
                return cast(IO[bytes], pa.CompressedInputStream(file, "zstd"))
            if kind == "zip":
                self._members = _Members(zipfile.ZipFile(file))
                return cast(IO[bytes], self._members)
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


class _Streams:
    """Streams of bzip2 or xz one after the other; Python's own files take no notice of what follows them."""

    def __init__(
        self, file: IO[bytes], decompressor: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._file = file
        self._next = decompressor
        self._stream = decompressor()

    def read(self, size: int) -> bytes:
        while True:
            compressed = b""
            if self._stream.eof:
                compressed = self._stream.unused_data
                while not (compressed := compressed.lstrip(b"\0")):  # both may be padded with zeros
                    if not (compressed := self._file.read(_COMPRESSED_BYTES)):
                        return b""
                self._stream = self._next()
            elif self._stream.needs_input:
                compressed = self._file.read(_COMPRESSED_BYTES)
                if not compressed:
                    raise EOFError("its end is missing")
            if part := self._stream.decompress(compressed, size):
                return part


class _Members:
    """The members of a zip archive one after the other, as one stream.

    Of a text, which is told by its lack of zero bytes, each member ends a line, and byte order marks go.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))
        self.left_out = tuple(filter(_LITTER.fullmatch, names))
        self._archive = archive
        self._names = [name for name in names if name not in self.left_out]
        self._lines_before: list[int] = []
        self._lines = 0
        self._member: zipfile.ZipExtFile | None = None
        self._text = True
        self._within_line = False

    def read(self, size: int) -> bytes:
        while True:
            if self._member is not None and (part := self._member.read(size)):
                return self._noted(part)
            if (opened := len(self._lines_before)) == len(self._names):
                return b""
            if self._within_line:
                return self._noted(b"\n")
            self._lines_before.append(self._lines)
            member = cast(zipfile.ZipExtFile, self._archive.open(self._names[opened]))
            if opened and self._text and member.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
                member.read(len(codecs.BOM_UTF8))
            self._member = member

    def place(self, line: int) -> tuple[str, int]:
        """The member that a line of the stream is in, if there are several, and which of its lines it is."""
        if len(self._names) == 1:
            return "", line
        which = bisect_left(self._lines_before, line) - 1
        return self._names[which], line - self._lines_before[which]

    def _noted(self, part: bytes) -> bytes:
        self._text = self._text and b"\0" not in part
        self._within_line = self._text and not part.endswith(b"\n")
        self._lines += part.count(b"\n")
        return part


def compression(head: bytes) -> str | None:
    """What the bytes that begin with ``head`` are compressed with, as far as that is known."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def first_lines(head: bytes, count: int = 10) -> list[bytes]:
    """The first lines of ``head`` that are not blank, at most ``count``, without one that may be cut.

    Nor with a byte order mark.
    """
    lines = head.removeprefix(codecs.BOM_UTF8).split(b"\n")
    whole = lines if len(head) < HEAD_BYTES else lines[:-1]
    return [line.strip() for line in whole if line.strip()][:count]


def all_match(head: bytes, line: re.Pattern[bytes]) -> bool:
    """Whether ``head`` is text whose first lines (blanks at their ends stripped) all match ``line``."""
    lines = first_lines(head)
    return bool(lines) and all(map(line.fullmatch, lines))
