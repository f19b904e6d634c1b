"""What to simulate: a frozen, validated description, from TOML, a dict or flags.  Defaults live only here.

A scenario keeps texts such as "75%" or "10s" as they were written; ``tracereplay.machine.resolve`` turns
them into plain numbers once the traces are known.  Nothing here opens a trace.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tracereplay import control, fields, policies
from tracereplay import settings as inputs
from tracereplay.errors import ScenarioError
from tracereplay.problems import nearest, problem, shown, wrong

PRESETS = {
    "nvme": {"swap_read": 90_000, "swap_write": 20_000},
    # SATA flash, 4 KiB at queue depth 1: 10 000 reads/s and 40 000 writes/s (data sheet of the Samsung
    # 850 EVO), and 20 µs for the path through the kernel
    "ssd": {"swap_read": 120_000, "swap_write": 45_000},
    # 7200 rpm: average seek 8.5 ms to read, 9.5 ms to write (data sheet of the Hitachi 7K1000.C), and half
    # a turn, 4.17 ms; every page pays the whole way, as if swap were never clustered
    "hdd": {"swap_read": 12_670_000, "swap_write": 13_670_000},
}
"""Costs of a swap device in ns, by preset; the other costs are the CPU's and the same for all."""

CPU_COSTS = {"access": 100, "guest_minor": 1_500, "zero_fill": 2_500, "cow_break": 20_000}


class Section(BaseModel):
    """A table of the scenario: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Host(Section):
    """The hypervisor's memory."""

    memory: fields.Size = "75%"
    """Frames; a percentage is of the VMs' configured memory together."""
    policy: fields.HostPolicy = "random"
    """Replacement of machine pages."""
    skip_fill_reads: fields.Flag = False
    """Do not read a page from host swap that is about to be overwritten whole."""
    free_page_reporting: fields.Flag = False
    """Guests tell which pages they have freed; their machine pages are released."""
    free_frames: fields.Reserve = "zero"
    """Reclaim when no frame is left."""


class Balloon(Section):
    """Who sizes the balloons, and the limits."""

    controller: fields.Controller = "none"
    """Sets each VM's target at each tick."""
    rate: fields.Count = 4096
    """Pages per tick and VM, inflating or deflating."""
    max: fields.OpenFraction = Fraction(65, 100)
    """Largest balloon as a fraction of the VM's memory, above 0 and below 1."""


class Sharing(Section):
    """Content-based page sharing."""

    mode: fields.Mode = "none"
    """How equal pages are found."""
    rate: fields.Count = 1000
    """Pages scanned per tick."""
    domain: fields.Domain = "all"
    """Who may share with whom: all VMs, none across VMs, or the VMs of a tenant."""
    zero_only: fields.Flag = False
    """Share nothing but zero pages."""
    share_before_swap: fields.Flag = False
    """Try to share a page before paging it out."""
    use_zero_pages: fields.Flag = False
    """Map zero pages to the kernel's own (mode ksm)."""


class Sample(Section):
    """Statistical sampling of activity."""

    period: fields.Time = "30s"
    """How often pages are drawn anew."""
    n: fields.Weight = 100
    """Pages drawn per VM and period."""


class Allocation(Section):
    """How memory is divided among VMs."""

    idle_tax: fields.FromZero = Fraction(3, 4)
    """What an idle page costs more than an active one, from 0 and below 1."""
    profile: fields.Profile = "esx2002"
    """Bounds of the free-memory states."""


class Costs(Section):
    """Estimated time of events, in ns; ``preset`` gives those that are not said."""

    preset: fields.Device = "nvme"
    """Swap device."""
    access: fields.Nanoseconds | None = None
    """Any access."""
    guest_minor: fields.Nanoseconds | None = None
    """First touch of a page, in the guest."""
    zero_fill: fields.Nanoseconds | None = None
    """First touch of a machine page."""
    cow_break: fields.Nanoseconds | None = None
    """Write to a shared page."""
    swap_read: fields.Nanoseconds | None = None
    """Page read from a swap device."""
    swap_write: fields.Nanoseconds | None = None
    """Page written to a swap device."""

    def resolved(self) -> dict[str, int]:
        """Every cost in ns."""
        said = {key: getattr(self, key) for key in type(self).model_fields if key != "preset"}
        return {**CPU_COSTS, **PRESETS[self.preset], **{k: v for k, v in said.items() if v is not None}}


