"""Figures of a run, one file each: found by discovery, drawn from a table, without pyplot.

A figure is a module with a docstring whose first line is its title and whose rest says what it shows, and

- ``data(result, extras)``: the table behind the figure (pandas), None where the run has nothing to show.
  ``extras`` holds what only the traces can tell, by name (``studies.run_traces``);
- ``draw(data)``: the table as a matplotlib Figure without title; the same table gives the same bytes;
- ``caption(data)``: axes, units and bin width in one or two sentences;
- ``ABSENT``: why a run has nothing to show, and what to run instead (a figure that any run has does without);
- ``NEEDS``: the names of the extras that it draws, if any.

What is said once of a table (units, bin width, sizes) stands in its ``attrs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.catalog import Catalog
from tracereplay.report.style import settings

if TYPE_CHECKING:
    from tracereplay.result import Result

Extras = Mapping[str, pd.DataFrame]

_CATALOG = Catalog(__name__, "figure", "data", hyphens=True)

names = _CATALOG.names
get = _CATALOG.get
title = _CATALOG.describe


def about(name: str) -> str:
    """What figure ``name`` shows: its docstring below the title, on one line."""
    return " ".join((get(name).__doc__ or "").split("\n", 1)[1].replace("``", "").split())


def needs(name: str) -> tuple[str, ...]:
    """The extras that figure ``name`` draws."""
    return getattr(get(name), "NEEDS", ())


def draw(name: str, data: pd.DataFrame) -> Figure:
    """The figure ``name`` of its table, in the house style, under its title."""
    with settings():
        figure: Figure = get(name).draw(data)
        figure.axes[0].set_title(title(name).rstrip("."))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # else each time that it is saved would move things a little
    return figure


def data(name: str, result: Result, extras: Extras | None = None) -> pd.DataFrame | None:
    """The table behind figure ``name`` of a run; None where there is nothing to show."""
    found: pd.DataFrame | None = get(name).data(result, extras or {})
    return found


def caption(name: str, data: pd.DataFrame) -> str:
    """Axes, units and bin width of the figure ``name`` of this table, and what is missing from it."""
    return " ".join(
        [get(name).caption(data), *(f"Missing: {text}." for text in data.attrs.get("warnings", ()))]
    )


def records(data: pd.DataFrame) -> list[dict[Any, Any]]:
    """The table behind a figure as JSON-able rows; column names of two levels become one."""
    flat = data.set_axis([" ".join(c) if isinstance(c, tuple) else c for c in data], axis=1).reset_index()
    return [dict(zip(flat, row, strict=True)) for row in flat.to_numpy(object).tolist()]
