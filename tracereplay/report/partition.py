"""The best split of a memory as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

import pandas as pd
from rich.console import Group
from rich.text import Text

from tracereplay.analysis.partition import SIZES
from tracereplay.report.names import ALL_VMS
from tracereplay.report.table import plain_table
from tracereplay.units import format_bytes


def terminal(table: pd.DataFrame) -> Group:
    """The table of ``partition``: a row per VM and one of all, and how good the split is."""
    text = plain_table()
    text.add_column("VM", overflow="fold")
    for title in ("pages", "misses", "miss\nratio", "in proportion:\npages", "\nmisses"):
        text.add_column(title, justify="right", no_wrap=True)
    counts = table[["pages", "misses", "pages_proportional", "misses_proportional"]]
    for vm, ratio, of_vm in zip(table["vm"], table["miss_ratio"], counts.to_numpy(), strict=True):
        text.add_row(Text(vm), *_cells(of_vm, f"{ratio:.3g}"))
    text.add_section()
    text.add_row(ALL_VMS, *_cells(counts.sum(), ""))
    return Group(text, "", Text(_verdict(table.attrs)))


def _cells(counts: Iterable[int], ratio: str) -> list[str]:
    pages, misses, *proportional = (f"{n:,}" for n in counts)
    return [pages, misses, ratio, *proportional]


def _verdict(said: Mapping[Any, Any]) -> str:
    """How good the split is, and how much better than the plain one."""
    memory = f"{said['memory']:,} pages ({format_bytes(said['memory'] * said['page_size'])})"
    policy = (
        said["policy"]
        if said["policy"] == "lru"
        else f"{said['policy']}, simulated at {SIZES} sizes of each VM"
    )
    best = "no split" if said["exact"] else f"no split in multiples of {said['unit']} pages"
    bound = "" if said["exact"] else f", and none at all fewer than {ceil(said['bound']):,}"
    more = said["total_proportional"] / said["total"] - 1 if said["total"] else 0
    return (
        f"{memory} under {policy}: {best} has fewer misses{bound}.\n"
        f"In proportion to footprints: {more:+.1%} misses."
    )
