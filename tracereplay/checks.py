"""What does not fit together in a machine, or would run and mislead: problems and warnings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracereplay import policies
from tracereplay.errors import ScenarioError
from tracereplay.problems import Notes, shown
from tracereplay.units import format_bytes, format_count

if TYPE_CHECKING:
    from tracereplay.machine import HostConfig, Machine, Source, VMConfig
    from tracereplay.scenario import VM, Scenario

MOST_FAMILIES = 64
"""The gauges note the families that share a frame as a set of 64 bits."""
NEARLY_EXACT = 2
"""In a memory of so many times exact_above, faults under clock and random were within 10 % of those of the
whole trace wherever that was measured; in one of exact_above they were up to 81 % off."""
MANY_TICKS = 1_000_000
"""So many ticks take longer than most replays: rather a slip of the unit."""
BYTES_A_PAGE = 25
"""What any simulation keeps for a page of a VM's memory: its tables and the links of its policy."""
FEWEST_DROPPED, MUCH_DROPPED = 100, 0.1
"""Faults of pages that were dropped, and their share of a guest's faults, that are worth a warning."""


def check_fidelity(s: Source, pages: int, notes: Notes) -> None:
    """Warn where the trace cannot tell the truth about a VM of this size."""
    if s.trace.metadata.page_space == "guest-physical" and pages < s.footprint:
        notes.warnings.append(
            f"{s.where}.memory: VM {shown(s.name)} has {pages} pages, fewer than the {s.footprint} of its "
            "trace, which was recorded below the guest's own paging: that paging is simulated a second time"
        )


def check_reduction(
    sources: Sequence[Source], vms: Sequence[VMConfig], host: HostConfig, notes: Notes
) -> None:
    """Refuse memories for which a reduced trace is not exact; warn where it may be far off for other reasons.

    A memory that has room for every page pages nothing and is exact, however small.
    """
    above = [s.trace.metadata.exact_above or 0 for s in sources]
    if not any(above) or not all(vm.pages for vm in vms):
        return
    for s, vm in zip(sources, vms, strict=True):
        _check_reduced_guest(s, vm, notes)
    if notes.has_problem("host.memory"):
        return
    room = sum(min(vm.pages, vm.footprint) for vm in vms)
    if host.frames < min(max(above), room):
        found = f"{host.frames} frames for VMs whose traces are reduced"
        notes.refuse("host.memory", found, _exact_from(min(max(above), room)))
    elif host.frames < min(NEARLY_EXACT * sum(above), room) and (host.policy != "lru" or len(vms) > 1):
        why = "several VMs" if host.policy == "lru" else f"host.policy = {shown(host.policy)}"
        notes.warnings.append(
            f"host.memory: with reduced traces, exact from {max(above)} pages on, what a host of "
            f"{host.frames} frames does is exact only under lru and with one VM; with {why} it may be far off"
        )


def _check_reduced_guest(s: Source, vm: VMConfig, notes: Notes) -> None:
    above = s.trace.metadata.exact_above or 0
    balloon = max((size for _, size in vm.balloon_schedule), default=0)
    pages, least, name = vm.pages - balloon, min(above, vm.footprint), shown(s.name)
    if vm.pages < least:
        found = f"{pages} pages for VM {name}, whose trace is reduced"
        notes.refuse(f"{s.where}.memory", found, _exact_from(least))
    elif pages < least:
        found = f"a balloon of {balloon} pages that leaves {pages} to VM {name}, whose trace is reduced"
        notes.refuse(f"{s.where}.balloon", found, _exact_from(least))
    elif vm.policy not in policies.EXACT_WHEN_REDUCED and pages < min(NEARLY_EXACT * above, vm.footprint):
        notes.warnings.append(
            f"{s.where}.policy: with a reduced trace, exact from {above} pages on, the faults of VM {name} "
            f"of {pages} pages are exact only under lru and opt; under {vm.policy} they may be far off"
        )


def _exact_from(pages: int) -> str:
    return (
        f"at least {pages} pages, from which on its faults are exact; give it more memory, or record or "
        "reduce the trace with a smaller exact_above"
    )


def check_sharing(said: Scenario, sources: Sequence[Source], notes: Notes) -> None:
    """Sharing needs contents; some traces without are a warning, all are a problem."""
    mode = said.sharing.mode
    if mode == "none":
        return
    without = [
        trace for trace, has in {s.said.trace: s.trace.has_content for s in sources}.items() if not has
    ]
    if len(without) == len({s.said.trace for s in sources}):
        expected = 'a trace with a content column, or sharing.mode = "none"'
        notes.refuse("sharing.mode", f"{shown(mode)}, but no trace has page contents", expected)
    elif without:
        listed = ", ".join(map(shown, without))
        notes.warnings.append(
            f"sharing.mode: no page contents in {listed}: pages of unknown content are not shared"
        )


