"""A scenario and its traces become plain numbers; what does not fit together is refused or warned of."""

# ruff: noqa: E501 (messages stand whole)

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fractions import Fraction

import pandas as pd
import pytest

from tracereplay.errors import ScenarioError
from tracereplay.machine import Machine, resolve, spelled_out
from tracereplay.scenario import Scenario
from tracereplay.trace import open_trace
from tracereplay.trace.schema import Metadata, VMInfo

SECOND = 10**9
CLOCKED = Metadata(time_unit="ns")


@dataclass(frozen=True)
class Stand:
    """What `resolve` asks of a trace, without a file: 1000 pages a VM, 100 s, contents."""

    metadata: Metadata = CLOCKED
    n_vms: int = 1
    n_rows: int = 100_000
    pages: tuple[int, ...] = (1000,)
    span: tuple[int, int] = (5 * SECOND, 105 * SECOND)
    has_content: bool = True

    def footprints(self) -> tuple[int, ...]:
        return self.pages

    def time_range(self) -> tuple[int, int]:
        return self.span

    def but(self, **metadata) -> Stand:
        return replace(self, metadata=replace(self.metadata, **metadata))


ONE = Stand()
BARE = Stand(Metadata(), span=(0, 99_999), has_content=False)
FOUR = Stand(
    Metadata(
        time_unit="ns",
        vms=(VMInfo("web", "linux"), VMInfo("db", None), VMInfo("mail", "bsd"), VMInfo("idle")),
    ),
    n_vms=4,
    pages=(1000, 200, 300, 0),
)


def machine(said: dict, **traces) -> Machine:
    return resolve(Scenario.load(said), traces or {"a": ONE})


def refused(said: dict, **traces) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        machine(said, **traces)
    return list(caught.value.problems)


def test_nothing_said_takes_every_vm_of_every_trace():
    """Defaults: 100 % of each footprint, 75 % of the sum for the host, names and families from the trace."""
    m = machine({}, four=FOUR, b=ONE)
    assert [(vm.name, vm.trace, vm.trace_vm, vm.pages, vm.footprint, vm.family) for vm in m.vms] == [
        ("web", "four", 0, 1000, 1000, "linux"),
        ("db", "four", 1, 200, 200, "unknown"),
        ("mail", "four", 2, 300, 300, "bsd"),
        ("idle", "four", 3, 1, 0, "unknown"),
        ("vm0", "b", 0, 1000, 1000, "unknown"),
    ]
    assert m.host.frames == 2501 * 3 // 4
    assert (m.host.policy, m.vms[0].policy, m.vms[0].params) == ("random", "lru", {})
    assert (m.page_size, m.time_unit, m.tick, m.first_time, m.last_time) == (
        4096,
        "ns",
        SECOND,
        5 * SECOND,
        105 * SECOND,
    )
    assert [vm.balloon_cap for vm in m.vms] == [650, 130, 195, 0, 650]
    assert {vm.domain for vm in m.vms} == {0}
    assert all(vm.balloon_schedule == () for vm in m.vms)
    assert m.warnings == ()