class Timeline(Section):
    """How densely the run is recorded."""

    every: fields.Every = "auto"
    """Ticks (an integer) or a time between two rows; "auto" gives about 500 rows, fewer for a short trace of
    a very large memory."""


class VM(Section):
    """A virtual machine, or, without ``trace_vm``, one for every VM of its trace."""

    trace: fields.Text
    """Path of a trace, or the key of an in-memory table."""
    name: fields.Text | None = None
    """Default: the name in the trace's metadata."""
    trace_vm: fields.VMOfTrace | None = None
    """Which VM of the trace, by its index or its name there; default: all of them."""
    memory: fields.Size = "100%"
    """Guest-physical memory; a percentage is of this trace's footprint."""
    policy: fields.Policy = "lru"
    """The guest's own page replacement."""
    balloon: fields.Schedule | None = None
    """For the static controller: a size, or [time, size] pairs; times from the run's first access."""
    shares: fields.Weight = 1000
    """Weight in the division of memory."""
    min: fields.Size = 0
    """Memory that is never taken away."""
    family: fields.Text | None = None
    """Operating-system family; default: the trace's metadata."""
    tenant: fields.Text | None = None
    """Label for ``sharing.domain = "tenant"``."""
    start: fields.Time = 0
    """Shift of this VM's clock."""


class Scenario(Section):
    """What to simulate.  ``Scenario(...)``, ``load`` and ``from_traces`` raise one ScenarioError that
    lists every problem; each names the key (``vm.0.memory``), what was found and what was expected."""

    seed: fields.Seed = 0
    """Start of every random stream."""
    tick: fields.Time | None = None
    """Interval of controllers and scans; 0 = never.  Default: 1 s; without a clock, 1/1000 of the run."""
    host: Host = Host()
    balloon: Balloon = Balloon()
    sharing: Sharing = Sharing()
    sample: Sample = Sample()
    allocation: Allocation = Allocation()
    costs: Costs = Costs()
    timeline: Timeline = Timeline()
    vm: tuple[VM, ...] = ()
    """The virtual machines; none = every VM of every trace that the run is given."""

    def __init__(self, **data: Any) -> None:
        problems: list[str] = []
        try:
            super().__init__(**data)
        except ValidationError as error:
            problems = _translated(error)
        problems += _cross_problems(data)
        if problems:
            raise ScenarioError(problems)

    @classmethod
    def load(cls, source: Any, *, tables: Collection[str] = ()) -> Scenario:
        """The scenario of a TOML file (str or path), a mapping, or a Scenario (returned as it is).

        Relative trace paths in a file are relative to that file, unless they are among ``tables``, the
        keys of in-memory traces.  Raises ScenarioError; each problem of a file starts with its name.
        """
        if isinstance(source, Scenario):
            return source
        if isinstance(source, Mapping):
            return cls._from_mapping(source)
        if isinstance(source, (str, os.PathLike)):
            path = Path(source)
            try:
                return cls._from_mapping(inputs.rebased(inputs.read_toml(path), path.parent, tables))
            except ScenarioError as error:
                raise ScenarioError([f"{path}: {text}" for text in error.problems]) from None
        raise ScenarioError(f"scenario: {wrong(source, 'the path of a TOML file, a dict or a Scenario')}")

    @classmethod
    def _from_mapping(cls, data: Mapping[Any, Any]) -> Scenario:
        odd = [f"scenario: {wrong(key, 'keys that are texts')}" for key in data if not isinstance(key, str)]
        if odd:
            raise ScenarioError(odd)
        return cls(**data)

    @classmethod
    def from_traces(cls, paths: Any, settings: Mapping[str, Any] | None = None) -> Scenario:
        """Every VM of the given traces (one path, or several), with ``settings`` as in `with_settings`."""
        listed = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        if not listed:
            raise ScenarioError(f"traces: {problem('none', 'the path of at least one trace')}")
        return with_settings(cls(vm=[{"trace": path} for path in listed]), settings or {})

    @property
    def traces(self) -> tuple[str, ...]:
        """The ``trace`` of every VM, each once, in order of first mention."""
        return tuple(dict.fromkeys(vm.trace for vm in self.vm))

    def to_dict(self) -> dict[str, Any]:
        """What was said, without the defaults: ``Scenario.load(s.to_dict()) == s``; JSON-able."""
        return self.model_dump(mode="json", exclude_unset=True)


