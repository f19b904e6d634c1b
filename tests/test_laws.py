"""The laws of the model (section 10) on the engine, and that its own checker would notice a broken one."""

from __future__ import annotations

import itertools
import random
from typing import Any

import engine
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import (
    FREE,
    GUEST_COUNTERS,
    READ,
    WRITE,
    machine,
    random_machine,
    random_rows,
    smaller_or_ballooned,
)
from states import flat, samples

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.core.invariants import LAWS
from tracereplay.core.state import FRAME_SHARED, NONE, SWAPPED, UNBACKED, ZERO_MAPPED
from tracereplay.errors import InvariantError
from tracereplay.run import Run

MODES = ("none", "ideal", "esx", "esx-sequential", "ksm")


def totals(run: Run) -> dict[str, int]:
    """Counters summed over the VMs."""
    return dict(zip(COUNTER_NAMES, run.simulator.counters.sum(axis=0).tolist(), strict=True))


def started(config: dict[str, Any], rows: list[tuple]) -> tuple[Run, list]:
    """A run that has not begun, and its rows one by one."""
    feed = engine.make_feed(config, rows)
    run = Run(engine.as_machine(config), feed, jit=False)
    (batch,) = list(feed)
    return run, engine.one_by_one(batch)


# ---- Laws 1, 2 and 6 after every access ----------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_laws_1_2_6_after_every_access(mode):
    """Random machines with everything switched at random: the checker is silent, the sums add up."""
    rng = random.Random(f"laws {mode}")
    seen = np.zeros(len(COUNTER_NAMES), np.int64)
    for _ in range(40):
        config = random_machine(rng)
        config["sharing"]["mode"] = mode
        run, rows = started(config, random_rows(rng, 60, len(config["vms"])))
        for row in rows:
            run.advance(row)
            run.simulator.check()
            for count in engine.counters(run):
                check_sums(count)
            for vm, gauge in enumerate(engine.gauges(run)):
                check_gauge_sums(gauge)
                check_gauges_of_states(run, vm, gauge)
        seen += run.simulator.counters.sum(axis=0)
    never = {name for name, n in zip(COUNTER_NAMES, seen, strict=True) if not n}
    assert never == ({"cow_breaks", "pages_merged"} if mode == "none" else set())


def check_sums(count: dict[str, int]) -> None:
    """What the model's text implies of the counters of a VM."""
    assert count["accesses"] == count["reads"] + count["writes"] + count["frees"]
    causes = ("demand_faults", "double_faults", "stale_reads", "false_reads")
    assert sum(count[name] for name in causes) == count["host_major_faults"] == count["host_swap_reads"]
    assert count["guest_major_faults"] == count["guest_swap_reads"]
    assert count["guest_file_fills"] <= count["guest_minor_faults"]
    assert count["silent_swap_writes"] <= count["host_swap_writes"]
    assert count["untraced_writes"] <= count["reads"]
    assert count["double_faults"] <= count["guest_swap_writes"]


def check_gauge_sums(gauge: dict[str, int]) -> None:
    """What the model's text implies of the gauges of a VM."""
    kinds = ("zero", "self", "inter_vm", "cross_family")
    assert gauge["reclaimed"] == gauge["shared"] - gauge["shared_frames"] + gauge["zero_mapped"]
    assert (
        gauge["frames_in_use"] - gauge["shared_frames"] + gauge["shared"] + gauge["zero_mapped"]
        == (gauge["resident"])
    )
    assert all(gauge[f"reclaimed_{kind}"] >= 0 for kind in kinds)
    assert sum(gauge[f"reclaimed_{kind}"] for kind in kinds) == gauge["reclaimed"]


