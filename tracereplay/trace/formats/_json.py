"""JSON of any length: the items of its outer arrays and objects one by one, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from tracereplay.problems import shown
from tracereplay.trace.formats._source import Source

MOST_BYTES = 1 << 26
"""Most bytes of a value that is read as a whole."""

_BLANKS = " \t\r\n"
_ENDS = tuple(_BLANKS + ",:]}")
_NEAR = 16
"""An error so many bytes before the end of what was read may be due to that end."""


class JsonReader:
    """JSON read forward: who asks for the items of an array, or the keys of an object, reads each itself.

    ``blocks`` are its bytes.  TraceError names the byte where ``source`` is not what was asked for.
    """

    def __init__(self, source: Source, blocks: Iterator[bytes], expected: str) -> None:
        self._source = source
        self._blocks = blocks
        self._expected = expected
        self._text = ""  # a character a byte: only then are offsets those of bytes
        self._at = 0
        self._before = 0

    def items(self) -> Iterator[int]:
        """The index of each item of the array that comes next."""
        self._take("[")
        if self._next() == "]":
            self._take("]")
            return
        index = 0
        while True:
            yield index
            index += 1
            if self._take(",]") == "]":
                return

    def keys(self) -> Iterator[str]:
        """The keys of the object that comes next; the value of each is to be read before the next."""
        self._take("{")
        if self._next() == "}":
            self._take("}")
            return
        while True:
            self._next()
            key = str(self.value())
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def value(self) -> Any:
        """The value that comes next, as a whole."""
        self._next()
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._text, self._at)
                # a number may go on in the next block
                if self._text[end : end + 1] in _ENDS or not self._more():
                    self._at = end
                    return value
            except json.JSONDecodeError as problem:
                cut = problem.msg.startswith("Unterminated") or problem.pos > len(self._text) - _NEAR
                if not (cut and self._more()):
                    self._refuse(problem.pos, f"no JSON ({problem.msg})")
            except RecursionError as problem:
                self._refuse(self._at, f"no JSON ({problem})")

    def end(self) -> None:
        """Make sure that nothing follows."""
        if sign := self._next():
            self._refuse(self._at, f"{shown(sign)} after the end")

    def _take(self, signs: str) -> str:
        """The sign that comes next, which must be one of ``signs``."""
        sign = self._next()
        if not sign or sign not in signs:
            found = shown(sign) if sign else "the end of the file"
            self._refuse(self._at, f"{found} in place of {' or '.join(signs)}")
        self._at += 1
        return sign

    def _next(self) -> str:
        """The next sign that is no blank, which is left there; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANKS:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Whether there was another block, which is put after what is not yet used."""
        block = next(self._blocks, None)
        if block is None:
            return False
        if len(self._text) - self._at > MOST_BYTES:
            self._refuse(self._at, f"a value of more than {MOST_BYTES} bytes")
        self._before += self._at
        self._text = self._text[self._at :] + block.decode("latin-1")
        self._at = 0
        return True

    def _refuse(self, at: int, found: str) -> NoReturn:
        self._source.refuse_byte(self._before + at, found, self._expected)
