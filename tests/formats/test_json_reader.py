"""JSON item by item: the same values however its bytes are cut into blocks, and where it is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracereplay.errors import TraceError
from tracereplay.trace.formats import _json
from tracereplay.trace.formats._json import JsonReader
from tracereplay.trace.formats._source import Source

VALUES = [0, -12.5e3, 123456789, True, None, "", 'a "quoted\\ text, é 😀', [1, [2, {}]], {"a": {"b": []}}]
WHOLE = {"n": 17, "items": VALUES, "none": [], "texts": ["[", "]", "{,}"], "last": 98765}
CUTS = [1, 2, 3, 7, 1 << 20]


def read_all(json_reader: JsonReader) -> None:
    """Read it as an array."""
    for _ in json_reader.items():
        json_reader.value()
    json_reader.end()


def reader(text: bytes, size: int = 1 << 20) -> JsonReader:
    """Of blocks of ``size`` bytes."""
    blocks = iter([text[i : i + size] for i in range(0, len(text), size)])
    return JsonReader(Source("f.json"), blocks, "a list")


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("size", CUTS)
def test_the_same_values_in_any_blocks(size, indent):
    """An object in an array, its lists item by item, the rest as a whole; numbers go on in the next block."""
    text = json.dumps([WHOLE, {}, WHOLE], indent=indent, ensure_ascii=True).encode() + b" \n"
    found: list[dict[str, Any]] = []
    json_reader = reader(text, size)
    for index in json_reader.items():
        found.append({})
        assert index == len(found) - 1
        for key in json_reader.keys():  # noqa: SIM118
            if key in ("items", "none", "texts"):
                found[-1][key] = [json_reader.value() for _ in json_reader.items()]
            else:
                found[-1][key] = json_reader.value()
    json_reader.end()
    assert found == [WHOLE, {}, WHOLE]


BAD = {
    b"": "byte 0: found the end of the file in place of [",
    b'  {"a": 1}': 'byte 2: found "{" in place of [',
    b"[1, 2": "byte 5: found the end of the file in place of , or ]",
    b"[1 2]": 'byte 3: found "2" in place of , or ]',
    b"[1,]": "byte 3: found no JSON (Expecting value)",
    b'["a", tru': "byte 6: found no JSON (Expecting value)",
    b'["a", "bc': "byte 6: found no JSON (Unterminated string starting at)",
    b'["\\u12': "byte 3: found no JSON (Invalid \\uXXXX escape)",
    b"[nonsense" + b" " * 99 + b"]": "byte 1: found no JSON (Expecting value)",
    b"[1] x": 'byte 4: found "x" after the end',
}


@pytest.mark.parametrize("size", CUTS)
@pytest.mark.parametrize("text", BAD)
def test_what_is_no_such_json(text, size):
    """The byte is told, however it was cut."""
    with pytest.raises(TraceError) as caught:
        read_all(reader(text, size))
    assert str(caught.value) == f"f.json: {BAD[text]}; expected a list"


def test_no_more_is_read_than_is_asked_for():
    """After each item at most the block that ends it has been taken."""
    taken = []
    text = json.dumps([{"a": "x" * 40}] * 100).encode()
    blocks = (taken.append(i) or text[i : i + 10] for i in range(0, len(text), 10))
    json_reader = JsonReader(Source("f.json"), blocks, "a list")
    for index in json_reader.items():
        json_reader.value()
        # 49 bytes a value and 2 between them, and the block in which its end is seen
        assert len(taken) <= (index + 1) * 51 // 10 + 2


def test_a_value_without_measure(monkeypatch):
    """Is refused before it fills the memory: no more is read than a block beyond what a value may have."""
    monkeypatch.setattr(_json, "MOST_BYTES", 100)
    read = []

    def blocks():
        for block in [b'[1, "', *[b"x" * 50] * 99, b'"]']:
            read.append(len(block))
            yield block

    message = r"f.json: byte 4: found a value of more than 100 bytes; expected a list"
    with pytest.raises(TraceError, match=message):
        read_all(JsonReader(Source("f.json"), blocks(), "a list"))
    assert sum(read) < 300
