"""The machine to simulate, in plain numbers: a scenario resolved against its traces.

`resolve` turns texts into pages, ticks and indices, finds everything that does not fit together, and
gathers warnings about runs that would work but mislead.  Nothing after this module parses a text.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from tracereplay import checks, policies, scenario
from tracereplay.names import distinct, long_name, parse_vm, vm_name
from tracereplay.problems import Notes, nearest, shown
from tracereplay.units import format_bytes, format_count, parse_size, parse_time

if TYPE_CHECKING:
    from tracereplay.trace import Trace

MOST_VMS = 2**16
MOST_PAGES = 2**31 - 1 - MOST_VMS
"""Page, frame and VM tables are indexed by 32 bits."""
MOST_TIME = 2**63 - 1
TIMELINE_ROWS, FEWEST_TIMELINE_ROWS = 500, 20
TIMELINE_PAGES = 25_000_000
"""Pages that an automatic timeline may look at, all rows together, however short the trace."""


@dataclass(frozen=True)
class HostConfig:
    """The hypervisor; ``frames`` is M."""

    frames: int
    policy: str
    params: dict[str, Any]
    skip_fill_reads: bool
    free_page_reporting: bool


@dataclass(frozen=True)
class BalloonConfig:
    """``rate`` in pages per tick and VM; ``max`` as a fraction of a VM's memory."""

    controller: str
    rate: int
    max: Fraction


@dataclass(frozen=True)
class SharingConfig:
    """``rate`` in pages per tick; each VM's domain stands in its VMConfig."""

    mode: str
    rate: int
    domain: str
    zero_only: bool
    share_before_swap: bool
    use_zero_pages: bool


@dataclass(frozen=True)
class Costs:
    """Estimated ns per event, and the preset that gave those which the scenario did not."""

    preset: str
    access: int
    guest_minor: int
    zero_fill: int
    cow_break: int
    swap_read: int
    swap_write: int


@dataclass(frozen=True)
class VMConfig:
    """One VM.  Sizes in pages; ``pages`` is G, ``footprint`` the distinct pages of its trace.

    ``balloon_schedule`` holds (time since the run's first access, size), sorted by time, the later one of
    equals last; empty = no static balloon.  ``start`` is added to the trace's times.
    """

    name: str
    trace: str
    trace_vm: int
    pages: int
    footprint: int
    policy: str
    params: dict[str, Any]
    balloon_cap: int
    balloon_schedule: tuple[tuple[int, int], ...]
    domain: int
    family: str
    tenant: str
    shares: int
    min: int
    start: int


