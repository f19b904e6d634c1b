"""The reference model against hand-computed and published numbers, and against the model's laws."""

from __future__ import annotations

import itertools
import random

import pytest
from reference import COUNTERS, POLICIES, Model, SplitMix64, check_laws, simulate
from small import (
    FETCH,
    FREE,
    GUEST_COUNTERS,
    READ,
    WRITE,
    machine,
    random_machine,
    random_rows,
    smaller_or_ballooned,
)

SILBERSCHATZ = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]
BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
SAWTOOTH = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0] * 3


# ---- Helpers -------------------------------------------------------------------------------------


def writes(string, vm=0, content=None):
    """One write per time unit."""
    return [(time, vm, page, WRITE, content) for time, page in enumerate(string)]


def guest_faults(outcome):
    return outcome.total("guest_minor_faults") + outcome.total("guest_major_faults")


def one_level(string, frames, policy):
    """Faults of a single level of memory: a guest on a host with frames for everything."""
    return guest_faults(simulate(machine([{"pages": frames, "policy": policy}]), writes(string), check=True))


def run(config, *rows):
    """Run rows ``(vm, page, op, content)`` at times 0, 1, 2, ...; check the laws; return the model."""
    model = Model(config)
    for time, row in enumerate(rows):
        model.step((time, *row))
        check_laws(model)
    return model


def count(model, vm=0):
    """The non-zero counters of a VM, without the plain row counts."""
    rows = ("accesses", "reads", "writes", "frees")
    return {name: n for name, n in model.counters[vm].items() if n and name not in rows}


def backings(model, vm=0):
    return [ppn[0] for ppn in model.state()["vms"][vm]["ppns"]]


# ---- Random numbers ------------------------------------------------------------------------------


def test_splitmix64_published_values():
    """State 0 gives the generator's well-known first outputs."""
    rng = SplitMix64(0)
    assert [rng.next(), rng.next()] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_splitmix64_streams():
    """Stream 1 of seed 7 draws the numbers that the model prints, and below(1) advances the state."""
    rng = SplitMix64(7, 1)
    assert [rng.below(1000) for _ in range(5)] == [445, 288, 736, 374, 580]
    rng = SplitMix64(7, 1)
    assert rng.below(1) == 0
    assert rng.below(1000) == 288


# ---- Textbook tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("string", "policy", "first", "faults"),
    [
        (SILBERSCHATZ, "fifo", 2, [15, 15, 10, 9, 6]),
        (SILBERSCHATZ, "lru", 2, [17, 12, 8, 7, 6]),
        (SILBERSCHATZ, "clock", 2, [17, 11, 8, 7, 6]),
        (BELADY, "fifo", 3, [9, 10]),
        (BELADY, "lru", 3, [10, 8]),
        (SAWTOOTH, "lru", 1, [25, 20, 15, 10, 5]),
        (SAWTOOTH, "fifo", 1, [25, 20, 17, 16, 5]),
        (SAWTOOTH, "clock", 1, [25, 20, 19, 18, 5]),
    ],
)
def test_textbook_tables(string, policy, first, faults):
    """Faults of one level of memory for growing sizes are those printed."""
    assert [one_level(string, first + i, policy) for i in range(len(faults))] == faults


def test_random_policy_by_hand():
    """The random victim is array[below(n)] of stream 16 + v, with the last element moved into the hole."""
    rng, array, faults = SplitMix64(1, 16), [], 0
    for page in SILBERSCHATZ:
        if page not in array:
            faults += 1
            if len(array) == 3:
                hole = rng.below(3)
                last = array.pop()
                if hole < len(array):
                    array[hole] = last
            array.append(page)
    assert one_level(SILBERSCHATZ, 3, "random") == faults