def test_the_whole_machine_of_a_full_scenario():
    """Every key arrives as a number where the engine looks for it."""
    said = {
        "seed": 3,
        "tick": "500ms",
        "host": {"memory": "2MiB", "policy": "clock", "skip_fill_reads": True, "free_page_reporting": True},
        "balloon": {"controller": "static", "rate": "1k", "max": 0.5},
        "sharing": {"mode": "ksm", "rate": 7, "domain": "tenant", "zero_only": True, "share_before_swap": True,
                    "use_zero_pages": True},
        "costs": {"preset": "hdd", "access": "1us"},
        "timeline": {"every": "2s"},
        "vm": [
            {"trace": "a", "name": "x", "memory": "400%", "policy": "fifo", "tenant": "t", "family": "f", "start": "1s",
             "balloon": [["60s", 0], ["10s", "4MiB"], ["10s", "25%"]], "shares": 2, "min": "10%"},
            {"trace": "a", "tenant": "u", "memory": 10, "policy": "fifo", "balloon": 5},
            {"trace": "a", "tenant": "t", "memory": "1MB", "policy": "fifo"},
        ],
    }  # fmt: skip
    m = machine(said)
    assert m.to_dict() == {
        "seed": 3, "page_size": 4096, "time_unit": "ns", "tick": SECOND // 2,
        "first_time": 5 * SECOND, "last_time": 106 * SECOND, "timeline_every": 4,
        "host": {"frames": 512, "policy": "clock", "params": {}, "skip_fill_reads": True, "free_page_reporting": True},
        "balloon": {"controller": "static", "rate": 1000, "max": 0.5},
        "sharing": {"mode": "ksm", "rate": 7, "domain": "tenant", "zero_only": True, "share_before_swap": True,
                    "use_zero_pages": True},
        "costs": {"preset": "hdd", "access": 1000, "guest_minor": 1500, "zero_fill": 2500, "cow_break": 20000,
                  "swap_read": 12_670_000, "swap_write": 13_670_000},
        "vms": (
            {"name": "x", "trace": "a", "trace_vm": 0, "pages": 4000, "footprint": 1000, "policy": "fifo", "params": {},
             "balloon_cap": 2000, "balloon_schedule": ((10 * SECOND, 1024), (10 * SECOND, 1000), (60 * SECOND, 0)),
             "domain": 0, "family": "f", "tenant": "t", "shares": 2, "min": 400, "start": SECOND},
            {"name": "a", "trace": "a", "trace_vm": 0, "pages": 10, "footprint": 1000, "policy": "fifo", "params": {},
             "balloon_cap": 5, "balloon_schedule": ((0, 5),), "domain": 1, "family": "unknown", "tenant": "u",
             "shares": 1000, "min": 0, "start": 0},
            {"name": "a-2", "trace": "a", "trace_vm": 0, "pages": 244, "footprint": 1000, "policy": "fifo", "params": {},
             "balloon_cap": 122, "balloon_schedule": (), "domain": 0, "family": "unknown", "tenant": "t",
             "shares": 1000, "min": 0, "start": 0},
        ),
        "warnings": ("vm.*.shares, vm.*.min: without effect in this scenario",),
    }  # fmt: skip
    assert json.loads(json.dumps(m.to_dict()))["vms"][0]["balloon_schedule"][0] == [10 * SECOND, 1024]


def test_each_vm_has_its_own_policy():
    """Policies and their parameters are per VM; the host's is apart."""
    m = machine({"vm": [{"trace": "a", "policy": "fifo"}, {"trace": "a"}], "host": {"policy": "lru"}})
    assert ([vm.policy for vm in m.vms], m.host.policy) == (["fifo", "lru"], "lru")


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ([{"trace": "x/one.parquet"}], ["vm0"]),
        ([{"trace": "x/one.parquet"}, {"trace": "x/two.parquet"}], ["one", "two"]),
        ([{"trace": "x/one.parquet"}, {"trace": "x/one.parquet"}], ["one", "one-2"]),
        ([{"trace": "x/one.parquet", "name": "vm0"}, {"trace": "x/two.parquet"}], ["vm0", "two"]),
        ([{"trace": "four", "trace_vm": 2}], ["mail"]),
        ([{"trace": "four", "trace_vm": "db"}, {"trace": "four", "trace_vm": "2"}], ["db", "mail"]),
        ([{"trace": "four", "name": "n"}], ["n-0", "n-1", "n-2", "n-3"]),
        ([{"trace": "four", "trace_vm": 1}, {"trace": "four", "trace_vm": 1}], ["four-db", "four-db-2"]),
    ],
)
def test_every_vm_gets_a_name_of_its_own(entries, names):
    """Names said stay; names of traces stay while they differ, then the file tells them apart."""
    traces = {"x/one.parquet": ONE, "x/two.parquet": ONE, "four": FOUR}
    assert [vm.name for vm in resolve(Scenario.load({"vm": entries}), traces).vms] == names