def with_settings(scenario: Scenario, settings: Mapping[str, Any]) -> Scenario:
    """``scenario`` with dotted keys replaced: ``{"host.memory": "50%", "vm.*.policy": "fifo"}``.

    A VM is named by its index, its name, or ``*`` for all.  Values may be texts, as flags give them.
    All problems at once in one ScenarioError.
    """
    data = scenario.to_dict()
    problems = inputs.apply(data, settings)
    try:
        changed = Scenario(**data)
    except ScenarioError as error:
        problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return changed


def json_schema() -> dict[str, Any]:
    """JSON schema of the scenario; as strict as JSON schema can say, with the policies that exist."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["$defs"]["Balloon"]["properties"]["controller"]["enum"] = list(control.names())
    schema["$defs"]["Balloon"]["properties"]["max"]["default"] = float(Balloon().max)
    schema["$defs"]["Allocation"]["properties"]["idle_tax"]["default"] = float(Allocation().idle_tax)
    for section in ("Host", "VM"):
        known = [n for n in policies.names() if section == "VM" or not policies.needs_future(n)]
        schema["$defs"][section]["properties"]["policy"]["pattern"] = f"^({'|'.join(known)})(:.*)?$"
    return schema


_SECTIONS: dict[str, type[Section]] = {
    "host": Host, "balloon": Balloon, "sharing": Sharing, "sample": Sample, "allocation": Allocation,
    "costs": Costs, "timeline": Timeline, "vm": VM,
}  # fmt: skip


def _translated(error: ValidationError) -> list[str]:
    """One message a problem, each starting with the dotted key."""
    messages = []
    for item in error.errors(include_url=False):
        # tags of unions are not keys that anybody wrote
        loc = [part for part in item["loc"] if not (isinstance(part, str) and part.startswith("<"))]
        where = ".".join(str(part) for part in loc) or "scenario"
        messages.append(f"{where}: {_explained(item, loc)}")
    return messages


def _explained(item: Any, loc: list[Any]) -> str:
    """What is wrong at ``loc`` in our words; pydantic's own where it found something unforeseen."""
    kind, value = item["type"], item["input"]
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "missing":
        return problem("nothing", "the path of a trace, or the key of an in-memory table")
    if loc == ["vm"]:
        return problem(
            "one table" if isinstance(value, Mapping) else shown(value), "a list of tables", "[[vm]]"
        )
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        keys = ", ".join(_SECTIONS[loc[0]].model_fields) if loc and loc[0] in _SECTIONS else ""
        return problem(shown(value), f"a table with some of the keys {keys}")
    return problem(shown(value), str(item["msg"]))


def _unknown_key(loc: list[Any]) -> str:
    """Says which keys there are, and which one was meant: here, or in another table."""
    key, inside = str(loc[-1]), loc[0] if len(loc) > 1 else None
    here = list((_SECTIONS[inside] if inside else Scenario).model_fields)
    homes = [
        f"{'vm.*' if name == 'vm' else name}.{key}"
        for name, section in _SECTIONS.items()
        if key in section.model_fields
    ]
    if not inside and key in Scenario.model_fields:
        homes.append(key)
    near = nearest(key, here)
    return problem("an unknown key", f"one of {', '.join(here)}", " or ".join(homes) or near)


def _get(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)


def _cross_problems(data: Mapping[str, Any]) -> list[str]:
    """Problems between keys; reads what was said, so that it works beside problems of single keys."""
    given = data.get("vm")
    vms = list(given) if isinstance(given, (list, tuple)) else []
    controller = _get(data.get("balloon"), "controller")
    controller = "none" if controller is None else controller
    sized = [i for i, vm in enumerate(vms) if _get(vm, "balloon") is not None]
    problems = []
    if controller == "static" and not sized:
        expected = 'a size or a schedule for at least one VM, such as vm.0.balloon = "16MiB"'
        problems.append(f"balloon.controller: {problem(shown(controller) + ' and no balloon', expected)}")
    if controller != "static" and controller in control.names():
        expected = f'balloon.controller = "static" with it, as {shown(controller)} does not follow sizes'
        problems += [f"vm.{i}.balloon: {problem('a balloon', expected)}" for i in sized]
    first: dict[str, int] = {}
    for i, vm in enumerate(vms):
        name = _get(vm, "name")
        if isinstance(name, str) and first.setdefault(name, i) != i:
            problems.append(
                f"vm.{i}.name: {problem(f'{shown(name)}, as for vm.{first[name]}', 'a name of its own')}"
            )
    return problems
