"""Memory shared and saved.

Saved pages by what they equal: zeros, a page of the same VM, of another VM, of another OS family; and what
is left of them once the hypervisor's own bookkeeping is paid.  KSM keeps 64 bytes for every page that it has
scanned (``struct ksm_rmap_item``); ESX 16 bytes for every shared frame (Waldspurger 2002, section 4).
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tracereplay.report import style
from tracereplay.report.figures import Extras
from tracereplay.report.figures._bins import at_bins, bin_text
from tracereplay.result import Result

PARTS = {
    "reclaimed_zero": ("saved: zeros", style.SKY),
    "reclaimed_self": ("saved: same VM", style.BLUE),
    "reclaimed_inter_vm": ("saved: another VM", style.ORANGE),
    "reclaimed_cross_family": ("saved: another OS family", style.PURPLE),
}
LINES = {"shared": ("shared", style.VERMILION), "net": ("saved, net", style.INK)}
KSM_ITEM, ESX_FRAME = 64, 16
KEPT_FOR = {
    "ksm": (KSM_ITEM, ("shared", "zero_mapped", "pages_unshared", "pages_volatile")),
    "esx": (ESX_FRAME, ("shared_frames",)),
}
"""Bytes that are kept for each of what these gauges count."""
NET = {
    "ksm": f"net of KSM's {KSM_ITEM} bytes for each page scanned (shared, zero-mapped, unshared, volatile)",
    "esx": f"net of ESX's {ESX_FRAME} bytes for each shared frame; those of its hints are not counted",
}
ABSENT = "nothing was shared; replay traces with contents and --sharing esx or ksm"


def data(result: Result, extras: Extras) -> pd.DataFrame | None:
    """Bytes at the end of each bin; None where nothing was ever shared."""
    if not (result.timeline["shared"].any() or result.timeline["zero_mapped"].any()):
        return None
    dialect = "ksm" if result.machine["sharing"]["mode"] == "ksm" else "esx"
    size, counted = KEPT_FOR[dialect]
    pages = at_bins(result, ["shared", *PARTS, *(name for name in counted if name != "shared")])
    found = pages[["shared", *PARTS]] * pages.attrs["page_size"]
    found["net"] = found[list(PARTS)].sum(axis=1) - pages[list(counted)].sum(axis=1) * size
    found.attrs["dialect"] = dialect
    return found


def draw(data: pd.DataFrame) -> Figure:
    """What was saved, stacked, under the lines of what is shared and of the net saving."""
    figure, axes = style.over_time("guest memory", data)
    style.stacked_steps(axes, data, PARTS)
    for name, (label, colour) in LINES.items():
        style.steps(axes, data[name], colour, label)
    bottom = min(float(data["net"].min()), 0)
    # zero-mapped pages are saved, but not shared
    top = max(float(data["shared"].max()), float(data[list(PARTS)].sum(axis=1).max()))
    axes.set_ylim(bottom * 1.05, max(top, -bottom) * 1.05)
    style.sizes(axes.yaxis, top, bottom)
    style.label_ends(axes, style.step_ends(axes))
    return figure


def caption(data: pd.DataFrame) -> str:
    return (
        "Guest memory mapped copy-on-write (line), what it saves by what the pages equal (stacked), and that "
        f"{NET[data.attrs['dialect']]}, at the end of each bin. {bin_text(data)}"
    )