def check_gauges_of_states(run: Run, vm: int, gauge: dict[str, int]) -> None:
    """The gauges of a VM against its PPNs counted one by one."""
    s = run.state
    states = s.mpn_of[s.base[vm] : s.base[vm + 1]].tolist()
    shared = [mpn for mpn in states if mpn >= 0 and s.frame_flags[mpn] & FRAME_SHARED]
    assert {name: gauge[name] for name in ("swapped", "zero_mapped", "resident", "shared")} == {
        "swapped": states.count(SWAPPED),
        "zero_mapped": states.count(ZERO_MAPPED),
        "resident": len(states) - states.count(SWAPPED) - states.count(UNBACKED),
        "shared": len(shared),
    }
    assert (gauge["guest_free"], gauge["ballooned"]) == (s.n_free[vm], s.n_ballooned[vm])


# ---- Law 3 ---------------------------------------------------------------------------------------


def test_law_3_guests_do_not_see_the_host():
    """Without a balloon a guest's own counters are the same on any host, in any company."""
    rng = random.Random(3)
    kinds = set()
    for _ in range(60):
        alone = random_machine(rng, vms=1)
        alone["vms"][0]["balloon"] = []
        other = random_machine(rng, vms=3)
        other["vms"][0] = alone["vms"][0]
        other["seed"] = alone["seed"]
        rows = random_rows(rng, 100, 3)
        own = [row for row in rows if row[1] == 0]
        a, b = engine.run_engine(alone, own), engine.run_engine(other, rows)
        told = [{name: engine.counters(run)[0][name] for name in GUEST_COUNTERS} for run in (a, b)]
        assert told[0] == told[1]
        kinds.add(engine.counters(a)[0]["host_major_faults"] != engine.counters(b)[0]["host_major_faults"])
    assert kinds == {True, False}, "hosts that make a difference to the host's own counters"


# ---- Law 4: double paging in closed form ---------------------------------------------------------


def lru_misses(string: list[int], frames: int) -> int:
    """Misses of one level of LRU memory, first touches included, from stack distances."""
    stack: list[int] = []
    misses = 0
    for page in string:
        misses += page not in stack[-frames:]
        if page in stack:
            stack.remove(page)
        stack.append(page)
    return misses


def strings(n: int, length: int = 60) -> list[list[int]]:
    """Strings of page numbers: skewed, uniform, cyclic."""
    rng = random.Random(4)
    made = [[int(rng.triangular(0, 9, 0)) for _ in range(length)] for _ in range(n)]
    made += [[rng.randrange(8) for _ in range(length)] for _ in range(n)]
    return [*made, [t % 6 for t in range(length)], [*range(7), *range(6, -1, -1)] * 4]


def double_paging(string: list[int], g: int, h: int, op: int = WRITE, **options: Any) -> dict[str, int]:
    """Counters of one VM of ``g`` pages on ``h`` frames, LRU above LRU; every page has its own content."""
    rows = [(t, 0, page, op, page + 1 if op == READ else None) for t, page in enumerate(string)]
    return totals(engine.run_engine(machine([g], frames=h, **options), rows))


SURFACE = [*itertools.product(range(1, 11, 2), repeat=2), (4, 3), (5, 4), (8, 3), (3, 2)]


@pytest.mark.parametrize(("g", "h"), SURFACE)
def test_law_4_every_access_a_write(g, h):
    """Host majors, wasted reads and total I/O follow from the misses M(k) of one level and D pages."""
    for string in strings(4):
        d, m_g, m_h = len(set(string)), lru_misses(string, g), lru_misses(string, h)
        found = double_paging(string, g, h)
        evictions = m_g - min(g, d)
        assert found["guest_minor_faults"] + found["guest_major_faults"] == m_g
        assert found["guest_swap_writes"] == evictions
        wasted = found["double_faults"] + found["stale_reads"] + found["false_reads"]
        if g <= h or h >= d:
            assert (found["host_major_faults"], wasted) == (0, 0)
            continue
        assert (found["host_major_faults"], wasted) == (m_h - min(g, d), evictions)
        moved = ("guest_swap_reads", "guest_swap_writes", "host_swap_reads", "host_swap_writes")
        # the tables count first touches as reads too: d of them
        assert d + sum(found[name] for name in moved) == 2 * m_g + 2 * m_h - 2 * min(g, d) - h


