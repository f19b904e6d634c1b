"""``tracereplay info``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracereplay.cli._console import Json, print_json, print_text
from tracereplay.errors import TraceError

if TYPE_CHECKING:
    from rich.table import Table

    from tracereplay.result import Result


def info(source: str, /, *, json: Json = False) -> None:
    """Say what a trace or a run directory holds; read it whole to see that it is sound.

    Parameters
    ----------
    source
        A trace (Parquet file, directory, URI) or a run directory.
    """
    if any((Path(source) / name).exists() for name in ("summary.json", "provenance.json")):
        return _run(source, json)
    from tracereplay.trace import info as describe

    found = describe(source)
    if json:
        print_json(found)
    else:
        print_text(_trace_text(found))
    if found["health"] != "ok":
        raise TraceError(found["health"])
    return None


def _run(source: str, json: bool) -> None:
    from tracereplay.report.table import vm_table
    from tracereplay.result import load_run

    result = load_run(source)
    if json:
        return print_json(result.summary())
    print_text(_facts(_run_facts(source, result)))
    print_text("")
    return print_text(vm_table(result))


def _run_facts(source: str, result: Result) -> dict[str, str]:
    """Where the run came from, what it covers, and that its files fit together."""
    known, machine = result.provenance, result.machine
    samples = result.timeline["time"].nunique()
    return {
        "run": source,
        "command": shlex.join(known["command"]),
        "made": f"{known['started']} in {known['wall_seconds']} s, "
        f"by tracereplay {known['versions'].get('tracereplay', 'of no version')}",
        **{f"trace {i}": _input(*item) for i, item in enumerate(known["inputs"].items(), start=1)},
        "seed": str(known["seed"]),
        "time": f"{machine['first_time']:,} to {machine['last_time']:,} {machine['time_unit']}",
        "timeline": f"{samples:,} sample{'s' * (samples != 1)} of each VM",
        "laws": f"{len(result.laws)} checked, all hold" if result.laws else "not checked",
        **{f"warning {i}": text for i, text in enumerate(result.warnings, start=1)},
        "health": "ok",
    }


def _input(name: str, found: Mapping[str, Any]) -> str:
    return f"{name}, {found['rows']:,} rows{'' if found['path'] else ', a table in memory'}"


def _trace_text(found: dict[str, Any]) -> Any:
    """The same as a table of few lines and one of the VMs."""
    from rich.console import Group

    from tracereplay.report.table import plain_table
    from tracereplay.units import format_bytes, format_count

    size = found["metadata"]["page_size"]
    source = found["metadata"]["source"] or {}
    facts = {
        "trace": found["name"],
        "recorded by": source.get("tool") or "not said",
        **_fidelity(source),
        "rows": f"{found['rows']:,} in {found['row_groups']} row group{'s' * (found['row_groups'] != 1)}; "
        f"{format_bytes(found['bytes'])}, "
        f"{found['bytes_per_row']:.2f} bytes a row",
        "columns": ", ".join(found["columns"]),
        "time": _time_text(found),
        "page size": f"{format_bytes(size)}, {found['metadata']['page_space']} pages",
        "rows by op": ", ".join(f"{op} {n:,}" for op, n in (found["ops"] or {}).items()) or "not counted",
        "exact above": f"{found['exact_above']} pages (reduced trace)"
        if found["exact_above"]
        else "any size",
        "health": found["health"],
    }
    vms = plain_table()
    for title in ("VM", "family", "pages", "footprint"):
        vms.add_column(title, justify="left" if title in ("VM", "family") else "right")
    for vm in found["vms"]:
        pages = vm["pages"]
        known = pages is not None
        footprint = format_bytes(pages * size) if known else "-"
        vms.add_row(vm["name"], vm["family"] or "-", format_count(pages) if known else "-", footprint)
    return Group(_facts(facts), "", vms)


def _facts(facts: Mapping[str, str]) -> Table:
    """A line for each fact, what it is about before it."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(f"{key} ", str(value))
    return table


def _time_text(found: dict[str, Any]) -> str:
    if found["time_range"] is None:
        return "not in order"
    first, last = found["time_range"]
    return f"{first:,} to {last:,} {found['time_unit']}"


def _fidelity(source: dict[str, Any]) -> dict[str, str]:
    """What the recorder or importer says of how faithful the trace is."""
    said = {
        key.replace("_", " "): source[key]
        for key in ("fidelity", "sees", "children", "ended_early", "columns left out")
        if source.get(key)
    }
    if isinstance(skipped := source.get("skipped"), dict) and skipped:
        counts = ((why, f"{n:,}" if isinstance(n, int) else n) for why, n in skipped.items())
        said["left out"] = "; ".join(f"{n} {why}" for why, n in counts)
    if source.get("sampled"):
        said["sampled"] = "yes: the rows are a sample of what was accessed"
    if source.get("interrupted"):
        said["interrupted"] = "yes: the program was ended before its end"
    elif source.get("exit_code"):
        said["program"] = f"failed with exit code {source['exit_code']}"
    return {key: str(value) for key, value in said.items()}