def test_a_scenario_spelled_out():
    """An entry per VM of the run, under its name there, and otherwise the same machine."""
    said = Scenario.load({"vm": [{"trace": "four", "memory": "50%"}, {"trace": "b", "policy": "fifo"}]})
    traces = {"four": FOUR.but(vms=FOUR.metadata.vms[:3]), "b": ONE}
    each = spelled_out(said, traces)
    assert each.to_dict()["vm"] == [
        *(
            {"trace": "four", "memory": "50%", "name": name, "trace_vm": index}
            for index, name in enumerate(["web", "db", "mail", "vm3"])
        ),
        {"trace": "b", "policy": "fifo", "name": "vm0", "trace_vm": 0},
    ]
    assert resolve(each, traces) == resolve(said, traces)


@pytest.mark.parametrize(
    ("domain", "expected"), [("all", [0, 0, 0]), ("vm", [0, 1, 2]), ("tenant", [0, 1, 0])]
)
def test_domains_are_small_numbers(domain, expected):
    """Domains count from 0 without gaps, whatever the labels."""
    vms = [{"trace": "a", "tenant": t} for t in "qpq"]
    m = machine({"sharing": {"mode": "esx", "domain": domain}, "vm": vms})
    assert [vm.domain for vm in m.vms] == expected