def test_random_host_by_hand():
    """A guest with room on a host short of frames: majors follow array[below(n)] of stream 0."""
    rng, array, majors = SplitMix64(1, 0), [], 0
    for i, page in enumerate(SILBERSCHATZ):
        if page not in array:
            majors += page in SILBERSCHATZ[:i]
            if len(array) == 3:
                hole = rng.below(3)
                last = array.pop()
                if hole < len(array):
                    array[hole] = last
            array.append(page)
    outcome = simulate(machine([6], frames=3, host="random"), writes(SILBERSCHATZ), check=True)
    assert outcome.total("demand_faults") == outcome.total("host_major_faults") == majors


def test_clock_moves_referenced_heads_to_the_tail():
    """1 2 3, hit 1: the search passes 1 (clearing it), takes 2, then 3, then 1."""
    clock = POLICIES["clock"](SplitMix64(0))
    for item in (1, 2, 3):
        clock.insert(item)
    clock.hit(1)
    assert [clock.victim() for _ in range(3)] == [2, 3, 1]


# ---- Balloons ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "faults"),
    [([], 8), ([[10, 1]], 10), ([[10, 2]], 14), ([[10, 2], [15, 0]], 11)],
)
def test_balloon_table(schedule, faults):
    """Silberschatz's string, LRU, 4 frames: a balloon before reference 10, and its deflation at 15."""
    config = machine([{"pages": 4, "balloon": schedule}], tick=1)
    assert guest_faults(simulate(config, writes(SILBERSCHATZ), check=True)) == faults


def test_balloon_schedule_rate_and_ties():
    """At most `rate` pages per tick and VM; times count from the first row; the last of equal times holds."""
    schedule = [[20, 6], [20, 3], [60, 0]]
    config = machine(
        [{"pages": 8, "balloon": schedule}, {"pages": 8, "balloon": [[0, 5]]}], tick=10, balloon_rate=2
    )
    model = Model(config)
    seen = []
    for time in (100, 110, 119, 120, 130, 140, 159, 160, 170):
        model.step((time, 0, 1, WRITE, None))
        check_laws(model)
        seen.append([len(guest.ballooned) for guest in model.guests])
    assert [vm0 for vm0, _ in seen] == [0, 0, 0, 2, 3, 3, 3, 1, 0]
    assert {vm1 for _, vm1 in seen} == {5}


def test_balloon_stacks_are_lifo_and_release_backing():
    """Inflating pops the free stack, then the LRU page; deflating returns the newest pinned PPN first."""
    config = machine([{"pages": 4, "balloon": [[2, 2], [4, 1]]}], tick=1)
    model = run(config, (0, 1, WRITE, 5), (0, 2, WRITE, 6), (0, 3, WRITE, 7))
    state = model.state()["vms"][0]  # time 2: PPN 2 and 3 were pinned, then page 3 took page 1's PPN 0
    assert state["ballooned"] == [3, 2]
    assert state["mapped"] == {2: (1, True, False), 3: (0, True, False)}
    assert state["swapped"] == {1: 5}
    model.step((4, 0, 3, WRITE, 7))
    state = model.state()["vms"][0]
    assert (state["ballooned"], state["free"]) == ([2], [3])
    assert backings(model) == ["private", "private", "unbacked", "unbacked"]
    assert model.outcome().total("host_swap_writes") == 0


# ---- The guest, by hand --------------------------------------------------------------------------


def test_file_pages_zero_pages_and_dropped_pages():
    """A first READ of bytes is a file fill; unwritten zeros are dropped; file pages fault as majors."""
    model = run(machine([1]), (0, 1, READ, 9), (0, 2, READ, 0), (0, 3, READ, None), (0, 1, FETCH, 9))
    assert count(model) == {
        "guest_minor_faults": 3,
        "guest_file_fills": 1,
        "guest_major_faults": 1,
        "guest_swap_reads": 1,
        "host_minor_faults": 1,
    }
    assert model.counters[0]["reads"] == 4
    assert model.state()["vms"][0]["swapped"] == {}


