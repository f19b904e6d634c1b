"""Tables for the terminal, within 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tracereplay.report.names import ALL_VMS, labels
from tracereplay.units import format_bytes, format_count, format_duration_ns

if TYPE_CHECKING:
    from tracereplay.result import Result

WIDTH = 80
_LONG_NAME, _SHORT_NAME = 20, 9

SECTIONS: Mapping[str, Sequence[str]] = {
    "rows": ("accesses", "reads", "writes", "frees", "untraced_writes"),
    "guest": (
        "guest_minor_faults",
        "guest_major_faults",
        "guest_file_fills",
        "guest_swap_reads",
        "guest_swap_writes",
    ),
    "host": (
        "host_minor_faults",
        "host_major_faults",
        "demand_faults",
        "double_faults",
        "stale_reads",
        "false_reads",
        "avoided_fill_reads",
        "host_swap_reads",
        "host_swap_writes",
        "silent_swap_writes",
    ),
    "memory, pages": ("memory_pages", "frames_in_use", "ballooned", "resident", "swapped"),
    "sharing": (
        "cow_breaks",
        "pages_merged",
        "shared",
        "shared_frames",
        "zero_mapped",
        "reclaimed",
        "reclaimed_zero",
        "reclaimed_self",
        "reclaimed_inter_vm",
        "reclaimed_cross_family",
    ),
}
_CAUSES = ("demand_faults", "double_faults", "stale_reads", "false_reads")
_ALWAYS = ("accesses", "guest_major_faults", "host_major_faults", "memory_pages", "frames_in_use")
_KEY_COLUMNS = {
    "memory_pages": "memory",
    "guest_major_faults": "guest\nmajor",
    "host_major_faults": "host\nmajor",
    "double_faults": "double",
    "ballooned": "balloon",
    "reclaimed": "reclaimed",
}


def plain_table() -> Table:
    """An empty table in the house style."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)


def vm_table(result: Result, width: int = WIDTH) -> Group:
    """What a run cost: a column per VM where they fit into ``width``, else a row per VM."""
    layouts = (
        lambda: _by_counter(result, _LONG_NAME),
        lambda: _by_counter(result, _SHORT_NAME),
        lambda: _by_vm(result, 14, "{:,}".format),
        lambda: _by_vm(result, _SHORT_NAME, format_count),
    )
    return Group(_first_that_fits(layouts, width), Text(""), Text(_closing_line(result)))


def _first_that_fits(layouts: Sequence[Callable[[], Table]], width: int) -> Table:
    """The first table that needs no more than ``width`` columns, else the last one."""
    wide = Console(width=10_000, markup=False)
    for layout in layouts:
        table = layout()
        if Measurement.get(wide, wide.options, table).maximum <= width:
            break
    return table


def _by_counter(result: Result, longest_name: int) -> Table:
    """Counters that are not zero everywhere, a column per VM and one for all."""
    table = plain_table()
    table.add_column("")
    for name in (*labels(list(result.vms.index), [ALL_VMS]).values(), ALL_VMS):
        table.add_column(_clipped(name, longest_name), justify="right", no_wrap=True)
    for title, names in SECTIONS.items():
        shown = [n for n in names if n in _ALWAYS or (result.vms[n] != 0).any()]
        if not shown:
            continue
        table.add_section()
        table.add_row(Text(title, style="bold"))
        for name in shown:
            values = [int(v) for v in result.vms[name]]
            label = f"    {name}" if name in _CAUSES else f"  {name}"
            table.add_row(label, *(f"{v:,}" for v in (*values, sum(values))))
    table.add_section()
    times = [int(v) for v in result.vms["estimated_ns"]]
    table.add_row("estimated time", *(format_duration_ns(v) for v in (*times, sum(times))))
    return table


def _by_vm(result: Result, longest_name: int, shown: Callable[[int], str]) -> Table:
    """One row per VM with the counters that matter most."""
    table = plain_table()
    table.add_column("VM", no_wrap=True)
    for title in (*_KEY_COLUMNS.values(), "est.\ntime"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, row in result.vms.rename(index=labels(list(result.vms.index), [ALL_VMS])).iterrows():
        cells = [shown(int(row[key])) for key in _KEY_COLUMNS]
        table.add_row(_clipped(str(name), longest_name), *cells, format_duration_ns(int(row["estimated_ns"])))
    table.add_section()
    sums = [shown(int(result.vms[key].sum())) for key in _KEY_COLUMNS]
    table.add_row(ALL_VMS, *sums, format_duration_ns(result.estimated_ns))
    return table


def _closing_line(result: Result) -> str:
    host = result.machine["host"]
    memory = format_bytes(host["frames"] * result.machine["page_size"])
    guests = ", ".join(dict.fromkeys(vm["policy"] for vm in result.machine["vms"]))
    return (
        f"host: {host['frames']:,} frames ({memory}), {host['policy']}; guests: {guests}. "
        f"Times are estimates from the {result.machine['costs']['preset']} costs."
    )


def comparison_table(results: Mapping[str, Result], rows: Mapping[str, Sequence[str]]) -> Table:
    """A column per run, a row per label: the sum of the totals that ``rows`` names for it."""
    layouts = (
        lambda: _comparison(results, rows, "{:,}".format),
        lambda: _comparison(results, rows, format_count),
    )
    return _first_that_fits(layouts, WIDTH)


def _comparison(
    results: Mapping[str, Result], rows: Mapping[str, Sequence[str]], shown: Callable[[int], str]
) -> Table:
    table = plain_table()
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    for label, names in rows.items():
        sums = (sum(result.totals[name] for name in names) for result in results.values())
        table.add_row(label, *map(shown, sums))
    times = (format_duration_ns(result.estimated_ns) for result in results.values())
    table.add_row("estimated time (all VMs)", *times)
    return table


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
