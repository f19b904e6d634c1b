"""A run in plain sentences: what cost the most, what would help, and what to be careful about."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tracereplay.report.names import ALL_VMS, labels
from tracereplay.result import Result, time_by_cause
from tracereplay.units import format_bytes, format_duration_ns

RUNNING, GUESTS, HOST = "the accesses themselves", "the guests' own swapping", "the hypervisor's swapping"
PARTS: Mapping[str, tuple[str, ...]] = {
    RUNNING: ("accesses",),
    "first touches": ("guest_minor_faults", "host_minor_faults"),
    GUESTS: ("guest_swap_reads", "guest_swap_writes"),
    HOST: ("host_swap_reads", "host_swap_writes"),
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
    share = _share(ns, total)
    said = f"{name}: {format_duration_ns(ns)} ({share}) of the estimated {format_duration_ns(total)}"
    first = "The largest cost" if name == parts.index[0] else "After the accesses themselves the largest cost"
    return f"{first} is {said} of all VMs together."


def _host(result: Result) -> list[str]:
    """What the hypervisor's paging was for."""
    t = result.totals
    faults, fills = t["host_major_faults"], t["stale_reads"] + t["false_reads"]
    if not faults:
        return [_without_faults(result)]
    said = []
    if (wasted := t["double_faults"] + fills) >= _NOTABLE * faults:
        said.append(
            f"{_part(wasted, faults, 'host major fault')} were double paging: the hypervisor read a page "
            "back only because the guest was writing it out or overwriting it. "
            f"{_balloon_advice(result)}"
        )
    if fills >= _NOTABLE * faults:
        said.append(
            f"{_part(fills, faults, 'host major fault')} fetched bytes that were then overwritten whole; a "
            "hypervisor that notices would leave these reads out (--set host.skip_fill_reads=true)."
        )
    if t["demand_faults"] > (1 - _NOTABLE) * faults:
        said.append(
            f"{_part(t['demand_faults'], faults, 'host major fault')} were for accesses of the guests: the "
            f"host has less memory than they use. {_memory_advice(result)}"
        )
    writes, silent = t["host_swap_writes"], t["silent_swap_writes"]
    if silent and silent >= _NOTABLE * writes:
        said.append(
            f"{_part(silent, writes, 'host swap write')} stored bytes that the guest's disk already held."
        )
    return said


def _without_faults(result: Result) -> str:
    t, gauges = result.totals, result.timeline
    if t["host_swap_writes"] or t["avoided_fill_reads"] or t["swapped"]:
        return "The hypervisor paged out memory, and never had to read any of it back."
    said = "The hypervisor never had to read a page back: it had memory enough for these guests"
    short = result.vms["memory_pages"].sum() > result.machine["host"]["frames"]
    helpers = {"balloons took from them": "ballooned", "sharing saved": "reclaimed"}
    helped = " and ".join(what for what, gauge in helpers.items() if short and gauges[gauge].any())
    return f"{said}, with what {helped}." if helped else f"{said}."


def _balloon_advice(result: Result) -> str:
    """How large balloons leave the host nothing to page.

    The guests then page more, which may cost more; smaller balloons may cost more than none, as both page.
    """
    machine, cost = result.machine, costs(result)
    lacking = int(result.vms["memory_pages"].sum()) - machine["host"]["frames"]
    size = f"{counted(lacking, 'page')} ({format_bytes(lacking * machine['page_size'])})"
    if lacking > sum(vm["balloon_cap"] for vm in machine["vms"]):
        return (
            f"The guests have {size} more than the host, and balloons may not take so much: more memory for "
            "the host, or less for the guests, would end it."
        )
    dearer = ", which costs more already" if cost.get(GUESTS, 0) > cost.get(HOST, 0) else ""
    return (
        f"Balloons of {size} in all from the start on (--balloon static, a size per VM; smaller ones may not "
        f"help) would leave it nothing to page, and have the guests page more{dearer}: replay with them to "
        "see whether that is cheaper."
    )


def _memory_advice(result: Result) -> str:
    """What to try against a host that is too small: what must help, and what may."""
    machine, may = result.machine, []
    if len(machine["vms"]) > 1 and machine["balloon"]["controller"] == "none":
        may.append("balloons in guests while they are idle")
    if machine["sharing"]["mode"] == "none":
        may.append("sharing (--sharing esx) of contents that are known and equal")
    return f"More host memory would help{', and so may ' * bool(may)}{' or '.join(may)}."


def _guest(result: Result) -> list[str]:
    """Guests that swap by themselves."""
    faults = result.vms["guest_major_faults"]
    total, others = int(faults.sum()), int((faults > 0).sum()) - 1
    if not total:
        return []
    worst = str(faults.idxmax())
    share = f"{_share(int(faults[worst]), total)} of them" if others else "all of them"
    name = labels(list(result.vms.index), [ALL_VMS])[worst]
    rest = f"; the others in {counted(others, 'more VM')}" if others else ""
    return [f"Guest major faults: {total:,}, {share} in {name}, {_why(result, worst)}{rest}."]


def _why(result: Result, vm: str) -> str:
    """Why a guest swaps: too little memory, a balloon that holds too much of it, or both."""
    found, samples = result.vms.loc[vm], result.timeline[result.timeline["vm"] == vm]
    if samples["ballooned"].any():
        if found["memory_pages"] >= found["footprint_pages"]:
            return "whose balloon held pages that it needed"
        return "which has less memory than it uses, and less still with its balloon"
    free = format_bytes(int(samples["free"].min()) * result.machine["page_size"])
    spare = f" (the host had {free} free throughout)" if samples["free"].all() else ""
    return f"which has less memory than it uses{spare}"


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
        f"Sharing saved {counted(t['reclaimed'], 'page')} ({size}, {share:.1%} of the host's memory) as the "
        f"run ended, at the price of {counted(t['cow_breaks'], 'copy-on-write break')}."
    ]


def counted(number: int, thing: str) -> str:
    """So many of a thing: 1 page, 2,000 pages."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _part(part: int, whole: int, thing: str) -> str:
    """A part of a number of things: 1 of 4 faults (25%)."""
    return f"{part:,} of {counted(whole, thing)} ({_share(part, whole)})"


def _share(part: int, whole: int) -> str:
    """Part of a whole in per cent; what is not nothing or all is not said to be."""
    percent = f"{part / whole:.0%}"
    if percent == "0%" and part:
        return "under 1%"
    return "over 99%" if percent == "100%" and part < whole else percent


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