def test_untraced_write():
    """A READ of other bytes than the known ones is a write that nobody saw; on unknown bytes it sets them."""
    model = run(machine([1]), (0, 1, WRITE, None), (0, 1, READ, 4), (0, 1, READ, 4), (0, 1, READ, 5))
    assert count(model)["untraced_writes"] == 1
    model = run(machine([1]), (0, 1, READ, 4), (0, 1, READ, 5), (0, 2, WRITE, 1))
    assert count(model)["untraced_writes"] == 1
    assert count(model)["guest_swap_writes"] == 1
    assert model.state()["vms"][0]["swapped"] == {1: 5}


@pytest.mark.parametrize(("report", "backing"), [(False, "private"), (True, "unbacked")])
def test_free(report, backing):
    """FREE unmaps and forgets; the host keeps the stale bytes unless free pages are reported."""
    rows = [(0, 1, WRITE, 4), (0, 1, FREE, None), (0, 7, FREE, None)]
    model = run(machine([2], report=report), *rows)
    assert model.counters[0]["frees"] == 2
    assert backings(model) == [backing, "unbacked"]
    assert model.state()["vms"][0]["free"] == [0, 1]
    assert model.state()["vms"][0]["ppns"][0][3] == (None if report else 4)
    model = run(machine([1]), (0, 1, WRITE, 4), (0, 2, WRITE, 4), (0, 1, FREE, None), (0, 1, READ, None))
    assert count(model)["guest_minor_faults"] == 3
    assert "guest_major_faults" not in count(model)


# ---- Double paging, by hand ----------------------------------------------------------------------


def test_double_fault_and_silent_write():
    """Two guest pages, one frame: the third write reads PPN 0 back only to write it out."""
    rows = [(0, 1, WRITE, 1), (0, 2, WRITE, 2), (0, 3, WRITE, 3)]
    model = run(machine([2], frames=1), *rows)
    assert count(model) == {
        "guest_minor_faults": 3,
        "guest_swap_writes": 1,
        "host_minor_faults": 2,
        "host_major_faults": 1,
        "host_swap_reads": 1,
        "double_faults": 1,
        "host_swap_writes": 2,  # PPN 0 (page 1) and PPN 1 (page 2), both dirty
    }
    # page 1 comes back from guest swap into PPN 1: PPN 0 (dirty by page 3) is written first
    model = run(machine([2], frames=1), *rows, (0, 1, READ, 1), (0, 3, READ, 3))
    assert count(model)["double_faults"] == 2
    assert count(model)["demand_faults"] == 1
    assert count(model)["host_swap_writes"] == 4
    assert count(model)["silent_swap_writes"] == 1  # page 1, clean, with its copy in guest swap


@pytest.mark.parametrize("skip", [False, True])
def test_stale_and_false_reads_and_the_preventer(skip):
    """A fill into a host-swapped PPN reads bytes that nobody needs, unless fills are recognised."""
    rows = [(0, 1, READ, 8), (0, 2, WRITE, 2), (0, 3, READ, 9)]  # page 3 lands in page 1's host-swapped PPN
    name = "avoided_fill_reads" if skip else "stale_reads"
    model = run(machine([2], frames=1, skip=skip), *rows)
    assert count(model)[name] == 1
    assert model.counters[0]["host_major_faults"] == (0 if skip else 1)
    rows[2] = (0, 3, READ, None)
    model = run(machine([2], frames=1, skip=skip), *rows)
    assert count(model)["avoided_fill_reads" if skip else "false_reads"] == 1


def test_clean_host_frame_costs_nothing():
    """A frame read back from host swap and only read since is dropped without a write."""
    rows = [(0, 1, WRITE, 1), (0, 2, WRITE, 2), (0, 1, READ, 1), (0, 2, READ, 2), (0, 1, READ, 1)]
    model = run(machine([2], frames=1), *rows)
    assert count(model)["demand_faults"] == 3
    assert count(model)["host_swap_writes"] == 2


def test_host_swap_writes_are_charged_to_the_victim():
    """VM 1's access pushes VM 0's page out."""
    model = run(machine([1, 1], frames=1), (0, 1, WRITE, None), (1, 1, WRITE, None))
    assert model.counters[0]["host_swap_writes"] == 1
    assert model.counters[1]["host_swap_writes"] == 0


