"""A run in plain sentences: what cost the most, what would help, and what to be careful about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tracereplay.result import Result
from tracereplay.units import format_bytes, format_duration_ns

_NOTABLE = 0.1
"""A share of the faults or the time from which something is worth a sentence."""
_FEW_TICKS = 20
RUNNING = "running: the accesses themselves"


class Cost(NamedTuple):
    """A part of the estimated time."""

    what: str
    ns: int


def costs(result: Result) -> list[Cost]:
    """The estimated time by cause, largest first; together they are ``result.estimated_ns``."""
    t, ns = result.totals, result.machine["costs"]
    wasted = t["double_faults"] + t["stale_reads"] + t["false_reads"]
    parts = (
        Cost(RUNNING, t["accesses"] * ns["access"]),
        Cost("first touches, in guest and host",
             t["guest_minor_faults"] * ns["guest_minor"] + t["host_minor_faults"] * ns["zero_fill"]),
        Cost("guests' own swapping",
             t["guest_swap_reads"] * ns["swap_read"] + t["guest_swap_writes"] * ns["swap_write"]),
        Cost("host swap reads that an access needed", t["demand_faults"] * ns["swap_read"]),
        Cost("host swap reads of double paging", wasted * ns["swap_read"]),
        Cost("host swap writes", t["host_swap_writes"] * ns["swap_write"]),
        Cost("copy-on-write breaks", t["cow_breaks"] * ns["cow_break"]),
    )  # fmt: skip
    return sorted((part for part in parts if part.ns), key=lambda part: -part.ns)


def verdict(result: Result) -> list[str]:
    """What cost the most and what would help, most important first; each item a sentence or two."""
    return [_largest(result), *_host(result.totals), *_guest(result), *_memory(result)]


def _largest(result: Result) -> str:
    total, found = result.estimated_ns, costs(result)
    worst = next((cost for cost in found if cost.what != RUNNING), None)
    if worst is None:
        return "Nothing but the accesses themselves took time."
    which = "The largest part" if worst is found[0] else "After the accesses themselves the largest part"
    return (
        f"{which} of the estimated {format_duration_ns(total)} of all VMs together is {worst.what}: "
        f"{format_duration_ns(worst.ns)}, {worst.ns / total:.0%}."
    )


def _host(t: Mapping[str, int]) -> list[str]:
    """What the hypervisor's paging was for."""
    faults = t["host_major_faults"]
    if not faults:
        return ["The hypervisor never had to read a page back: it had memory enough for these guests."]
    said = []
    wasted = t["double_faults"] + t["stale_reads"] + t["false_reads"]
    if wasted >= _NOTABLE * faults:
        said.append(
            f"{wasted:,} of {faults:,} host major faults ({wasted / faults:.0%}) were double paging: the "
            "hypervisor read a page back only because the guest was writing it out or overwriting it. A balloon "
            "lets the guest choose the victim instead (try --balloon static with a size per VM)."
        )
    fills = t["stale_reads"] + t["false_reads"]
    if fills >= _NOTABLE * faults:
        said.append(
            f"{fills:,} of these reads fetched bytes that were then overwritten whole; a hypervisor that knows "
            "would leave them out (--set host.skip_fill_reads=true)."
        )
    if t["demand_faults"] >= (1 - _NOTABLE) * faults:
        said.append(
            f"Nearly all of the {faults:,} host major faults ({t['demand_faults'] / faults:.0%}) were for the "
            "guests' own accesses: the host has less memory than they use. More host memory, a balloon in idle "
            "guests, or sharing would help."
        )
    silent = t["silent_swap_writes"]
    if silent and silent >= _NOTABLE * t["host_swap_writes"]:
        said.append(
            f"{silent:,} of {t['host_swap_writes']:,} host swap writes stored bytes that the guest's disk "
            "already held."
        )
    return said


def _guest(result: Result) -> list[str]:
    """Guests that swap by themselves."""
    t = result.totals
    if not t["guest_major_faults"]:
        return []
    worst = result.vms["guest_major_faults"].idxmax()
    ballooned = " Its balloon holds pages that it needs." if result.vms.at[worst, "ballooned"] else ""
    share = result.vms.at[worst, "guest_major_faults"] / t["guest_major_faults"]
    return [
        f"The guests read {t['guest_major_faults']:,} pages back from their own swap, {share:.0%} of them "
        f"{worst}: less memory than it uses.{ballooned}"
    ]


def _memory(result: Result) -> list[str]:
    """What sharing saved."""
    t, size = result.totals, result.machine["page_size"]
    if not t["reclaimed"]:
        return []
    frames = result.machine["host"]["frames"]
    return [
        f"Sharing saved {t['reclaimed']:,} pages ({format_bytes(t['reclaimed'] * size)}, "
        f"{t['reclaimed'] / frames:.1%} of the host's memory) as the run ended, at the price of "
        f"{t['cow_breaks']:,} copy-on-write breaks."
    ]


def cautions(result: Result) -> list[str]:
    """What limits the conclusions: the run's own warnings, a cold start, a trace that is too short."""
    t, machine = result.totals, result.machine
    said = list(result.warnings)
    faults = t["guest_minor_faults"] + t["guest_major_faults"]
    if faults and t["guest_minor_faults"] > faults / 2:
        said.append(
            f"Cold start: {t['guest_minor_faults'] / faults:.0%} of the guest faults are first touches, so the "
            "numbers say more about starting up than about steady work."
        )
    span = machine["last_time"] - machine["first_time"]
    controlled = machine["balloon"]["controller"] != "none" or machine["sharing"]["mode"] != "none"
    if controlled and machine["tick"] and span < _FEW_TICKS * machine["tick"]:
        said.append(
            f"Short trace: only {span // machine['tick']} ticks fall into it, so balloons and sharing scans had "
            "little time to act."
        )
    return said
