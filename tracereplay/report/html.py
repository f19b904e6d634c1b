"""A run as one HTML file: offline, printable, light and dark, for keyboard and screen reader.

The page holds its style, script and figures; nothing is fetched.  Every figure has a title, a description
and the table that it was drawn from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from tracereplay.core.counters import COUNTERS, GAUGES
from tracereplay.report import figures, markup, style
from tracereplay.report.names import Column, vm_table
from tracereplay.report.verdict import cautions, verdict
from tracereplay.result import Result
from tracereplay.units import format_bytes

ORDER = (
    "time-by-cause",
    "faults",
    "double-paging",
    "guest-faults",
    "swap-io",
    "frames",
    "balloon",
    "sharing",
    "miss-ratio",
    "working-set",
    "heat",
)
"""Figures as a reader wants them; any others follow."""
MOST_TABLE_ROWS = 500


class Section(NamedTuple):
    """A figure in the page."""

    id: str
    title: str
    about: str
    svg: Markup
    caption: str
    table: Markup


def page(
    result: Result,
    extras: figures.Extras | None = None,
    *,
    names: str = "tracereplay",
    title: str | None = None,
) -> str:
    """The page of a run as HTML text.

    ``extras`` are tables that only the run's traces can tell (their figures are left out without them);
    ``names`` is the vocabulary of the VMs' table.  ValueError for an unknown vocabulary.
    """
    table, columns = vm_table(result.vms, names, result.machine["page_size"])
    return markup.page(
        "run",
        title=title or f"Replay of {_listed(list(result.vms.index))}",
        lead=_lead(result),
        verdict=verdict(result),
        cautions=cautions(result),
        vms=_vms(table, columns),
        sections=_sections(result, extras or {}),
        counters=_counters(result),
        provenance=_provenance(result),
        laws=result.laws,
        scenario=json.dumps(dict(result.machine), indent=1, ensure_ascii=False),
        glossary=_glossary(columns),
    )


def _sections(result: Result, extras: figures.Extras) -> list[Section]:
    """Every figure that has something to show."""
    known = figures.names()
    wanted = [name for name in ORDER if name in known] + [name for name in known if name not in ORDER]
    return [
        _section(name, data) for name in wanted if (data := figures.data(name, result, extras)) is not None
    ]


def _section(name: str, data: pd.DataFrame) -> Section:
    title, caption = figures.title(name).rstrip("."), figures.caption(name, data)
    drawn = style.svg(figures.draw(name, data), name, title, caption)
    return Section(name, title, _about(name), Markup(drawn), caption, _numbers(data))


def _about(name: str) -> str:
    """What a figure shows: its docstring after the first line."""
    return " ".join((figures.get(name).__doc__ or "").partition("\n")[2].split())


def _numbers(data: pd.DataFrame) -> Markup:
    """A figure's table, thinned to at most MOST_TABLE_ROWS rows."""
    each = -(-len(data) // MOST_TABLE_ROWS)
    shown = data.iloc[::each].reset_index()
    heads = [" ".join(map(str, c)).strip() if isinstance(c, tuple) else str(c) for c in shown.columns]
    note = "" if each == 1 else f"<p>Every {each}th row of {len(data):,}.</p>"
    return Markup(note) + markup.table(heads, shown.itertuples(index=False), sortable=True)


def _vms(table: pd.DataFrame, columns: Sequence[Column]) -> Markup:
    heads = ["VM", *((c.title, Markup('<span class="unit">{}</span>').format(c.unit)) for c in columns)]
    rows = [(name, *row) for name, row in zip(table.index, table.itertuples(index=False), strict=True)]
    return markup.table(heads, rows, sortable=True, sums=1)


def _counters(result: Result) -> Markup:
    """Every counter and gauge that is not zero, a column per VM and one for all."""
    heads = ["", *map(str, result.vms.index), "all VMs"]
    rows = [
        (q.name, *result.vms[q.name], result.totals[q.name])
        for q in (*COUNTERS, *GAUGES)
        if result.vms[q.name].any()
    ]
    return markup.table(heads, rows)


def _glossary(columns: Sequence[Column]) -> Markup:
    said = {c.title: (c.unit, c.meaning) for c in columns} | {
        q.name: (q.unit, q.meaning) for q in (*COUNTERS, *GAUGES)
    }
    rows = [(name, unit, meaning) for name, (unit, meaning) in said.items()]
    return markup.table(["name", "unit", "meaning"], rows)


def _provenance(result: Result) -> Markup:
    known = result.provenance
    facts: dict[str, Any] = {
        "command": " ".join(known["command"]),
        "seed": known["seed"],
        "started": known["started"],
        "took": f"{known['wall_seconds']} s",
        "versions": ", ".join(f"{name} {version}" for name, version in known["versions"].items()),
        **{f"trace {key}": _input(found) for key, found in known["inputs"].items()},
    }
    return markup.table(["what", "value"], list(facts.items()))


def _input(found: Mapping[str, Any]) -> str:
    digests = ", ".join(found["xxh3_128"].values()) or "no digest"
    return f"{found['rows']:,} rows; XXH3-128 {digests}"


def _lead(result: Result) -> str:
    machine = result.machine
    host, size = machine["host"], machine["page_size"]
    guests = ", ".join(dict.fromkeys(vm["policy"] for vm in machine["vms"]))
    return (
        f"{len(machine['vms'])} VM{'s' * (len(machine['vms']) > 1)} ({guests}) with "
        f"{format_bytes(sum(vm['pages'] for vm in machine['vms']) * size)} on a host of "
        f"{format_bytes(host['frames'] * size)} ({host['policy']}); balloons: {machine['balloon']['controller']}; "
        f"sharing: {machine['sharing']['mode']}; {result.totals['accesses']:,} accesses; "
        f"{machine['costs']['preset']} costs."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:4])} and {len(names) - 4} more VMs"
