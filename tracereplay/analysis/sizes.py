"""Sizes of memory as a user asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from tracereplay.errors import UsageError
from tracereplay.problems import problem, shown
from tracereplay.units import parse_size

Sizes: TypeAlias = str | int | Iterable[int | str]
"""Pages, "64MiB", or "50%" of a footprint; several as a list, or as a text with commas."""


def parse_sizes(name: str, said: Sizes, *, page_size: int, footprint: Callable[[], int]) -> list[int]:
    """The sizes in ``said`` in pages, in their order; percentages are of ``footprint()`` pages.

    UsageError, which calls them ``name``: none, one that cannot be read, or that is less than a page.
    """
    found = []
    for size in listed(said):
        of = footprint() if isinstance(size, str) and "%" in size else None
        try:
            found.append(parse_size(size, page_size=page_size, of=of))
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None
        if found[-1] < 1:
            raise UsageError(f"{name}: {problem(shown(size), 'at least one page')}")
    if not found:
        raise UsageError(f"{name}: {problem('no size', 'one or more')}")
    return found


def check_sizes(name: str, said: Sizes) -> None:
    """UsageError for what ``parse_sizes`` could not read, whatever page size and footprint are."""
    parse_sizes(name, said, page_size=1, footprint=lambda: 1)


def listed(said: object) -> Iterable[object]:
    """What is asked for, one by one: a list, a text with commas, or one thing."""
    if isinstance(said, str):
        return said.split(",")
    return said if isinstance(said, Iterable) else [said]
