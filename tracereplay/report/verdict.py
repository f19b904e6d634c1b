"""A run in plain sentences: what cost the most, what would help, and what to be careful about."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tracereplay.result import Result, time_by_cause
from tracereplay.units import format_bytes, format_duration_ns

RUNNING = "the accesses themselves"
PARTS: Mapping[str, tuple[str, ...]] = {
    RUNNING: ("accesses",),
    "first touches": ("guest_minor_faults", "host_minor_faults"),
    "the guests' own swapping": ("guest_swap_reads", "guest_swap_writes"),
    "the hypervisor's swapping": ("host_swap_reads", "host_swap_writes"),
    "copy-on-write breaks": ("cow_breaks",),
}
"""What time goes to → the causes in ``time_by_cause`` that it sums."""

_PAGING = ("guest_major_faults", "guest_swap_writes", "host_major_faults", "host_swap_writes")
"""What happens only where memory is too small."""
_NOTABLE = 0.1
"""A share of the faults or writes from which something is worth a sentence."""
_FEW_TICKS = 20


def verdict(result: Result) -> list[str]:
    """What cost the most and what would help, most important first; each item a sentence or two."""
    return [_largest(result), *_host(result), *_guest(result), *_sharing(result)]


def costs(result: Result) -> pd.Series:
    """The estimated time in ns by the names of PARTS, largest first, without zeros."""
    by_cause = time_by_cause(result.vms, result.machine["costs"]).sum()
    parts = pd.Series({part: int(by_cause[list(causes)].sum()) for part, causes in PARTS.items()})
    return parts[parts > 0].sort_values(ascending=False, kind="stable")


def _largest(result: Result) -> str:
    parts, total = costs(result), result.estimated_ns
    others = parts.drop(RUNNING, errors="ignore")
    if others.empty:
        return "Nothing but the accesses themselves took time."
    name, ns = str(others.index[0]), int(others.iloc[0])
    said = f"{name}: {format_duration_ns(ns)} ({ns / total:.0%}) of the estimated {format_duration_ns(total)}"
    first = "The largest cost" if name == parts.index[0] else "After the accesses themselves the largest cost"
    return f"{first} is {said} of all VMs together."


def _host(result: Result) -> list[str]:
    """What the hypervisor's paging was for."""
    t = result.totals
    faults, fills = t["host_major_faults"], t["stale_reads"] + t["false_reads"]
    if not faults and (t["host_swap_writes"] or t["avoided_fill_reads"] or t["swapped"]):
        return ["The hypervisor paged out memory, and never had to read any of it back."]
    if not faults:
        return ["The hypervisor never had to read a page back: it had memory enough for these guests."]
    said = []
    if (wasted := t["double_faults"] + fills) >= _NOTABLE * faults:
        said.append(
            f"{wasted:,} of {faults:,} host major faults ({wasted / faults:.0%}) were double paging: the "
            "hypervisor read a page back only because the guest was writing it out or overwriting it. "
            f"{_balloon_advice(result)}"
        )
    if fills >= _NOTABLE * faults:
        said.append(
            f"{fills:,} host major faults fetched bytes that were then overwritten whole; a hypervisor that "
            "notices would leave these reads out (--set host.skip_fill_reads=true)."
        )
    if t["demand_faults"] > (1 - _NOTABLE) * faults:
        said.append(
            f"{t['demand_faults']:,} of {faults:,} host major faults ({t['demand_faults'] / faults:.0%}) "
            "were for accesses of the guests: the host has less memory than they use. More host memory, "
            "balloons in idle guests, or sharing would help."
        )
    writes, silent = t["host_swap_writes"], t["silent_swap_writes"]
    if silent and silent >= _NOTABLE * writes:
        said.append(
            f"{silent:,} of {writes:,} host swap writes ({silent / writes:.0%}) stored bytes that the "
            "guest's disk already held."
        )
    return said


def _balloon_advice(result: Result) -> str:
    if result.machine["balloon"]["controller"] == "none":
        return "A balloon lets the guest choose the victim (--balloon static with a size per VM)."
    return "Larger balloons would let the guests choose more of the victims."


def _guest(result: Result) -> list[str]:
    """Guests that swap by themselves."""
    faults = result.vms["guest_major_faults"]
    total = int(faults.sum())
    if not total:
        return []
    worst = str(faults.idxmax())
    share = f"{int(faults[worst]) / total:.0%}"
    ballooned = int(result.vms["ballooned"][worst])
    why = "whose balloon holds pages that it needs" if ballooned else "which has less memory than it uses"
    return [f"Of {total:,} guest major faults, {share} are in {worst}, {why}."]


def _sharing(result: Result) -> list[str]:
    """What sharing saved."""
    t, machine = result.totals, result.machine
    if machine["sharing"]["mode"] == "none":
        return []
    if not t["reclaimed"]:
        return ["Sharing saved nothing as the run ended."]
    size = format_bytes(t["reclaimed"] * machine["page_size"])
    share = t["reclaimed"] / machine["host"]["frames"]
    return [
        f"Sharing saved {t['reclaimed']:,} pages ({size}, {share:.1%} of the host's memory) as the run "
        f"ended, at the price of {t['cow_breaks']:,} copy-on-write breaks."
    ]


def cautions(result: Result) -> list[str]:
    """What limits the conclusions: the run's own warnings, a cold start, a trace that is too short."""
    return [*result.warnings, *_cold_start(result), *_short(result)]


def _cold_start(result: Result) -> list[str]:
    """First touches happen with any memory: they mislead only where others are caused by too little of it.

    Each page of a footprint is touched first once; a minor fault of a page that was freed or dropped is none.
    """
    t, vms = result.totals, result.vms
    short = (vms["memory_pages"] < vms["footprint_pages"]).any() or any(t[name] for name in _PAGING)
    first = int(vms[["footprint_pages", "guest_minor_faults"]].min(axis=1).sum())
    faults = t["guest_minor_faults"] + t["guest_major_faults"] + t["host_major_faults"]
    if not short or first <= faults / 2:
        return []
    return [
        f"Cold start: memory is short, and still {first / faults:.0%} of the faults of guests and host are "
        "first touches, so the numbers say more about starting up than about steady work; replay a longer "
        "trace."
    ]


def _short(result: Result) -> list[str]:
    """Balloons and scans act at ticks; with few of them they hardly did."""
    machine = result.machine
    if machine["balloon"]["controller"] == machine["sharing"]["mode"] == "none" or not machine["tick"]:
        return []
    ticks = (machine["last_time"] - machine["first_time"]) // machine["tick"]
    if ticks >= _FEW_TICKS:
        return []
    return [
        f"Short trace: only {ticks} ticks fall into it, so balloons and sharing scans had little time to act."
    ]