# ---- The toy of three VMs ------------------------------------------------------------------------

TOY = [
    ["Z", "Z", "A", "B", "C", "u0", "u1", "Z"],
    ["Z", "A", "B", "D", "D", "u2", "Z", "u3"],
    ["Z", "A", "E", "D", "F", "u4", "u5", "u6"],
]


def toy_rows(ticks):
    """Write the 24 pages at time 0, then let ticks pass (each row after that is a free of nothing)."""
    ids = {"Z": 0}
    rows = []
    for vm, pages in enumerate(TOY):
        for page, name in enumerate(pages):
            rows.append((0, vm, page, WRITE, ids.setdefault(name, len(ids))))
    return rows + [(tick + 1, 0, 99, FREE, None) for tick in range(ticks)]


SPLIT = {"zero": 5, "self": 1, "inter": 4, "zero_self": 3, "zero_inter": 2}


def scan(ticks=1, salted=False, **sharing):
    """The toy after some ticks of 24 visits each."""
    config = machine([{"pages": 8, "domain": vm if salted else "all"} for vm in range(3)], tick=1)
    config["sharing"] = {"rate": 24} | sharing
    return simulate(config, toy_rows(ticks), check=True)


def shared(outcome):
    return tuple(outcome.total(name) for name in ("shared", "shared_frames", "reclaimed"))


def test_toy_esx_sequential():
    """One pass leaves 14 hints; 4 merges with a hint and 6 into a shared frame reclaim 10 of 24 pages."""
    outcome = scan(mode="esx-sequential")
    assert outcome.log == {"hints_left": 14, "hint_merges": 4, "table_merges": 6}
    assert shared(outcome) == (14, 4, 10)
    assert outcome.split == SPLIT
    assert outcome.total("pages_merged") == 10
    assert outcome.total("frames_in_use") == 14


def test_toy_ideal():
    """The upper bound merges everything at one tick, whatever the rate."""
    outcome = scan(mode="ideal", rate=0)
    assert shared(outcome) == (14, 4, 10)
    assert outcome.split == SPLIT


def test_toy_salted_and_zero_only():
    """Salting leaves the 4 pages that repeat within a VM; zero-only the 5 zero pages."""
    for mode in ("ideal", "esx-sequential"):
        assert shared(scan(mode=mode, salted=True))[2] == 4
        assert scan(mode=mode, salted=True).split["inter"] == 0
        assert shared(scan(mode=mode, zero_only=True))[2] == 5
    assert shared(scan(ticks=3, mode="ksm", salted=True))[2] == 4
    assert shared(scan(ticks=3, mode="ksm", zero_only=True))[2] == 5


def test_toy_ksm():
    """KSM remembers in its first pass and merges in its second; (shared, sharing, unshared, volatile)."""
    views = []
    for ticks in (1, 2, 3):
        o = scan(ticks=ticks, mode="ksm")
        visits = o.ksm["pages_unshared"], o.ksm["pages_volatile"]
        views.append((o.total("shared_frames"), o.total("reclaimed"), *visits))
    assert views == [(0, 0, 0, 24), (4, 10, 10, 0), (4, 10, 10, 0)]
    assert scan(ticks=2, mode="ksm").split == SPLIT


def test_toy_ksm_zero_pages():
    """With the kernel's zero page all 6 zero pages give up their frames; the other 5 savings stay."""
    o = scan(ticks=2, mode="ksm", use_zero_pages=True)
    assert (o.total("zero_mapped"), o.total("shared"), o.total("shared_frames")) == (6, 8, 3)
    assert o.total("reclaimed") == o.total("pages_merged") == 11
    assert o.split == {"zero": 6, "self": 1, "inter": 4, "zero_self": 6, "zero_inter": 0}
    assert o.total("frames_in_use") == 24 - 11


def test_toy_esx_random_gets_there():
    """Random candidates find the same sharing in the end: 24 pages, 2 400 visits."""
    assert shared(scan(mode="esx", rate=2400)) == (14, 4, 10)