@pytest.mark.parametrize(
    ("trace", "said", "tick", "every"),
    [
        (ONE, {}, SECOND, 1),
        (ONE, {"tick": "10ms"}, SECOND // 100, 20),
        (ONE, {"tick": "10ms", "timeline": {"every": 3}}, SECOND // 100, 3),
        (ONE, {"tick": "10ms", "timeline": {"every": "1s"}}, SECOND // 100, 100),
        (ONE, {"tick": "10s", "timeline": {"every": "1s"}}, 10 * SECOND, 1),
        (ONE, {"tick": 0}, 0, 1),
        (BARE, {}, 99, 3),
        (BARE, {"tick": "1k"}, 1000, 1),
        (replace(BARE, span=(0, 10)), {}, 1, 1),
        (replace(BARE, span=(0, 0)), {}, 1, 1),
    ],
)
def test_ticks_and_the_timeline_follow_the_length_of_the_run(trace, said, tick, every):
    """1 s with a clock, a thousandth of the run without; about 500 rows unless said otherwise."""
    m = machine(said, a=trace)
    assert (m.tick, m.timeline_every) == (tick, every)


def test_the_balloon_cap_is_exact_in_decimal():
    """⌊0.29·100⌋ is 29, which floats get wrong (28.999…)."""
    m = machine(
        {
            "balloon": {"max": 0.29, "controller": "static"},
            "vm": [{"trace": "a", "memory": 100, "balloon": 29}],
        }
    )
    assert (m.vms[0].balloon_cap, m.vms[0].balloon_schedule) == (29, ((0, 29),))
    assert m.balloon.max == Fraction(29, 100)


STATIC = {"controller": "static"}
REDUCED = ONE.but(reduction={"method": "sad", "exact_above": 500})
FROM = "from which on its faults are exact; give it more memory, or record or reduce the trace with a smaller exact_above"
REFUSED = [
    ({"host": {"memory": "4095B"}}, {"a": ONE}, 'host.memory: found "4095B"; expected at least one frame of 4096 bytes'),
    ({"host": {"memory": 0}}, {"a": ONE}, "host.memory: found 0; expected at least one frame of 4096 bytes"),
    ({"host": {"memory": 2**31}}, {"a": ONE}, "host.memory: found 2.15G frames; expected at most 2147418111 frames"),
    ({"vm": [{"trace": "a", "memory": "1KiB"}]}, {"a": ONE},
     'vm.0.memory: found "1KiB" for VM "vm0"; expected at least one page of 4096 bytes'),
    ({"vm": [{"trace": "a", "memory": "8TiB"}]}, {"a": ONE},
     "vm: found 2.15G pages of memory; expected at most 2147418111 pages over all VMs"),
    ({"vm": [{"trace": "a", "min": 1001}]}, {"a": ONE},
     'vm.0.min: found 1001 pages for VM "vm0"; expected at most its memory of 1000 pages'),
    ({"balloon": STATIC, "vm": [{"trace": "a", "name": "web", "balloon": 1001}]}, {"a": ONE},
     'vm.0.balloon: found a balloon of 1001 pages (3.91 MiB) for VM "web"; expected at most its memory of 1000 pages'),
    ({"balloon": STATIC, "vm": [{"trace": "a", "balloon": [[0, 1], ["1s", "101%"]]}]}, {"a": ONE},
     'vm.0.balloon.1: found a balloon of 1010 pages (3.95 MiB) for VM "vm0"; expected at most its memory of 1000 pages'),
    ({"vm": [{"trace": "a", "trace_vm": 4}]}, {"a": FOUR},
     'vm.0.trace_vm: found 4; expected an index below 4, or one of "web", "db", "mail", "idle"'),
    ({"vm": [{"trace": "a", "trace_vm": 1}]}, {"a": ONE},
     'vm.0.trace_vm: found 1; expected an index below 1, or one of "vm0"'),
    ({"vm": [{"trace": "wbe"}]}, {"web": ONE, "db": ONE},
     'vm.0.trace: found "wbe"; expected one of the given traces: "web", "db"; did you mean "web"?'),
    ({}, {"a": ONE, "b": ONE.but(page_size=16384)},
     'vm: found traces that differ in page size: "a" has 4096, "b" has 16384; expected one page size for all traces of a run'),
    ({}, {"a": ONE, "b": BARE},
     'vm: found traces that differ in time unit: "a" has ns, "b" has accesses; expected one time unit for all traces of a run'),
    ({"sharing": {"mode": "ksm"}}, {"a": BARE},
     'sharing.mode: found "ksm", but no trace has page contents; expected a trace with a content column, '
     'or sharing.mode = "none"'),
    ({"sharing": {"domain": "tenant"}, "vm": [{"trace": "a", "tenant": "t"}, {"trace": "a"}]}, {"a": ONE},
     'vm.1.tenant: found nothing; expected a label, as sharing.domain = "tenant"'),
    ({"tick": "10s"}, {"a": BARE}, 'tick: found "10s"; expected an integer number of accesses, such as 1000 or "100k": '
     "the trace's time is counted in accesses, it has no clock"),
    ({"timeline": {"every": "10s"}}, {"a": BARE}, 'timeline.every: found "10s"; expected an integer number of accesses, '
     "such as 1000 or \"100k\": the trace's time is counted in accesses, it has no clock"),
    ({"vm": [{"trace": "a", "start": "1s"}]}, {"a": BARE}, 'vm.0.start: found "1s"; expected an integer number of accesses, '
     "such as 1000 or \"100k\": the trace's time is counted in accesses, it has no clock"),
    ({"vm": [{"trace": "a", "start": 2**63 - 1}]}, {"a": replace(ONE, span=(0, 1))},
     f"vm.*.start: found accesses at time {2**63}; expected times up to {2**63 - 1}: a smaller start"),
    ({"host": {"memory": 499}, "vm": [{"trace": "a", "memory": 499}]}, {"a": REDUCED},
     f'vm.0.memory: found 499 pages for VM "vm0", whose trace is reduced; expected at least 500 pages, {FROM}'),
    ({"host": {"memory": 999}, "vm": [{"trace": "a", "memory": 999}]}, {"a": ONE.but(reduction={"exact_above": 2000})},
     f'vm.0.memory: found 999 pages for VM "vm0", whose trace is reduced; expected at least 1000 pages, {FROM}'),
    ({"balloon": STATIC, "vm": [{"trace": "a", "balloon": [["1s", 501], ["2s", 0]]}]}, {"a": REDUCED},
     'vm.0.balloon: found a balloon of 501 pages that leaves 499 to VM "vm0", whose trace is reduced; expected at least '
     f"500 pages, {FROM}"),
    ({"host": {"memory": 499}}, {"a": REDUCED},
     f"host.memory: found 499 frames for VMs whose traces are reduced; expected at least 500 pages, {FROM}"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "traces", "message"), REFUSED, ids=[m.partition(":")[0] for *_, m in REFUSED]
)
def test_what_does_not_fit_together_is_refused(said, traces, message):
    """One thing wrong, one message, word for word."""
    assert refused(said, **traces) == [message]


def test_all_misfits_come_at_once():
    """Host, VM, balloon, tick and sharing problems arrive together, each once."""
    said = {
        "tick": "1s",
        "host": {"memory": 0},
        "balloon": STATIC,
        "sharing": {"mode": "esx"},
        "vm": [{"trace": "a", "memory": 10, "balloon": 11}, {"trace": "b"}, {"trace": "a", "memory": 0}],
    }
    wheres = [text.partition(":")[0] for text in refused(said, a=BARE)]
    assert wheres == ["vm.1.trace", "vm.0.balloon", "vm.2.memory", "host.memory", "sharing.mode", "tick"]


def test_a_scenario_needs_a_vm():
    """Neither VMs nor traces: says what to write."""
    with pytest.raises(ScenarioError) as caught:
        resolve(Scenario(), {})
    assert str(caught.value) == (
        'vm: found no VM and no trace; expected at least one [[vm]] with a trace, such as trace = "web.parquet"'
    )


PHYSICAL = ONE.but(page_space="guest-physical")
SHORT = replace(ONE, span=(0, SECOND // 2))
NO_TICK = "tick: no tick falls into the run, so nothing is scanned and no balloon changes: "
WARNED = [
    ({"sharing": {"mode": "ksm"}}, {"a": ONE, "b": replace(ONE, has_content=False)},
     'sharing.mode: no page contents in "b": pages of unknown content are not shared'),
    ({"host": {"policy": "lru"}, "vm": [{"trace": "a", "memory": 999, "policy": "clock"}]}, {"a": REDUCED},
     'vm.0.policy: with a reduced trace, exact from 500 pages on, the faults of VM "vm0" of 999 pages are exact only '
     "under lru and opt; under clock they may be far off"),
    ({"host": {"memory": 500}}, {"a": REDUCED},
     "host.memory: with reduced traces, exact from 500 pages on, what a host of 500 frames does is exact only under lru "
     'and with one VM; with host.policy = "random" it may be far off'),
    ({"host": {"memory": 1999, "policy": "lru"}}, {"a": REDUCED, "b": REDUCED},
     "host.memory: with reduced traces, exact from 500 pages on, what a host of 1999 frames does is exact only under lru "
     "and with one VM; with several VMs it may be far off"),
    ({"vm": [{"trace": "a", "memory": "99%"}]}, {"a": PHYSICAL},
     'vm.0.memory: VM "vm0" has 990 pages, fewer than the 1000 of its trace, which was recorded below the guest\'s own '
     "paging: that paging is simulated a second time"),
    ({"sharing": {"mode": "ksm"}}, {"a": SHORT}, f"{NO_TICK}it comes every 1000000000 ns and the run is 500000000 ns long"),
    ({"sharing": {"mode": "ksm"}, "tick": 0}, {"a": ONE}, f"{NO_TICK}tick = 0 means none"),
    ({"balloon": STATIC, "vm": [{"trace": "a", "balloon": [["1ns", 3]]}]}, {"a": SHORT},
     f"{NO_TICK}it comes every 1000000000 ns and the run is 500000000 ns long"),
    ({"balloon": STATIC, "vm": [{"trace": "a", "balloon": [["10s", 3], ["200s", 0]]}]}, {"a": ONE},
     'vm.*.balloon: sizes for times after the last tick, 100000000000 ns into the run, are never reached: "vm0"'),
    ({"tick": 1}, {"a": ONE}, "tick: an interval of 1 ns makes 100G ticks in this run and takes long; in a trace with a "
     'clock write it with its unit, such as "1s"'),
    ({"sharing": {"mode": "esx", "rate": 0}}, {"a": ONE},
     "sharing.rate: 0 pages are scanned at a tick, so that no page is ever shared"),
    ({"balloon": {**STATIC, "rate": 0}, "vm": [{"trace": "a", "balloon": 3}]}, {"a": ONE},
     "balloon.rate: 0 pages a tick, so that no balloon ever differs from its size at the start"),
    ({"sharing": {"zero_only": True, "use_zero_pages": True}, "allocation": {"idle_tax": 0}}, {"a": ONE},
     "sharing.zero_only, sharing.use_zero_pages, allocation: without effect in this scenario"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "traces", "message"), WARNED, ids=[m.partition(":")[0] for *_, m in WARNED])
def test_what_would_mislead_is_warned_of(said, traces, message):
    """The run goes on, with one warning, word for word."""
    assert machine(said, **traces).warnings == (message,)


@pytest.mark.parametrize(
    ("said", "traces"),
    [
        ({"balloon": STATIC, "vm": [{"trace": "a", "balloon": 3}]}, {"a": SHORT}),
        (
            {"host": {"policy": "lru", "memory": "100%"}, "vm": [{"trace": "a", "memory": 500}]},
            {"a": REDUCED},
        ),
        ({"host": {"policy": "lru", "memory": 500}, "vm": [{"trace": "a", "policy": "opt"}]}, {"a": REDUCED}),
        ({"host": {"memory": "100%"}, "vm": [{"trace": "a", "policy": "fifo"}]}, {"a": REDUCED}),
        ({}, {"a": ONE.but(reduction={"exact_above": 375})}),
        ({"host": {"memory": "100%"}}, {"a": ONE.but(reduction={"exact_above": 2000})}),
        (
            {"balloon": STATIC, "host": {"policy": "lru"}, "vm": [{"trace": "a", "balloon": 500}]},
            {"a": REDUCED},
        ),
        ({"vm": [{"trace": "a", "memory": "200%"}]}, {"a": PHYSICAL}),
        ({"tick": 0}, {"a": ONE}),
        ({"sharing": {"mode": "ideal", "rate": 0}, "balloon": {"rate": 0}}, {"a": ONE}),
        ({"allocation": {"idle_tax": "75%"}, "vm": [{"trace": "a", "shares": 1000, "min": 0}]}, {"a": ONE}),
    ],
)
def test_what_is_fine_is_not_warned_of(said, traces):
    """A balloon from time 0 needs no tick; bounds that are met and defaults that are said are quiet."""
    assert machine(said, **traces).warnings == ()


def test_a_real_table_resolves():
    """With a DataFrame through `open_trace`: two VMs by the `vm` column, footprints counted, accesses as time."""
    table = pd.DataFrame({"page": [1, 2, 3, 1, 1], "vm": [0, 0, 1, 1, 1]})
    m = resolve(Scenario(), {"t": open_trace(table)})
    assert [(vm.name, vm.pages) for vm in m.vms] == [("vm0", 2), ("vm1", 2)]
    assert (m.host.frames, m.time_unit, m.first_time, m.last_time, m.tick) == (3, "accesses", 0, 4, 1)


def test_a_balloon_above_its_cap_is_clipped_with_a_warning():
    """Sizes between the cap and the VM's memory are cut down to the cap, exactly, and said so."""
    said = {
        "balloon": STATIC,
        "vm": [{"trace": "a", "name": "web", "balloon": [[0, 651], ["1s", "66%"], ["2s", 9]]}],
    }
    m = machine(said)
    assert m.vms[0].balloon_schedule == ((0, 650), (SECOND, 650), (2 * SECOND, 9))
    assert m.warnings == (
        'vm.0.balloon.0: a balloon of 651 pages (2.54 MiB) for VM "web" is clipped to its cap of 650 pages '
        "(2.54 MiB), balloon.max = 0.65 of its 1000 pages",
        'vm.0.balloon.1: a balloon of 660 pages (2.58 MiB) for VM "web" is clipped to its cap of 650 pages '
        "(2.54 MiB), balloon.max = 0.65 of its 1000 pages",
    )
