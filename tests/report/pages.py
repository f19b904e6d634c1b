"""HTML pages as their structure: what a test asks of elements, ids, headings and tables."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

from runs import SCENARIO, TABLES

import tracereplay as tr

VOID = {"meta", "link", "br", "wbr", "img"}


class Element(NamedTuple):
    """An element where it opens: its tag, attributes and the tags around it, the outermost first."""

    tag: str
    attributes: dict[str, str]
    around: tuple[str, ...]


class Page(HTMLParser):
    """The elements of a page in order; AssertionError where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs), tuple(self._open)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self._open), data))

    def all(self, *tags: str) -> list[Element]:
        return [element for element in self.elements if element.tag in tags]

    def text_of(self, tag: str) -> list[str]:
        """The text inside each outermost ``tag``, in order of appearance, piece by piece."""
        return [text.strip() for around, text in self.texts if tag in around and text.strip()]


def fetched(text: str) -> list[str]:
    """Whatever a browser would load from elsewhere."""
    of_markup = re.findall(r'\b(?:src|href|action|poster|data|srcset)="([^"]*)"', text)
    of_style = re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", text)
    found = [*of_markup, *(a or b for a, b in of_style)]
    return [link for link in found if not link.strip("\"'").startswith(("#", "data:"))]


def busy_run(folder: Path) -> tr.Result:
    """The run in which everything happens, its traces in files below ``folder``."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    for name, path in paths.items():
        tr.write_trace(path, TABLES[name])
    return tr.replay(SCENARIO, paths, jit=False)