def test_gauges_follow_the_lowest_mapper():
    """A shared frame belongs to the VM of its lowest mapper: VM 0 owns Z, A, B; VM 1 owns D."""
    outcome = scan(mode="ideal")
    assert [vm["shared"] for vm in outcome.gauges] == [5, 6, 3]
    assert [vm["shared_frames"] for vm in outcome.gauges] == [3, 1, 0]
    assert [vm["frames_in_use"] for vm in outcome.gauges] == [6, 3, 5]
    assert [vm["pages_merged"] for vm in outcome.counters] == [2, 5, 3]


# ---- Sharing, by hand ----------------------------------------------------------------------------


def sharing_machine(pages, frames, mode, vms=1, **more):
    config = machine([pages] * vms, frames=frames, tick=10)
    config["sharing"] = {"mode": mode, "rate": pages * vms} | more
    return config


def steps(model, *rows):
    """Run rows ``(time, vm, page, op, content)`` with the laws checked."""
    for row in rows:
        model.step(row)
        check_laws(model)
    return model


PAIR = [(0, 0, 1, WRITE, 5), (0, 0, 2, WRITE, 5)]


def test_esx_cow_break():
    """The writer gets a new frame; the one mapper left turns private."""
    model = steps(Model(sharing_machine(2, 9, "ideal")), *PAIR, (10, 0, 9, FREE, None))
    assert backings(model) == ["cow", "cow"]
    steps(model, (11, 0, 2, WRITE, 6))
    assert backings(model) == ["private", "private"]
    assert count(model)["cow_breaks"] == 1
    assert len(model.host.frames) == 2


def test_ksm_cow_breaks_keep_the_last_mapper_protected():
    """KSM: the mapper left stays shared; its own write is a break that takes no frame."""
    model = steps(Model(sharing_machine(2, 9, "ksm")), *PAIR, (20, 0, 9, FREE, None))
    steps(model, (21, 0, 2, WRITE, 6))
    assert backings(model) == ["cow", "private"]
    assert model.outcome().total("shared_frames") == 1
    assert model.outcome().total("reclaimed") == 0
    frame = model.host.pages[0, 0].frame
    steps(model, (22, 0, 1, WRITE, 7))
    assert backings(model) == ["private", "private"]
    assert count(model)["cow_breaks"] == 2
    assert model.host.pages[0, 0].frame == frame
    assert model.host.sharing.table == {}


def test_ksm_merges_at_first_visit_with_a_shared_frame():
    """A third copy, written after the second pass, merges without being remembered first."""
    model = steps(Model(sharing_machine(3, 9, "ksm")), *PAIR, (20, 0, 3, WRITE, 5), (30, 0, 9, FREE, None))
    assert backings(model) == ["cow"] * 3
    assert model.host.pages[0, 2].remembered is None


def test_ksm_volatile_pages_never_merge():
    """Contents that change between visits are remembered anew each time."""
    model = Model(sharing_machine(2, 9, "ksm"))
    for t in range(0, 60, 10):
        steps(model, (t, 0, 1, WRITE, t + 1), (t, 0, 2, WRITE, t + 1))
        assert model.ksm() == {"pages_unshared": 0, "pages_volatile": 2 if t else 0}
    assert "pages_merged" not in count(model)


def test_ksm_visits_exactly_rate_candidates_across_wraps():
    """Two PPNs, three visits per tick: volatile, volatile, unshared; then the merge."""
    config = sharing_machine(2, 9, "ksm")
    config["sharing"]["rate"] = 3
    model = steps(Model(config), *PAIR, (10, 0, 9, FREE, None))
    assert model.ksm() == {"pages_unshared": 1, "pages_volatile": 1}
    steps(model, (20, 0, 9, FREE, None))
    assert model.ksm() == {"pages_unshared": 0, "pages_volatile": 0}
    assert backings(model) == ["cow", "cow"]


