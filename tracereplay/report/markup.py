"""Pages and tables as HTML: one style, one script, everything escaped, nothing fetched."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tracereplay import __version__


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("tracereplay.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def page(template: str, **values: Any) -> str:
    """A whole page from a template, with the style and script inside."""
    environment = _environment()
    assert environment.loader is not None
    style, script = (environment.loader.get_source(environment, f"page.{kind}")[0] for kind in ("css", "js"))
    found = environment.get_template(f"{template}.html.jinja")
    return found.render(version=__version__, style=Markup(style), script=Markup(script), **values)


def table(heads: Sequence[Any], rows: Any, *, sortable: bool = False, sums: int = 0) -> Markup:
    """An HTML table; the first cell of each row is its heading, the last ``sums`` rows are sums."""
    rows = [tuple(row) for row in rows]
    titles = [h if isinstance(h, tuple) else (h, "") for h in heads]
    head = Markup("").join(Markup('<th scope="col"><span class="name">{}</span>{}</th>').format(*head) for head in titles)
    lines = []
    for number, row in enumerate(rows):
        first, *rest = row
        cells = Markup("").join(map(cell, rest))
        kind = Markup(" class=sum") if number >= len(rows) - sums else Markup("")
        lines.append(Markup("<tr{}>{}{}</tr>").format(kind, cell(first, "th"), cells))
    shape = Markup(' class="sortable"') if sortable else Markup("")
    body = Markup("\n").join(lines)
    return Markup(
        '<div class="scroll" tabindex="0"><table{}><thead><tr>{}</tr></thead><tbody>\n{}\n</tbody></table></div>'
    ).format(shape, head, body)


def cell(value: Any, tag: str = "td") -> Markup:
    scope = Markup(' scope="row"') if tag == "th" else Markup("")
    if isinstance(value, str):
        return Markup("<{0}{1} class=text>{2}</{0}>").format(Markup(tag), scope, value)
    if pd.isna(value):
        return Markup("<{0}{1}>–</{0}>").format(Markup(tag), scope)
    whole = float(value).is_integer()
    text = f"{int(value):,}" if whole else f"{value:,.2f}"
    plain = f"{int(value)}" if whole else f"{value:g}"
    return Markup('<{0}{1} data-value="{2}">{3}</{0}>').format(Markup(tag), scope, plain, text)
