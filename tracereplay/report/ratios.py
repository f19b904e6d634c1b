"""How miss ratios are shown: as they are, or per million accesses where all of them are small."""

from __future__ import annotations

from typing import NamedTuple

SMALL = 0.01
"""Ratios that are all below it are shown per million, as those of reduced traces mostly are."""


class Scale(NamedTuple):
    """Ratios are shown times ``factor``, in ``form``, as ``name``."""

    factor: int
    form: str
    name: str


RATIO = Scale(1, "{:.4f}", "miss ratio")
PER_MILLION = Scale(10**6, "{:,.1f}", "misses per million accesses")


def scale_for(highest: float) -> Scale:
    """The scale on which ratios up to ``highest`` can be read."""
    return PER_MILLION if 0 < highest < SMALL else RATIO