def test_ksm_stale_unstable_entry_is_replaced():
    """An entry whose page has changed is no partner; its verdict stays until its next visit."""
    config = sharing_machine(2, 9, "ksm")
    config["sharing"]["rate"] = 1
    model = steps(Model(config), *PAIR, (30, 0, 1, WRITE, 6), (40, 0, 9, FREE, None))
    assert model.host.sharing.unstable == {("all", 5): (0, 1)}
    assert model.ksm() == {"pages_unshared": 2, "pages_volatile": 0}
    steps(model, (50, 0, 9, FREE, None))
    assert model.host.sharing.unstable == {}
    assert model.ksm() == {"pages_unshared": 1, "pages_volatile": 1}


def test_esx_stale_hint_is_replaced():
    """A hint whose page has changed is replaced by the candidate."""
    config = sharing_machine(2, 9, "esx-sequential")
    config["sharing"]["rate"] = 1
    model = steps(Model(config), *PAIR, (10, 0, 1, WRITE, 6), (20, 0, 9, FREE, None))
    assert model.host.sharing.hints == {("all", 5): (0, 1)}
    assert model.outcome().log == {"hints_left": 1, "hints_replaced": 1}


def test_ksm_zero_page_write():
    """A write to a zero-mapped page takes a new frame and counts a COW break; reads touch nothing."""
    rows = [(0, 0, 1, WRITE, 0), (20, 0, 1, READ, 0)]
    model = steps(Model(sharing_machine(1, 9, "ksm", use_zero_pages=True)), *rows)
    assert backings(model) == ["zero"]
    assert model.host.policy.items() == []
    steps(model, (21, 0, 1, WRITE, 3))
    assert backings(model) == ["private"]
    assert count(model)["cow_breaks"] == 1
    assert count(model)["host_minor_faults"] == 1


def test_share_before_swap_needs_a_table():
    """Without a mode nothing is ever in the table, so the victim is written as ever."""
    model = Model(sharing_machine(4, 1, "none", share_before_swap=True))
    steps(model, *PAIR)
    assert count(model)["host_swap_writes"] == 1


def test_share_before_swap_into_the_table():
    """LRU victim page 3 holds the shared bytes: it is merged, charged to its VM, and no I/O happens."""
    model = Model(sharing_machine(4, 2, "ksm", share_before_swap=True))
    steps(model, *PAIR, (20, 0, 3, WRITE, 5), (20, 0, 1, READ, 5), (21, 0, 4, WRITE, 6))
    assert count(model)["pages_merged"] == 2
    assert count(model).get("host_swap_writes", 0) == 0
    assert backings(model) == ["cow", "cow", "cow", "private"]


def test_share_before_swap_with_a_hint():
    """ESX: the victim's bytes are those of a hinted page; both merge, the hint is used up."""
    config = sharing_machine(3, 2, "esx-sequential", vms=2, share_before_swap=True)
    config["sharing"]["rate"] = 1
    model = steps(Model(config), (0, 0, 1, WRITE, 5), (10, 1, 1, WRITE, 5), (11, 0, 1, READ, 5))
    assert model.host.sharing.hints == {("all", 5): (0, 0)}
    steps(model, (12, 0, 2, WRITE, 6))
    assert model.counters[1]["pages_merged"] == 1
    assert model.host.sharing.hints == {}
    assert (backings(model), backings(model, 1)) == (
        ["cow", "private", "unbacked"],
        ["cow", "unbacked", "unbacked"],
    )


def test_share_before_swap_leaves_the_victims_own_hint():
    """The hinted page itself is the victim: it is paged out, and the stale hint stays."""
    config = sharing_machine(3, 1, "esx-sequential", share_before_swap=True)
    model = steps(Model(config), (0, 0, 1, WRITE, 5), (10, 0, 2, WRITE, 6))
    assert model.host.sharing.hints == {("all", 5): (0, 0)}
    assert count(model)["host_swap_writes"] == 1