def check_families(vms: Sequence[VMConfig], notes: Notes) -> None:
    """Refuse more operating-system families than the gauges can tell apart."""
    families = {vm.family for vm in vms}
    if len(families) > MOST_FAMILIES:
        notes.refuse("vm", f"{len(families)} families", f"at most {MOST_FAMILIES} over all VMs")


def check_ticks(
    said: Scenario, sources: Sequence[Source], vms: Sequence[VMConfig], tick: int, span: int, notes: Notes
) -> None:
    """Warn where ticks would do nothing, or where their number looks like a slip of the unit."""
    unit = sources[0].trace.metadata.time_unit
    count = span // tick if tick else 0
    late = [any(time > count * tick for time, _ in vm.balloon_schedule) for vm in vms]
    controlled = said.balloon.controller not in ("none", "static")
    if not count and (said.sharing.mode != "none" or controlled or any(late)):
        why = (
            f"it comes every {tick} {unit} and the run is {span} {unit} long"
            if tick
            else "tick = 0 means none"
        )
        notes.warnings.append(
            f"tick: no tick falls into the run, so nothing is scanned and no balloon changes: {why}"
        )
    elif any(late):
        names = ", ".join(shown(s.name) for s, is_late in zip(sources, late, strict=True) if is_late)
        notes.warnings.append(
            f"vm.*.balloon: sizes for times after the last tick, {count * tick} {unit} into the run, are "
            f"never reached: {names}"
        )
    if count > MANY_TICKS:
        notes.warnings.append(
            f"tick: an interval of {tick} {unit} makes {format_count(count)} ticks in this run and takes long"
            + ('; in a trace with a clock write it with its unit, such as "1s"' if unit == "ns" else "")
        )


def check_unused(said: Scenario, notes: Notes) -> None:
    """Warn of settings that were changed and that nothing in this scenario heeds."""
    sharing, idle = said.sharing, []
    if sharing.mode == "none":
        idle += [f"sharing.{key}" for key in ("zero_only", "share_before_swap") if getattr(sharing, key)]
    if sharing.use_zero_pages and sharing.mode != "ksm":
        idle.append("sharing.use_zero_pages")
    if sharing.rate == 0 and sharing.mode not in ("none", "ideal"):
        notes.warnings.append("sharing.rate: 0 pages are scanned at a tick, so that no page is ever shared")
    if said.balloon.rate == 0 and said.balloon.controller != "none":
        notes.warnings.append(
            "balloon.rate: 0 pages a tick, so that no balloon ever differs from its size at the start"
        )
    if said.balloon.controller in ("none", "static"):
        idle += [key for key in ("sample", "allocation") if getattr(said, key) != type(getattr(said, key))()]
        idle += [f"vm.*.{key}" for key in ("shares", "min") if any(_is_changed(vm, key) for vm in said.vm)]
    if idle:
        notes.warnings.append(f"{', '.join(idle)}: without effect in this scenario")


def _is_changed(vm: VM, key: str) -> bool:
    return bool(getattr(vm, key) != type(vm).model_fields[key].default)


def check_room(machine: Machine) -> None:
    """ScenarioError when this computer's memory cannot hold the tables of a machine, before they are made."""
    pages = sum(vm.pages for vm in machine.vms)
    have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if pages * BYTES_A_PAGE > have:
        raise ScenarioError(
            f"vm: found {pages:,} pages of memory over all VMs, whose tables take "
            f"{format_bytes(pages * BYTES_A_PAGE)} or more; expected what fits into the "
            f"{format_bytes(have)} of this computer; simulate smaller memories"
        )


def dropped_as_empty(name: str, footprint: int, counters: Mapping[str, int]) -> list[str]:
    """A warning where many faults of a VM are for pages that its guest took for empty, and none elsewhere.

    More minor faults than first touches, frees allowed for, are of pages that were dropped and come back.
    """
    faults = counters["guest_minor_faults"] + counters["guest_major_faults"]
    again = int(counters["guest_minor_faults"] - footprint - counters["frees"])
    if again < max(FEWEST_DROPPED, faults * MUCH_DROPPED):
        return []
    return [
        f"VM {name}: at least {again:,} of {faults:,} guest faults bring back pages that the guest had "
        "dropped as empty, as the trace reads them without saying what they hold: no swap I/O is counted for "
        "them; give pages of files a content"
    ]