@pytest.mark.parametrize(("g", "h"), SURFACE)
def test_clean_pages_without_fill_reads_cost_what_the_smaller_memory_costs(g, h):
    """Files only read, fills not read back: reads of both levels together are M(min(g, h)), writes silent."""
    for string in strings(2):
        found = double_paging(string, g, h, READ, skip=True)
        reads = found["guest_file_fills"] + found["guest_swap_reads"] + found["host_swap_reads"]
        assert reads == lru_misses(string, min(g, h))
        assert found["guest_swap_writes"] == 0
        assert found["host_swap_writes"] == found["silent_swap_writes"]


@pytest.mark.slow
def test_why_esx_pages_out_at_random():
    """Guest LRU makes host LRU wrong every time and RANDOM now and then; reads cross over between 1.5 and 2.

    200 pages, stack distances Zipf(0.9), 50 frames; expected shares from an independent program.
    """
    rng = np.random.default_rng(1)
    weights = 1 / np.arange(1, 201) ** 0.9
    stack, rows = list(range(200)), []
    for t, depth in enumerate(rng.choice(200, 40_000, p=weights / weights.sum()).tolist()):
        stack.insert(0, stack.pop(depth))
        rows.append((t, 0, stack[0], WRITE, None))
    wasted, reads = {}, {}
    for host, g in itertools.product(("lru", "random"), (51, 60, 75, 100)):
        found = totals(engine.run_engine(machine([g], frames=50, host=host), rows, jit=True))
        wasted[host, g] = found["double_faults"] / found["guest_swap_writes"]
        reads[host, g] = found["guest_swap_reads"] + found["host_swap_reads"]
    assert [wasted["lru", g] for g in (51, 60, 75, 100)] == [1, 1, 1, 1]
    random_share = [wasted["random", g] for g in (51, 60, 75, 100)]
    assert random_share == pytest.approx([0.045, 0.37, 0.68, 0.90], abs=0.015)
    assert [reads["random", g] < reads["lru", g] for g in (51, 60, 75, 100)] == [True, True, True, False]


def test_goldberg_and_hassingers_anomaly():
    """One page more for the guest on the same host almost doubles the reads; a balloon takes that back."""
    string = [t % 6 for t in range(240)]  # a cycle of six through memories of fewer: every access misses
    h = 4

    def reads(g: int, **options: Any) -> int:
        found = double_paging(string, g, h, **options)
        return 6 + found["guest_swap_reads"] + found["host_swap_reads"]  # first touches are reads too

    ballooned = machine([{"pages": 5, "balloon": [[0, 1]]}], frames=h)
    rows = [(t, 0, page, WRITE, None) for t, page in enumerate(string)]
    found = totals(engine.run_engine(ballooned, rows))
    assert [reads(3), reads(4), reads(5)] == [240, 240, 240 + 235]
    assert 6 + found["guest_swap_reads"] + found["host_swap_reads"] == 240


# ---- Law 5 ---------------------------------------------------------------------------------------


def test_law_5_a_balloon_is_a_smaller_vm():
    """A balloon of b pages from time 0 = a VM of G - b pages: every counter and gauge but `ballooned`."""
    rng = random.Random(5)
    for _ in range(80):
        config = random_machine(rng, sharing={})
        rows = random_rows(rng, 80, len(config["vms"]))
        small, ballooned = smaller_or_ballooned(rng, config["vms"])
        a = engine.run_engine(config | {"vms": small}, rows)
        b = engine.run_engine(config | {"vms": ballooned}, rows)
        assert engine.counters(a) == engine.counters(b)
        assert [vm | {"ballooned": 0} for vm in engine.gauges(b)] == engine.gauges(a)
        sizes = [vm["balloon"][0][1] for vm in ballooned]
        assert [vm["ballooned"] for vm in engine.gauges(b)] == sizes


