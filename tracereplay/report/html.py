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
from tracereplay.report.names import ALL_VMS, Column, vm_table
from tracereplay.report.verdict import cautions, counted, verdict
from tracereplay.result import Result
from tracereplay.scenario import CPU_COSTS, PRESETS
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
_LONG_NAME = 40
"""Longer names of VMs are cut in the heading."""
TERMS = {
    "guest, host": "the operating system in a VM; the hypervisor below all of them",
    "minor fault": "a touch that needs a page but no disk",
    "major fault": "a touch of a page that must first be read from swap",
    "double paging": "paging in both guest and host, so that the host reads back what the guest pages out",
    "balloon": "memory that a driver in the guest takes, so that the guest pages and the host need not",
    "copy-on-write": "mapped by several pages at once; a write makes a copy of its own",
    "tick": "the interval at which balloons and sharing scans act",
}
"""Words of the page that name no counter."""


class Told(NamedTuple):
    """What a run's traces tell beside it.

    ``extras``: the tables that figures draw; ``missing``: why traces are not in them; ``cautions``: what
    limits conclusions from these traces.
    """

    extras: figures.Extras
    missing: tuple[str, ...]
    cautions: tuple[str, ...]


class Section(NamedTuple):
    """A figure in the page."""

    id: str
    title: str
    about: str
    svg: Markup
    caption: str
    table: Markup


def page(result: Result, told: Told, *, names: str = "tracereplay", title: str | None = None) -> str:
    """The page of a run as HTML text.

    ``names`` is the vocabulary of the VMs' table.  ValueError for an unknown one.
    """
    table, columns = vm_table(result, names)
    data = {name: figures.data(name, result, told.extras) for name in _ordered()}
    return markup.page(
        "run",
        title=title or f"Replay of {_listed(list(result.vms.index))}",
        lead=_lead(result),
        verdict=verdict(result),
        cautions=[*cautions(result), *told.cautions, *told.missing],
        vms=_vms(table, columns),
        sections=[_section(name, found) for name, found in data.items() if found is not None],
        absent=_absent([name for name, found in data.items() if found is None], told),
        totals=_totals(result),
        by_vm=_by_vm(result),
        provenance=_provenance(result),
        laws=result.laws,
        scenario=json.dumps(dict(result.machine), indent=1, ensure_ascii=False),
        glossary=_glossary(columns),
    )


def _ordered() -> list[str]:
    names = figures.names()
    return [name for name in ORDER if name in names] + [name for name in names if name not in ORDER]


def _section(name: str, data: pd.DataFrame) -> Section:
    title, caption = _title(name), figures.caption(name, data)
    drawn = style.svg(figures.draw(name, data), name, title, caption)
    return Section(name, title, figures.about(name), Markup(drawn), caption, _numbers(title, data))


def _title(name: str) -> str:
    return figures.title(name).rstrip(".")


def _numbers(title: str, data: pd.DataFrame) -> Markup:
    """A figure's table, thinned to at most MOST_TABLE_ROWS rows."""
    each = -(-len(data) // MOST_TABLE_ROWS)
    note = Markup("<p>One row in {}, of {:,}.</p>").format(each, len(data)) if each > 1 else Markup("")
    rows = figures.records(data.iloc[::each])
    return note + markup.table(title, list(map(str, rows[0])), [list(row.values()) for row in rows])


def _absent(names: Sequence[str], told: Told) -> dict[str, str]:
    """Titles of the figures that are not shown, by why."""
    found: dict[str, list[str]] = {}
    for name in names:
        why = figures.get(name).ABSENT if not figures.needs(name) else "; ".join(told.missing)
        found.setdefault(why, []).append(_title(name))
    return {why: ", ".join(titles) for why, titles in found.items()}


def _vms(table: pd.DataFrame, columns: Sequence[Column]) -> Markup:
    heads: list[markup.Head] = ["VM", *((c.title, c.unit) for c in columns)]
    rows = [(str(name), *row) for name, row in zip(table.index, table.to_numpy(object), strict=True)]
    return markup.table("Virtual machines", heads, rows, sums=1)


def _totals(result: Result) -> Markup:
    """Every counter and gauge that is not zero, over all VMs."""
    rows = [(q.name, q.unit, result.totals[q.name]) for q in (*COUNTERS, *GAUGES) if result.totals[q.name]]
    return markup.table("All counters", ["counter", "unit", ALL_VMS], rows)


def _by_vm(result: Result) -> Markup:
    """The same, a column per VM."""
    names = [q.name for q in (*COUNTERS, *GAUGES) if result.totals[q.name]]
    rows = [(name, *result.vms[name]) for name in names]
    return markup.table("All counters by VM", ["counter", *map(str, result.vms.index)], rows)


def _glossary(columns: Sequence[Column]) -> Markup:
    said = {term: ("", meaning) for term, meaning in TERMS.items()}
    said |= {c.title: (c.unit, c.meaning) for c in columns}
    said |= {q.name: (q.unit, q.meaning) for q in (*COUNTERS, *GAUGES)}
    rows = [(name, unit, meaning) for name, (unit, meaning) in said.items()]
    return markup.table("Glossary", ["name", "unit", "meaning"], rows, sortable=False)


def _provenance(result: Result) -> Markup:
    known = result.provenance
    facts = [
        ("command", " ".join(known["command"])),
        ("seed", str(known["seed"])),
        ("started", known["started"]),
        ("took", f"{known['wall_seconds']} s"),
        ("versions", ", ".join(f"{name} {version}" for name, version in known["versions"].items())),
        *(("trace", _input(key, found)) for key, found in known["inputs"].items()),
    ]
    return markup.table("What ran on what", ["what", "value"], facts, sortable=False)


def _input(key: str, found: Mapping[str, Any]) -> str:
    digests = ", ".join(found["xxh3_128"].values()) or "no digest"
    return f"{key}: {found['rows']:,} rows, XXH3-128 {digests}"


def _lead(result: Result) -> str:
    machine = result.machine
    host, size, vms = machine["host"], machine["page_size"], machine["vms"]
    guests = ", ".join(dict.fromkeys(vm["policy"] for vm in vms))
    memory = format_bytes(sum(vm["pages"] for vm in vms) * size)
    return (
        f"{counted(len(vms), 'VM')} ({guests}) with {memory} on a host of "
        f"{format_bytes(host['frames'] * size)} ({host['policy']}). "
        f"Balloons: {machine['balloon']['controller']}; sharing: {machine['sharing']['mode']}. "
        f"{counted(result.totals['accesses'], 'row')} replayed; {_costs(machine['costs'])}."
    )


def _costs(said: Mapping[str, Any]) -> str:
    """The costs by the name of their preset, and whether the scenario says others."""
    preset = CPU_COSTS | PRESETS.get(said["preset"], {})
    return f"{said['preset']} costs{', some changed' * any(said[key] != ns for key, ns in preset.items())}"


def _listed(names: Sequence[str]) -> str:
    """Names for a heading: the first ones, the ends of long ones."""
    short = [name if len(name) <= _LONG_NAME else f"{name[:25]}…{name[-14:]}" for name in names]
    return ", ".join(short) if len(names) <= 5 else f"{', '.join(short[:4])} and {len(names) - 4} more VMs"