@dataclass(frozen=True)
class Machine:
    """Everything that a run needs to know, times in ``time_unit``.

    ``tick`` 0 = no ticks; ``timeline_every`` in ticks.  ``first_time`` and ``last_time`` bound the run by the
    time ranges of whole trace files: where only some VMs of a file take part, their rows may lie inside (a
    result's machine is bounded by its rows).
    """

    seed: int
    page_size: int
    time_unit: str
    tick: int
    first_time: int
    last_time: int
    host: HostConfig
    balloon: BalloonConfig
    sharing: SharingConfig
    costs: Costs
    timeline_every: int
    vms: tuple[VMConfig, ...]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The machine as JSON-able dicts and lists."""
        data = dataclasses.asdict(self)
        data["balloon"]["max"] = float(self.balloon.max)
        return data


class Source(NamedTuple):
    """One VM to be: where the scenario mentions it, what it says, and the trace that drives it."""

    where: str
    said: scenario.VM
    name: str
    trace: Trace
    trace_vm: int

    @property
    def footprint(self) -> int:
        """Distinct pages: what the metadata says, but no more than there are rows."""
        return min(self.trace.footprints()[self.trace_vm], self.trace.n_rows)


def resolve(said: scenario.Scenario, traces: Mapping[str, Trace]) -> Machine:
    """The machine that ``said`` describes, driven by ``traces`` (keys: the ``trace`` of its VMs).

    A scenario without VMs takes every VM of every trace.  Raises ScenarioError with all problems, and
    TraceError when a trace must be read to learn its footprint and cannot be.
    """
    notes = Notes()
    sources = _sources(said, traces, notes)
    if not sources:
        notes.settle()
    page_size, unit = _common(sources, notes)
    vms = _vms(said, sources, notes)
    host = _host(said, vms, page_size, notes)
    checks.check_sharing(said, sources, notes)
    checks.check_families(vms, notes)
    checks.check_reduction(sources, vms, host, notes)
    first, last = _time_range(sources, vms, notes)
    tick = _tick(said, unit, last - first, notes)
    every = _timeline_every(said, unit, tick, last - first, _timeline_rows(sources, vms), notes)
    checks.check_ticks(said, sources, vms, tick, last - first, notes)
    checks.check_unused(said, notes)
    notes.settle()
    return Machine(
        seed=said.seed,
        page_size=page_size,
        time_unit=unit,
        tick=tick,
        first_time=first,
        last_time=last,
        host=host,
        balloon=BalloonConfig(said.balloon.controller, said.balloon.rate, said.balloon.max),
        sharing=SharingConfig(**said.sharing.model_dump()),
        costs=Costs(preset=said.costs.preset, **said.costs.resolved()),
        timeline_every=every,
        vms=tuple(vms),
        warnings=tuple(dict.fromkeys(notes.warnings)),
    )


def _sources(said: scenario.Scenario, traces: Mapping[str, Trace], notes: Notes) -> list[Source]:
    """Every VM of the run; an entry without ``trace_vm`` is one for each VM of its trace."""
    entries = said.vm or tuple(scenario.VM(trace=key) for key in traces)
    if not entries:
        notes.refuse(
            "vm", "no VM and no trace", 'at least one [[vm]] with a trace, such as trace = "web.parquet"'
        )
    found: list[tuple[str, scenario.VM, Trace, int]] = []
    for i, vm in enumerate(entries):
        where, trace = f"vm.{i}", traces.get(vm.trace)
        if trace is None:
            near = nearest(vm.trace, traces)
            known = f"one of the given traces: {', '.join(map(shown, traces)) or 'none'}"
            notes.refuse(f"{where}.trace", shown(vm.trace), known, near and shown(near))
        elif vm.trace_vm is None:
            found += [(where, vm, trace, index) for index in range(trace.n_vms)]
        elif (index := notes.read(f"{where}.trace_vm", parse_vm, trace, vm.trace_vm)) is not None:
            found.append((where, vm, trace, index))
    names = _names(found)
    return [
        Source(where, vm, name, trace, i) for (where, vm, trace, i), name in zip(found, names, strict=True)
    ]


def spelled_out(said: scenario.Scenario, traces: Mapping[str, Trace]) -> scenario.Scenario:
    """The same scenario with an entry for each VM of the run, by the name that it has there."""
    notes = Notes()
    sources = _sources(said, traces, notes)
    notes.settle()
    entries = [
        {**s.said.model_dump(mode="json", exclude_unset=True), "name": s.name, "trace_vm": s.trace_vm}
        for s in sources
    ]
    return scenario.Scenario(**said.to_dict() | {"vm": entries})


def _names(found: Sequence[tuple[str, scenario.VM, Trace, int]]) -> list[str]:
    """A name of its own for every VM: as said, else the trace's, with the file's name where those repeat."""
    shares = Counter(where for where, *_ in found)
    short, long = [], []
    for where, vm, trace, index in found:
        said = vm.name if vm.name is None or shares[where] == 1 else f"{vm.name}-{index}"
        short.append(said or vm_name(trace, index))
        long.append(said or long_name(trace, index, vm.trace))
    return distinct(short, long)


def _common(sources: Sequence[Source], notes: Notes) -> tuple[int, str]:
    """Page size and time unit that all traces share."""
    for attribute, what in (("page_size", "page size"), ("time_unit", "time unit")):
        values = {s.said.trace: getattr(s.trace.metadata, attribute) for s in sources}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{shown(trace)} has {value}" for trace, value in values.items())
            notes.refuse(
                "vm", f"traces that differ in {what}: {listed}", f"one {what} for all traces of a run"
            )
    metadata = sources[0].trace.metadata
    return metadata.page_size, metadata.time_unit


def _vms(said: scenario.Scenario, sources: Sequence[Source], notes: Notes) -> list[VMConfig]:
    domains = _domains(said, sources, notes)
    vms = [_vm(said, s, domain, notes) for s, domain in zip(sources, domains, strict=True)]
    if len(vms) > MOST_VMS:
        notes.refuse("vm", f"{len(vms)} VMs", f"at most {MOST_VMS} in a run")
    together = sum(vm.pages for vm in vms)
    if together > MOST_PAGES:
        notes.refuse(
            "vm", f"{format_count(together)} pages of memory", f"at most {MOST_PAGES} pages over all VMs"
        )
    return vms


def _domains(said: scenario.Scenario, sources: Sequence[Source], notes: Notes) -> list[int]:
    """The sharing domain of each VM, from 0 on without gaps."""
    if said.sharing.domain == "all":
        return [0] * len(sources)
    if said.sharing.domain == "vm":
        return list(range(len(sources)))
    for s in sources:
        if s.said.tenant is None:
            expected = 'a label, as sharing.domain = "tenant"'
            notes.refuse(f"{s.where}.tenant", "nothing", expected)
    labels = list(dict.fromkeys(s.said.tenant for s in sources))
    return [labels.index(s.said.tenant) for s in sources]


def _vm(said: scenario.Scenario, s: Source, domain: int, notes: Notes) -> VMConfig:
    vm, metadata = s.said, s.trace.metadata
    size, unit = metadata.page_size, metadata.time_unit
    pages = notes.read(f"{s.where}.memory", parse_size, vm.memory, page_size=size, of=s.footprint)
    if pages == 0:
        found = f"{shown(vm.memory)} for VM {shown(s.name)}"
        notes.refuse(f"{s.where}.memory", found, f"at least one page of {size} bytes")
    pages = pages or 0
    reserved = notes.read(f"{s.where}.min", parse_size, vm.min, page_size=size, of=pages) or 0
    if 0 < pages < reserved:
        found = f"{reserved} pages for VM {shown(s.name)}"
        notes.refuse(f"{s.where}.min", found, f"at most its memory of {pages} pages")
    if pages:
        checks.check_fidelity(s, pages, notes)
    policy, params = policies.parse(vm.policy)
    info = metadata.vms[s.trace_vm] if s.trace_vm < len(metadata.vms) else None
    return VMConfig(
        name=s.name,
        trace=vm.trace,
        trace_vm=s.trace_vm,
        pages=pages,
        footprint=s.footprint,
        policy=policy,
        params=params,
        balloon_cap=math.floor(said.balloon.max * pages),
        balloon_schedule=_schedule(said, s, pages, notes) if pages else (),
        domain=domain,
        family=vm.family or (info and info.family) or "unknown",
        tenant=vm.tenant or "",
        shares=vm.shares,
        min=reserved,
        start=notes.read(f"{s.where}.start", parse_time, vm.start, unit) or 0,
    )


def _schedule(said: scenario.Scenario, s: Source, pages: int, notes: Notes) -> tuple[tuple[int, int], ...]:
    """The static balloon as (time, pages).

    A size above the cap ⌊max · G⌋ is clipped to it, with a warning; one above the VM's memory is a problem.
    """
    given = s.said.balloon
    if given is None:
        return ()
    size, unit = s.trace.metadata.page_size, s.trace.metadata.time_unit
    single = not isinstance(given, tuple)
    entries: tuple[Any, ...] = given if isinstance(given, tuple) else ((0, given),)
    cap = math.floor(said.balloon.max * pages)
    schedule = []
    for i, (time, target) in enumerate(entries):
        where = f"{s.where}.balloon" if single else f"{s.where}.balloon.{i}"
        at = notes.read(where, parse_time, time, unit) or 0
        want = notes.read(where, parse_size, target, page_size=size, of=pages) or 0
        found = f"a balloon of {want} pages ({format_bytes(want * size)}) for VM {shown(s.name)}"
        limit = f"{cap} pages ({format_bytes(cap * size)}), balloon.max = {float(said.balloon.max):g}"
        if want > pages:
            notes.refuse(where, found, f"at most its memory of {pages} pages")
        elif want > cap:
            notes.warnings.append(f"{where}: {found} is clipped to its cap of {limit} of its {pages} pages")
        schedule.append((at, min(want, cap)))
    return tuple(sorted(schedule, key=lambda entry: entry[0]))


def _host(said: scenario.Scenario, vms: Sequence[VMConfig], page_size: int, notes: Notes) -> HostConfig:
    of = max(sum(vm.pages for vm in vms), 1)
    frames = notes.read("host.memory", parse_size, said.host.memory, page_size=page_size, of=of)
    if frames == 0:
        notes.refuse("host.memory", shown(said.host.memory), f"at least one frame of {page_size} bytes")
    frames = frames or 1
    if frames > MOST_PAGES:
        notes.refuse("host.memory", f"{format_count(frames)} frames", f"at most {MOST_PAGES} frames")
    policy, params = policies.parse(said.host.policy)
    return HostConfig(frames, policy, params, said.host.skip_fill_reads, said.host.free_page_reporting)


def _time_range(sources: Sequence[Source], vms: Sequence[VMConfig], notes: Notes) -> tuple[int, int]:
    """First and last time that any of the files may hold, on the run's clock."""
    ranges = [(*s.trace.time_range(), vm.start) for s, vm in zip(sources, vms, strict=True)]
    last = max(end + start for _, end, start in ranges)
    if last > MOST_TIME:
        notes.refuse("vm.*.start", f"accesses at time {last}", f"times up to {MOST_TIME}: a smaller start")
    return min(begin + start for begin, _, start in ranges), last


def _tick(said: scenario.Scenario, unit: str, span: int, notes: Notes) -> int:
    if said.tick is None:
        return 10**9 if unit == "ns" else max(span // 1000, 1)
    return notes.read("tick", parse_time, said.tick, unit) or 0


def _timeline_rows(sources: Sequence[Source], vms: Sequence[VMConfig]) -> int:
    """How many rows the automatic timeline aims at: fewer where counting them would outlast the replay."""
    accesses = sum({s.said.trace: s.trace.n_rows for s in sources}.values())
    affordable = max(TIMELINE_PAGES, accesses) // sum(max(vm.pages, 1) for vm in vms)
    return min(max(affordable, FEWEST_TIMELINE_ROWS), TIMELINE_ROWS)


def _timeline_every(said: scenario.Scenario, unit: str, tick: int, span: int, rows: int, notes: Notes) -> int:
    """Ticks between two rows of the timeline; a time is rounded to ticks."""
    every = said.timeline.every
    if every == "auto":
        return max(-(-(span // tick) // rows), 1) if tick else 1
    if isinstance(every, int):
        return every
    time = notes.read("timeline.every", parse_time, every, unit) or 0
    return max((2 * time + tick) // (2 * tick), 1) if tick else 1
