"""Host I/O that double paging wasted.

Pages that the hypervisor read only for the guest to write them out or overwrite them, or wrote although the
guest's disk held them.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import named
from tracereplay.result import Result
from tracereplay.units import format_bytes, format_count

KINDS = {
    "double_faults": "read, then written\nto guest swap",
    "stale_reads": "read, then overwritten\nby swap-in or file",
    "false_reads": "read, then zeroed",
    "silent_swap_writes": "written, though on the\nguest's disk already",
}
ABSENT = (
    "nothing was paged twice; replay with less memory at both levels, such as --host-memory 60% --memory 75%"
)


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Pages of host I/O by kind (rows) and VM (columns); None where there was none.

    ``attrs``: ``page_size``; ``host_io``, all pages that the hypervisor read or wrote.
    """
    counted = result.vms[list(KINDS)].T
    if not counted.any(axis=None):
        return None
    counted.index.name = "kind"
    io = result.totals["host_swap_reads"] + result.totals["host_swap_writes"]
    counted.attrs = {"page_size": result.machine["page_size"], "host_io": io}
    return named(counted)


def draw(data: pd.DataFrame) -> Figure:
    """A bar per kind, stacked by VM."""
    figure, axes = style.panel("", "pages read or written by the host", "")
    totals = data.sum(axis=1)
    texts = [f"{format_count(n)} · {format_bytes(n * data.attrs['page_size'])}" for n in totals]
    longest = style.bars(axes, data.rename(index=KINDS), style.vm_series(data), texts)
    style.counts(axes.xaxis, longest)
    if len(data.columns) > 1:
        style.legend_beside(axes)
    return figure


def caption(data: pd.DataFrame) -> str:
    pages, size, io = int(data.to_numpy().sum()), data.attrs["page_size"], data.attrs["host_io"]
    return (
        f"Pages of {format_bytes(size)} that the hypervisor read or wrote for nothing, by kind and VM: "
        f"{format_count(pages)} ({format_bytes(pages * size)}), {pages / io:.0%} of its swap I/O of "
        f"{format_count(io)} pages in the whole run."
    )
