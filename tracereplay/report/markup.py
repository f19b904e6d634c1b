"""Pages and tables as HTML: one style, one script, everything escaped, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracereplay import __version__

Head = str | tuple[str, str]
"""What stands above a column: its name, or name and unit."""

_LONG_NAME = 40
"""Longer names of rows and columns break."""
_MOST_ROWS = 60
"""Rows of a table that a notebook shows."""


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("tracereplay.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def page(template: str, **values: Any) -> str:
    """A whole page from a template, with the style and script inside."""
    environment = _environment()
    style, script = (_source(environment, f"page.{kind}") for kind in ("css", "js"))
    found = environment.get_template(f"{template}.html.jinja")
    return found.render(version=__version__, style=style, script=script, **values)


def _source(environment: Environment, name: str) -> Markup:
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def table(
    label: str, heads: Sequence[Head], rows: Iterable[Sequence[Any]], *, sums: int = 0, sortable: bool = True
) -> Markup:
    """An HTML table that scrolls where it has no room; ``label`` says to a screen reader what it is.

    The first cell of each row is its heading; the last ``sums`` rows are sums of the others.
    """
    cells = [tuple(row) for row in rows]
    of_text = [isinstance(value, str) for value in cells[0]] if cells else [False] * len(heads)
    lines = [_row(row, is_sum=number >= len(cells) - sums) for number, row in enumerate(cells)]
    return Markup(
        '<div class="scroll" role="group" aria-label="{}" tabindex="0"><table{}>\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>"
    ).format(
        label,
        Markup(' class="sortable"') if sortable else "",
        Markup("").join(map(_head, heads, of_text)),
        Markup("\n").join(lines),
    )


def _head(head: Head, is_text: bool) -> Markup:
    """A heading; a long name may break after each of its underscores."""
    name, unit = head if isinstance(head, tuple) else (head, "")
    kinds = " ".join(["text"] * is_text + ["long"] * (len(name) > _LONG_NAME))
    return Markup('<th scope="col"{}><span class="name">{}</span>{}</th>').format(
        Markup(' class="{}"').format(kinds) if kinds else "",
        Markup("_<wbr>").join(name.split("_")),
        Markup('<span class="unit">{}</span>').format(unit) if unit else "",
    )


def _row(row: Sequence[Any], *, is_sum: bool) -> Markup:
    heading, *rest = row
    name = shown(heading)
    return Markup('<tr{}><th scope="row"{}>{}</th>{}</tr>').format(
        Markup(' class="sum"') if is_sum else "",
        Markup(' class="long"') if len(name) > _LONG_NAME else "",
        name,
        Markup("").join(map(_cell, rest)),
    )


def _cell(value: Any) -> Markup:
    kind = Markup(' class="text"') if isinstance(value, str) else ""
    return Markup("<td{}>{}</td>").format(kind, shown(value))


def shown(value: Any) -> str:
    """A text as it is; a number in full if whole, else to two decimals or three digits; a dash for none."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def notebook(tables: Iterable[pd.DataFrame], warnings: Iterable[str]) -> str:
    """What a notebook shows of an object: its tables, of long ones the first and last rows, and warnings."""
    views = [table.map(shown).to_html(max_rows=_MOST_ROWS) for table in tables]
    return "".join((*views, *(f"<p>{escape(text, quote=False)}</p>" for text in warnings)))