def test_paging_out_a_shared_frame():
    """One swap write for all mappers, charged to the lowest; each then reads its own copy back."""
    model = Model(sharing_machine(3, 2, "ideal", vms=2))
    steps(model, (0, 0, 1, WRITE, 5), (0, 1, 1, WRITE, 5), (10, 1, 2, WRITE, 6), (11, 1, 3, WRITE, 7))
    assert [vm["host_swap_writes"] for vm in model.counters] == [1, 0]
    assert backings(model) == ["swapped", "unbacked", "unbacked"]
    assert backings(model, 1) == ["swapped", "private", "private"]
    assert model.host.sharing.table == {}
    steps(model, (12, 0, 1, READ, 5), (13, 1, 1, READ, 5))
    assert [vm["demand_faults"] for vm in model.counters] == [1, 1]
    assert [vm["host_swap_writes"] for vm in model.counters] == [1, 2]


def test_cow_break_may_reclaim_the_old_frame():
    """One frame for two sharers: the writer's new frame is the old one, whose bytes go to swap first."""
    config = sharing_machine(2, 2, "ideal")
    model = steps(Model(config), *PAIR, (10, 0, 9, FREE, None))
    model.host.size = 1
    steps(model, (11, 0, 2, WRITE, 6))
    assert backings(model) == ["swapped", "private"]
    assert count(model)["host_swap_writes"] == 1


def test_stale_bytes_on_the_free_stack_are_shared():
    """The hypervisor does not see frees: freed PPNs are candidates like any other."""
    model = steps(Model(sharing_machine(2, 9, "ideal")), *PAIR, (1, 0, 1, FREE, None), (10, 0, 9, FREE, None))
    assert backings(model) == ["cow", "cow"]


def test_shared_frames_survivor_is_the_older():
    """Two private pages merge into the hinted page's frame, which keeps its place in the host policy."""
    model = steps(Model(sharing_machine(3, 9, "ideal")), *PAIR, (1, 0, 3, WRITE, 6))
    frame = model.host.pages[0, 0].frame
    steps(model, (10, 0, 9, FREE, None))
    assert model.host.pages[0, 1].frame == frame
    assert model.host.policy.items()[0] == frame


# ---- Laws ----------------------------------------------------------------------------------------


def lru_misses(string, frames):
    """Misses of one level of LRU memory, cold ones included."""
    stack, misses = [], 0
    for page in string:
        if page in stack:
            misses += stack.index(page) >= frames
            stack.remove(page)
        else:
            misses += 1
        stack.insert(0, page)
    return misses


def test_law_4_closed_form_of_double_paging():
    """Guest LRU on host LRU, all writes: majors, double faults and total I/O follow from stack distances."""
    rng = random.Random(4)
    for _ in range(25):
        string = [int(rng.triangular(0, 9, 0)) for _ in range(60)]
        d = len(set(string))
        for g, h in itertools.product(range(1, 11, 2), range(1, 11)):
            o = simulate(machine([g], frames=h), writes(string))
            m_g, m_h = lru_misses(string, g), lru_misses(string, h)
            evictions = m_g - min(g, d)
            assert guest_faults(o) == m_g
            assert o.total("guest_swap_writes") == evictions
            if g <= h or h >= d:
                assert o.total("host_major_faults") == 0
                continue
            assert o.total("host_major_faults") == m_h - min(g, d)
            assert o.total("double_faults") + o.total("stale_reads") + o.total("false_reads") == evictions
            names = ("guest_swap_reads", "guest_swap_writes", "host_swap_reads", "host_swap_writes")
            total_io = d + sum(o.total(name) for name in names)  # the cold reads count as guest I/O here
            assert total_io == 2 * m_g + 2 * m_h - 2 * min(g, d) - h


def test_laws_1_2_6_7_on_random_traces():
    """The laws hold after every row; the same run twice is the same; every counter moves at some time."""
    rng = random.Random(1267)
    seen = dict.fromkeys(COUNTERS, 0)
    for case in range(800):
        config = random_machine(rng)
        rows = random_rows(rng, 80, len(config["vms"]))
        outcome = simulate(config, rows, check=True)
        if case % 10 == 0:
            assert simulate(config, rows) == outcome, "law 7"
        for name in COUNTERS:
            seen[name] += outcome.total(name)
    assert all(seen.values()), seen