# ---- Law 6 ---------------------------------------------------------------------------------------


def test_law_6_salting_and_scanning_never_share_more():
    """Reclaimed: salted <= tenants <= all under `ideal`, always; right after a tick no mode has more.

    And `ideal` then has every copy of a known content but one.
    """
    rng = random.Random(6)
    reached = 0
    for _ in range(25):
        config = random_machine(rng, vms=3, tick=5)
        config["host"] |= {"frames": 100}
        rows = random_rows(rng, 60, 3)
        variants = {
            "salted": ("ideal", (0, 1, 2)),
            "tenants": ("ideal", (0, 1, 0)),
            "all": ("ideal", (0, 0, 0)),
            **{mode: (mode, (0, 0, 0)) for mode in ("esx", "esx-sequential", "ksm")},
        }
        runs = {}
        for name, (mode, domains) in variants.items():
            vms = [vm | {"domain": d} for vm, d in zip(config["vms"], domains, strict=True)]
            runs[name] = started(config | {"sharing": {"mode": mode, "rate": 40}, "vms": vms}, rows)
        for i, row in enumerate(rows):
            ticks = runs["all"][0]._ticks
            reclaimed = {}
            for name, (run, ones) in runs.items():
                run.advance(ones[i])
                reclaimed[name] = sum(vm["reclaimed"] for vm in engine.gauges(run))
            assert reclaimed["salted"] <= reclaimed["tenants"] <= reclaimed["all"]
            if runs["all"][0]._ticks > ticks and row[3] == FREE and not config["host"]["free_page_reporting"]:
                assert max(reclaimed.values()) == reclaimed["all"] == every_copy_but_one(runs["all"][0])
                reached += reclaimed["all"] > 0
    assert reached > 10


def every_copy_but_one(run: Run) -> int:
    """Sum over the known contents of the backed pages that hold it, less one."""
    s = run.state
    known = s.content_of[(s.mpn_of >= 0) & (s.content_of >= 0)]
    return len(known) - len(np.unique(known))


# ---- Law 7, and slicing --------------------------------------------------------------------------


def test_law_7_the_same_run_twice():
    """Same inputs and seed: the same bytes in every array and sample; another seed moves some of them."""
    rng = random.Random(7)
    moved = 0
    for _ in range(30):
        config = random_machine(rng)
        config["host"]["policy"] = "random"
        rows = random_rows(rng, 80, len(config["vms"]))
        a, b = engine.run_engine(config, rows), engine.run_engine(config, rows)
        assert flat(a.state) == flat(b.state)
        assert samples(a) == samples(b)
        c = engine.run_engine(config | {"seed": config["seed"] ^ 1}, rows)
        moved += samples(a) != samples(c)
    assert moved > 10


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 99), max_size=12))
def test_any_slicing_of_the_rows_gives_the_same_run(seed, cuts):
    """Rows in one batch, or cut anywhere: the same state and timeline, ticks and all."""
    rng = random.Random(seed)
    config = random_machine(rng)
    rows = random_rows(rng, 100, len(config["vms"]))
    whole = engine.run_engine(config, rows)
    feed = engine.make_feed(config, rows)
    run = Run(engine.as_machine(config), feed, jit=False)
    (batch,) = list(feed)
    for start, stop in itertools.pairwise(sorted({0, *cuts, len(rows)})):
        columns = {name: getattr(batch, name)[start:stop] for name in ("time", "vm", "page", "op", "content")}
        run.advance(batch._replace(**columns))
    assert flat(run.state, trimmed=True) == flat(whole.state, trimmed=True)
    # to_end takes one more sample, in place of a tick's at the time of the last row
    before = [sample for sample in samples(run) if sample[0] != rows[-1][0]]
    assert samples(whole)[:-1] == before


