"""The demonstration: four real programs as four VMs on a host with too little memory, three ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from tracereplay.bundled import trace_path
from tracereplay.progress import Progress
from tracereplay.result import Result
from tracereplay.run import replay

PROGRAMS = ("cc1", "python", "sqlite", "sort")
GUEST_MEMORY, HOST_MEMORY = "75%", "70%"
WAYS: Mapping[str, Mapping[str, Any]] = {
    "host paging": {},
    "balloons": {"balloon": "30%"},
    "balloons + sharing": {
        "balloon": "24%",
        "sharing": {"mode": "esx", "rate": 2000, "share_before_swap": True},
    },
}
"""Name of each way → what differs: the balloon of every VM, and how pages are shared."""

ROWS = {
    "guest major faults": ("guest_major_faults",),
    "host major faults": ("host_major_faults",),
    "  of them double paging": ("double_faults", "stale_reads", "false_reads"),
    "guest swap I/O, pages": ("guest_swap_reads", "guest_swap_writes"),
    "host swap I/O, pages": ("host_swap_reads", "host_swap_writes"),
    "  of them silent writes": ("silent_swap_writes",),
    "ballooned pages": ("ballooned",),
    "pages saved by sharing": ("reclaimed",),
}


def scenario(balloon: str | None = None, sharing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One way as a scenario: guests with less memory than they touch, a host with less than they have."""
    vm = {"memory": GUEST_MEMORY} | ({} if balloon is None else {"balloon": balloon})
    return {
        "host": {"memory": HOST_MEMORY},
        "balloon": {"controller": "none" if balloon is None else "static"},
        "sharing": dict(sharing or {}),
        "vm": [{"trace": str(trace_path(program)), **vm} for program in PROGRAMS],
    }


def run_demo(progress: Callable[[str], AbstractContextManager[Progress | None]]) -> dict[str, Result]:
    """Replay every way; ``progress(name)`` gives a context with a callback for each."""
    results = {}
    for name, difference in WAYS.items():
        with progress(name) as update:
            results[name] = replay(scenario(**difference), progress=update)
    return results


def verdict(results: Mapping[str, Result]) -> str:
    """What the three runs show, in two or three sentences."""
    paging, balloons, sharing = (results[name].totals for name in WAYS)
    double = [sum(t[name] for name in ROWS["  of them double paging"]) for t in (paging, balloons)]
    share = double[0] / max(paging["host_major_faults"], 1)
    swap = (*ROWS["guest swap I/O, pages"], *ROWS["host swap I/O, pages"])
    io = [sum(t[name] for name in swap) for t in (paging, balloons)]
    return (
        f"Double paging: {double[0]:,} of {paging['host_major_faults']:,} host faults ({share:.0%}) only "
        "fetched pages that the guest was about to write out or overwrite, because neither level sees the "
        f"other's choices. Balloons let each guest choose: {double[1]:,} such faults are left, and swap I/O "
        f"falls from {io[0]:,} to {io[1]:,} pages. Sharing saves {sharing['reclaimed']:,} more pages, so the "
        "balloons can be smaller."
    )
