"""Runs the engine on what the reference model takes, and describes its state in the reference's words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pyarrow as pa

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.core.state import (
    COPY,
    DIRTY,
    FRAME_DIRTY,
    FRAME_SHARED,
    IN_SWAP,
    SWAPPED,
    UNBACKED,
    ZERO_MAPPED,
    State,
    vm_of,
)
from tracereplay.machine import BalloonConfig, Costs, HostConfig, Machine, SharingConfig, VMConfig
from tracereplay.run import Run
from tracereplay.trace import Metadata, VMInfo, open_trace
from tracereplay.trace.feed import Feed, Rows
from tracereplay.trace.schema import METADATA_KEY


def as_machine(config: dict[str, Any]) -> Machine:
    """The reference's config as the engine's machine; all VMs are in trace "t"."""
    host, sharing = config["host"], config.get("sharing", {})
    domains = list(dict.fromkeys(vm.get("domain", "all") for vm in config["vms"]))
    vms = [
        VMConfig(
            name=f"vm{v}",
            trace="t",
            trace_vm=v,
            pages=vm["pages"],
            footprint=0,
            policy=vm["policy"],
            params={},
            balloon_cap=vm["pages"],
            balloon_schedule=tuple(sorted(map(tuple, vm["balloon"]), key=lambda entry: entry[0])),
            domain=domains.index(vm.get("domain", "all")),
            family=vm.get("family", "linux"),
            tenant="",
            shares=1000,
            min=0,
            start=0,
        )
        for v, vm in enumerate(config["vms"])
    ]
    return Machine(
        seed=config["seed"],
        page_size=4096,
        time_unit="accesses",
        tick=config["tick"],
        first_time=0,
        last_time=0,
        host=HostConfig(
            host["frames"], host["policy"], {}, host["skip_fill_reads"], host["free_page_reporting"]
        ),
        balloon=BalloonConfig("static", config["balloon"]["rate"], Fraction(1, 2)),
        sharing=SharingConfig(
            mode=sharing.get("mode", "none"),
            rate=sharing.get("rate", 0),
            domain="all",
            zero_only=sharing.get("zero_only", False),
            share_before_swap=sharing.get("share_before_swap", False),
            use_zero_pages=sharing.get("use_zero_pages", False),
        ),
        costs=Costs("nvme", 100, 1500, 2500, 20000, 90000, 20000),
        timeline_every=1,
        vms=tuple(vms),
    )


def make_feed(config: dict[str, Any], rows: list[tuple], **options: Any) -> Feed:
    """The rows as the engine is fed them, through a real table."""
    names = ("time", "vm", "page", "op", "content")
    kinds = (pa.uint64(), pa.uint16(), pa.uint64(), pa.uint8(), pa.uint64())
    columns = [pa.array(c, k) for c, k in zip(zip(*rows, strict=True), kinds, strict=True)]
    metadata = Metadata(vms=tuple(VMInfo(f"vm{v}") for v in range(len(config["vms"]))))
    table = pa.table(columns, names).replace_schema_metadata({METADATA_KEY: metadata.to_json()})
    return Feed(as_machine(config).vms, {"t": open_trace(table)}, **options)


def run_engine(config: dict[str, Any], rows: list[tuple], *, jit: bool = False, **options: Any) -> Run:
    """Run to the end, rows in one batch as they come."""
    run = Run(as_machine(config), make_feed(config, rows, **options), jit=jit)
    run.to_end()
    return run


def one_by_one(rows: Rows) -> list[Rows]:
    """The same rows in batches of one."""
    return [
        rows._replace(
            **{name: getattr(rows, name)[i : i + 1] for name in ("time", "vm", "page", "op", "content")}
        )
        for i in range(len(rows.time))
    ]


def counters(run: Run) -> list[dict[str, int]]:
    """Counters per VM by name."""
    return [dict(zip(COUNTER_NAMES, vm.tolist(), strict=True)) for vm in run.simulator.counters]


def gauges(run: Run) -> list[dict[str, int]]:
    """Gauges per VM by name."""
    return [dict(zip(GAUGE_NAMES, vm.tolist(), strict=True)) for vm in run.simulator.measure()]


def dump(run: Run, rows: list[tuple], config: dict[str, Any]) -> dict[str, Any]:
    """The engine's state as ``reference.Model.state`` tells it."""
    state = run.simulator.state
    raw_page, raw_content = _raw_numbers(rows, config, len(state.ppn_of))
    vms = []
    for vm in range(len(state.n_free)):
        low, high = int(state.base[vm]), int(state.base[vm + 1])
        pages = [p for p in range(len(raw_page)) if raw_page[p][0] == vm]
        mapped, swapped = {}, {}
        for page in pages:
            ppn, number = int(state.ppn_of[page]), raw_page[page][1]
            if ppn >= 0:
                flags = int(state.guest_flags[ppn])
                mapped[number] = (ppn - low, bool(flags & DIRTY), bool(flags & COPY))
            elif ppn == IN_SWAP:
                swapped[number] = raw_content.get(int(state.saved_of[page]))
        stack = (state.stack[low:high] - low).tolist()
        n_free, n_ballooned = int(state.n_free[vm]), int(state.n_ballooned[vm])
        vms.append(
            {
                "mapped": dict(sorted(mapped.items())),
                "swapped": dict(sorted(swapped.items())),
                "free": stack[:n_free][::-1],
                "ballooned": stack[high - low - n_ballooned :],
                "ppns": [_ppn(state, ppn, raw_content) for ppn in range(low, high)],
            }
        )
    return {"vms": vms}


def _ppn(state: State, ppn: int, raw_content: dict[int, int]) -> tuple:
    mpn = int(state.mpn_of[ppn])
    content = raw_content.get(int(state.content_of[ppn]))
    if mpn < 0:
        words = {UNBACKED: "unbacked", SWAPPED: "swapped", ZERO_MAPPED: "zero"}
        return (words[mpn], None, None, None if mpn == UNBACKED else content)
    flags = int(state.frame_flags[mpn])
    lowest = min(p for p in range(len(state.mpn_of)) if state.mpn_of[p] == mpn)
    vm = vm_of(state, lowest)
    where = (vm, lowest - int(state.base[vm]))
    return ("cow" if flags & FRAME_SHARED else "private", bool(flags & FRAME_DIRTY), where, content)


def _raw_numbers(
    rows: list[tuple], config: dict[str, Any], n: int
) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """(vm, page) of every dense page id, content of every dense content id, in order of first sight."""
    pages = list(dict.fromkeys((vm, page) for _, vm, page, _, _ in rows))
    labels = [vm.get("domain", "all") for vm in config["vms"]]
    domains = list(dict.fromkeys(labels))
    contents = [(domain, 0) for domain in domains]
    contents += [(labels[vm], content) for _, vm, _, _, content in rows if content is not None]
    return pages, {i: content for i, (_, content) in enumerate(dict.fromkeys(contents))}