@pytest.mark.parametrize("batch_rows", [1, 2, 7, 1000])
def test_any_batches_of_the_feed_give_the_same_run(batch_rows):
    """However the file is decoded, ids are the same and so is everything after them."""
    rng = random.Random(11)
    for _ in range(10):
        config = random_machine(rng)
        rows = random_rows(rng, 60, len(config["vms"]))
        a, b = engine.run_engine(config, rows), engine.run_engine(config, rows, batch_rows=batch_rows)
        assert flat(a.state, trimmed=True) == flat(b.state, trimmed=True)
        assert samples(a) == samples(b)


# ---- The checker notices -------------------------------------------------------------------------


def rich_run() -> Run:
    """A state with everything in it: KSM, two VMs, a balloon, shared, zero-mapped, swapped, free pages."""
    config = machine(
        [{"pages": 7, "balloon": [[0, 2], [30, 3]]}, 8], frames=6, tick=10, mode="ksm", use_zero_pages=True
    )
    config["sharing"]["rate"] = 15
    rows = [
        *[(0, 0, page, WRITE, content) for page, content in enumerate([5, 5, 0, 6])],
        *[(0, 1, page, WRITE, content) for page, content in enumerate([5, 0])],
        (25, 0, 0, READ, 5),
        *[(25, 1, page, WRITE, 10 + page) for page in (2, 3, 4, 5)],
        (26, 0, 4, WRITE, 11),
        (26, 0, 4, FREE, None),
        (35, 1, 4, READ, 14),
    ]
    run = engine.run_engine(config, rows)
    s = run.state
    assert {UNBACKED, SWAPPED, ZERO_MAPPED} < set(s.mpn_of.tolist())
    assert s.mappers.max() == 3
    assert s.n_free_frames[0] > 0
    assert (s.n_ballooned.tolist(), s.n_free.tolist()) == ([3, 0], [0, 2])
    run.simulator.check()
    return run


def a_mapped(s) -> int:
    """A PPN that some page is mapped to."""
    return int(np.flatnonzero(s.page_of != NONE)[0])


def a_private(s) -> int:
    """A mapped PPN backed by a frame of its own."""
    own = (s.mpn_of >= 0) & (s.page_of != NONE)
    return int(next(p for p in np.flatnonzero(own) if not s.frame_flags[s.mpn_of[p]] & FRAME_SHARED))


def a_shared(s) -> int:
    """A PPN mapped to a shared frame."""
    return int(next(p for p in np.flatnonzero(s.mpn_of >= 0) if s.frame_flags[s.mpn_of[p]] & FRAME_SHARED))


def put(name, where, value):
    """A corruption: ``state.<name>[where] = value``; both may be functions of the state."""

    def corrupt(s):
        index = where(s) if callable(where) else where
        getattr(s, name)[index] = value(s, index) if callable(value) else value

    return corrupt


def merge_strangers(s):
    """Lose sight of a private frame's bytes: two PPNs hold other contents than their table entry says."""
    s.content_of[s.mpn_of == s.mpn_of[a_shared(s)]] += 1


def map_other_bytes_to_the_zero_page(s):
    """Every zero-mapped page held bytes of its own, it turns out: more is saved than there are copies."""
    zero_mapped = np.flatnonzero(s.mpn_of == ZERO_MAPPED)
    assert len(zero_mapped) == 2
    s.content_of[zero_mapped] = 100 + zero_mapped


