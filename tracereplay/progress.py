"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done, and how much there is in all (0: unknown): rows, unless said otherwise."""


def part(progress: Progress | None, number: int, parts: int) -> Progress | None:
    """Tells of one part of several as if all had as much to do."""
    if progress is None:
        return None
    return lambda done, total: progress(number * total + done, parts * total)