def test_law_3_guests_do_not_see_the_host():
    """An un-ballooned guest's own counters are the same on any host."""
    rng = random.Random(3)
    for _ in range(60):
        rows = random_rows(rng, 80, 2)
        one, other = random_machine(rng, vms=2), random_machine(rng, vms=2)
        for vm in one["vms"]:
            vm["balloon"] = []
        other |= {"vms": one["vms"], "seed": one["seed"]}
        a, b = simulate(one, rows), simulate(other, rows)
        for vm in range(2):
            assert [a.counters[vm][name] for name in GUEST_COUNTERS] == [
                b.counters[vm][name] for name in GUEST_COUNTERS
            ]


def test_law_5_a_balloon_is_a_smaller_vm():
    """A balloon of b pages from time 0 equals a VM of G - b pages, but for the gauge `ballooned`."""
    rng = random.Random(5)
    for _ in range(80):
        config = random_machine(rng, sharing={})
        rows = random_rows(rng, 80, len(config["vms"]))
        small, ballooned = smaller_or_ballooned(rng, config["vms"])
        a = simulate(config | {"vms": small}, rows, check=True)
        b = simulate(config | {"vms": ballooned}, rows, check=True)
        assert a.counters == b.counters
        assert [g | {"ballooned": 0} for g in a.gauges] == [g | {"ballooned": 0} for g in b.gauges]


def test_law_6_ideal_is_the_bound_and_salting_shares_less():
    """Right after its tick `ideal` reclaims every copy but one; salted never more; other modes never more."""
    rng = random.Random(6)
    for _ in range(40):
        config = random_machine(rng, vms=3, tick=5)
        config["host"] |= {"frames": 100}
        modes = ["ideal", "esx", "esx-sequential", "ksm"]
        models = {}
        for mode in [*modes, "salted"]:
            options = {"mode": "ideal" if mode == "salted" else mode, "rate": 40}
            vms = [vm | {"domain": i if mode == "salted" else "all"} for i, vm in enumerate(config["vms"])]
            models[mode] = Model(config | {"sharing": options, "vms": vms})
        for row in random_rows(rng, 60, 3):
            ticks = models["ideal"].ticks
            reclaimed = {}
            for mode, model in models.items():
                model.step(row)
                reclaimed[mode] = model.outcome().total("reclaimed")
            assert reclaimed["salted"] <= reclaimed["ideal"]
            if models["ideal"].ticks > ticks and row[3] == FREE and not config["host"]["free_page_reporting"]:
                pages = models["ideal"].host.pages.values()
                backed = [p.content for p in pages if p.backing in ("private", "cow")]
                known = [content for content in backed if content is not None]
                assert reclaimed["ideal"] == len(known) - len(set(known))
                assert max(reclaimed.values()) == reclaimed["ideal"]


def test_ticks_run_before_their_row_and_not_after_the_last():
    """Ticks fall at first + k * interval, all those due before the row that reaches them."""
    rows = [(7, 0, 1, WRITE, None), (16, 0, 1, WRITE, None), (17, 0, 1, WRITE, None), (49, 0, 1, WRITE, None)]
    model = Model(machine([1], tick=10))
    ticks = []
    for row in rows:
        model.step(row)
        ticks.append(model.ticks)
    assert ticks == [0, 0, 1, 4]


def test_esx_candidates_are_drawn_from_stream_1():
    """One draw below(sum of G) per candidate over the concatenated PPNs."""
    config = machine([3, 5], tick=1, seed=7)
    config["sharing"] = {"mode": "esx", "rate": 4}
    rows = [(0, vm, page, WRITE, 10 * vm + page + 1) for vm, size in [(0, 3), (1, 5)] for page in range(size)]
    model = steps(Model(config), *rows, (1, 0, 99, FREE, None))
    rng = SplitMix64(7, 1)
    drawn = {[(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4)][rng.below(8)] for _ in range(4)}
    assert set(model.host.sharing.hints.values()) == drawn