CORRUPTIONS = {
    # 0: free, mapped or ballooned
    "a page frame is free and mapped": (0, put("stack", lambda s: s.base[1], lambda s, i: i + 1)),
    "a page frame is free twice": (0, put("stack", lambda s: s.base[1], lambda s, i: s.stack[i + 1])),
    "another VM's page frame is free here": (0, put("stack", lambda s: s.base[1], 0)),
    "a page frame is lost": (0, put("n_free", 1, lambda s, i: s.n_free[i] - 1)),
    "a balloon forgot a page": (0, put("n_ballooned", 0, 2)),
    "a page was unmapped on one side": (0, put("page_of", a_mapped, NONE)),
    # 1: one state each
    "a ballooned page is backed": (1, put("mpn_of", lambda s: s.stack[s.base[1] - 1], SWAPPED)),
    "a mapped page is unbacked": (1, put("mpn_of", a_private, UNBACKED)),
    "a page is in no known state": (1, put("mpn_of", a_private, -7)),
    # 2: page tables
    "two page tables disagree": (2, put("ppn_of", lambda s: s.page_of[a_mapped(s)], NONE)),
    "a page is mapped twice": (
        2,
        put("ppn_of", lambda s: np.flatnonzero(s.ppn_of < 0)[0], lambda s, i: a_mapped(s)),
    ),
    "a page table points elsewhere": (
        2,
        put("ppn_of", lambda s: s.page_of[a_mapped(s)], lambda s, i: s.ppn_of[i] + 1),
    ),
    # 3: frames
    "a frame is mapped without being counted": (
        3,
        put("mpn_of", a_private, lambda s, i: s.mpn_of[a_shared(s)]),
    ),
    "a reference is missing": (3, put("mappers", lambda s: s.mpn_of[a_shared(s)], 2)),
    "a shared frame passes for private": (3, put("frame_flags", lambda s: s.mpn_of[a_shared(s)], 1)),
    "a private frame passes for shared": (3, put("frame_flags", lambda s: s.mpn_of[a_private(s)], 3)),
    "a frame in use is on the free stack": (
        3,
        put("free_frames", 0, lambda s, i: s.mpn_of[a_private(s)]),
    ),
    "fewer frames are free than there are": (3, put("n_free_frames", 0, lambda s, i: s.n_free_frames[i] - 1)),
    "a frame that does not exist": (3, put("mpn_of", a_private, 99)),
    "the table forgot a frame": (3, put("frame_of", lambda s: s.content_of[a_shared(s)], NONE)),
    "the table names a private frame": (
        3,
        put("frame_of", lambda s: s.content_of[a_shared(s)], lambda s, i: s.mpn_of[a_private(s)]),
    ),
    "unequal pages are merged": (3, put("content_of", a_shared, lambda s, i: s.content_of[i] + 1)),
    "a frame is filed under other bytes": (3, merge_strangers),
    # 4: the bound on sharing
    "more is saved than there are copies": (4, map_other_bytes_to_the_zero_page),
}


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_the_checker_notices(what):
    """A state corrupted in one place breaks the law that says so, by name."""
    law, corrupt = CORRUPTIONS[what]
    run = rich_run()
    corrupt(run.state)
    with pytest.raises(InvariantError) as caught:
        run.simulator.check()
    assert str(caught.value).startswith(f"law broken: {LAWS[law]} (")
    assert caught.value.exit_code == 1


def test_every_law_has_a_corruption():
    """No law of the checker goes untested."""
    assert {law for law, _ in CORRUPTIONS.values()} == set(range(len(LAWS)))


def test_a_run_with_check_stops_at_the_first_broken_law():
    """`check=True` looks after every slice of rows: a state that breaks under way ends the run."""
    config, rows = machine([2], tick=1), [(t, 0, t % 3, WRITE, None) for t in range(6)]
    feed = engine.make_feed(config, rows)
    run = Run(engine.as_machine(config), feed, check=True, jit=False)
    (batch,) = list(feed)
    ones = engine.one_by_one(batch)
    for row in ones[:3]:
        run.advance(row)
    run.state.n_free[0] += 1
    with pytest.raises(InvariantError):
        run.advance(ones[3])


def test_names_of_the_gauges_and_counters():
    """The names of model section 9 are there, each once, and no counter is a gauge."""
    everything = COUNTER_NAMES + GAUGE_NAMES
    assert len(set(everything)) == len(everything)
    assert set(GUEST_COUNTERS) < set(COUNTER_NAMES)
    section_9 = "frames_in_use ballooned shared shared_frames zero_mapped reclaimed"
    assert set(section_9.split()) < set(GAUGE_NAMES)
