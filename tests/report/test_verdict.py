"""The sentences at the top of a report, each for a run made so that it applies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made import COSTS, run

import tracereplay as tr
from tracereplay.report import verdict as home
from tracereplay.report.verdict import cautions, costs, verdict
from tracereplay.result import Result, time_by_cause

NO_BALLOON = {"controller": "none"}


def ended(*vms: dict[str, int], **machine: Any) -> Result:
    """A run of one tick whose VMs, called a, b, …, ended with these counts; costs as in ``made``.

    ``memory_pages`` and ``footprint_pages`` may be among the counts, ``free`` frames among the settings.
    """
    free = machine.pop("free", 0)
    said = {name: {k: [v] for k, v in counts.items()} for name, counts in zip("abc", vms, strict=False)}
    result = run([110], said, **{"balloon": NO_BALLOON, **machine})
    for name in ("memory_pages", "footprint_pages"):
        result.vms[name] = [counts.get(name, 0) for counts in vms]
    result.timeline["free"] = free
    result.vms["estimated_ns"] = time_by_cause(result.vms, COSTS).sum(axis=1)
    return result


def deflated(counts: dict[str, int]) -> Result:
    """A run that ended with these counts and had a balloon before."""
    result = ended(counts)
    earlier = result.timeline.assign(time=100, ballooned=2, guest_major_faults=0)
    return replace(result, timeline=pd.concat([earlier, result.timeline], ignore_index=True))


FITS = "The hypervisor never had to read a page back: it had memory enough for these guests."
WASTE = (
    "were double paging: the hypervisor read a page back only because the guest was writing it out or "
    "overwriting it."
)
BALLOONS = (
    "Balloons of {} in all from the start on (--balloon static, a size per VM; smaller ones may not help) "
    "would leave it nothing to page, and have the guests page more{}: replay with them to see whether "
    "that is cheaper."
)
SHORT = "were for accesses of the guests: the host has less memory than they use. More host memory would help"
VERDICTS = {
    "paged out for good": (
        ended({"accesses": 7, "swapped": 3}),
        [
            "Nothing but the accesses themselves took time.",
            "The hypervisor paged out memory, and never had to read any of it back.",
        ],
    ),
    # 7 + 4 pages on a host of 10
    "enough with what sharing and balloons leave": (
        ended(
            {"accesses": 7, "memory_pages": 7, "reclaimed": 1},
            {"memory_pages": 4, "ballooned": 1},
            balloon={"controller": "static"},
        ),
        [
            "Nothing but the accesses themselves took time.",
            f"{FITS[:-1]}, with what balloons took from them and sharing saved.",
        ],
    ),
    "enough with what sharing leaves": (
        ended({"accesses": 7, "memory_pages": 11, "reclaimed": 1}),
        ["Nothing but the accesses themselves took time.", f"{FITS[:-1]}, with what sharing saved."],
    ),
    "enough, though sharing saves": (
        ended({"accesses": 7, "memory_pages": 10, "reclaimed": 1}),
        ["Nothing but the accesses themselves took time.", FITS],
    ),
    "hardly anything": (
        ended({"accesses": 999, "guest_minor_faults": 1}, {"accesses": 100_000}),
        [
            "After the accesses themselves the largest cost is first touches: 10 ns (under 1%) of the "
            "estimated 101 us of all VMs together.",
            FITS,
        ],
    ),
    "nothing happened": (ended({"accesses": 7}), ["Nothing but the accesses themselves took time.", FITS]),
    # 1 × 10 and 1 × 100 of 1,000 accesses at 1 ns each
    "running costs the most": (
        ended({"accesses": 1000, "guest_minor_faults": 1, "host_minor_faults": 1}),
        [
            "After the accesses themselves the largest cost is first touches: 110 ns (10%) of the estimated "
            "1.11 us of all VMs together.",
            FITS,
        ],
    ),
    # 15 pages on a host of 10, and balloons of up to 6 pages
    "double paging": (
        ended({
            "host_major_faults": 40, "host_swap_reads": 40, "memory_pages": 15,
            "demand_faults": 30, "double_faults": 9, "stale_reads": 1,
        }),
        [
            "The largest cost is the hypervisor's swapping: 400 us (100%) of the estimated 400 us of all VMs "
            "together.",
            f"10 of 40 host major faults (25%) {WASTE} {BALLOONS.format('5 pages (20 KiB)', '')}",
        ],
    ),
    "double paging in spite of balloons, for fills, with silent writes, where guests page more": (
        ended(
            {
                "host_major_faults": 10, "host_swap_reads": 10, "demand_faults": 8, "false_reads": 2,
                "host_swap_writes": 10, "silent_swap_writes": 5, "memory_pages": 11, "guest_swap_writes": 12,
            },
            balloon={"controller": "static"},
        ),
        [
            "The largest cost is the guests' own swapping: 1.2 ms (52%) of the estimated 2.3 ms of all VMs "
            "together.",
            f"2 of 10 host major faults (20%) {WASTE} "
            f"{BALLOONS.format('1 page (4 KiB)', ', which costs more already')}",
            "2 of 10 host major faults (20%) fetched bytes that were then overwritten whole; a hypervisor "
            "that notices would leave these reads out (--set host.skip_fill_reads=true).",
            "5 of 10 host swap writes (50%) stored bytes that the guest's disk already held.",
        ],
    ),
    "double paging beyond what balloons may take": (
        ended({"host_major_faults": 1, "host_swap_reads": 1, "memory_pages": 17, "double_faults": 1}),
        [
            "The largest cost is the hypervisor's swapping: 10 us (100%) of the estimated 10 us of all VMs "
            "together.",
            f"1 of 1 host major fault (100%) {WASTE} The guests have 7 pages (28 KiB) more than the host, "
            "and balloons may not take so much: more memory for the host, or less for the guests, would end "
            "it.",
        ],
    ),
    "too little host memory for one guest": (
        ended({"host_major_faults": 20, "host_swap_reads": 20, "demand_faults": 19, "double_faults": 1}),
        [
            "The largest cost is the hypervisor's swapping: 200 us (100%) of the estimated 200 us of all VMs "
            "together.",
            f"19 of 20 host major faults (95%) {SHORT}, and so may sharing (--sharing esx) of contents that "
            "are known and equal.",
        ],
    ),
    "too little host memory for two guests": (
        ended({"host_major_faults": 300, "host_swap_reads": 300, "demand_faults": 299}, {}),
        [
            "The largest cost is the hypervisor's swapping: 3 ms (100%) of the estimated 3 ms of all VMs "
            "together.",
            f"299 of 300 host major faults (over 99%) {SHORT}, and so may balloons in guests while they are "
            "idle or sharing (--sharing esx) of contents that are known and equal.",
        ],
    ),
    "too little host memory for two guests that have balloons and share": (
        ended(
            {"host_major_faults": 1, "host_swap_reads": 1, "demand_faults": 1, "reclaimed": 1}, {},
            balloon={"controller": "static"}, sharing={"mode": "ksm"},
        ),
        [
            "The largest cost is the hypervisor's swapping: 10 us (100%) of the estimated 10 us of all VMs "
            "together.",
            f"1 of 1 host major fault (100%) {SHORT}.",
            "Sharing saved 1 page (4 KiB, 10.0% of the host's memory) as the run ended, at the price of 0 "
            "copy-on-write breaks.",
        ],
    ),
    "a guest without memory": (
        ended({"guest_major_faults": 1}, {"guest_major_faults": 3, "guest_swap_reads": 3}),
        [
            "The largest cost is the guests' own swapping: 30 us (100%) of the estimated 30 us of all VMs "
            "together.",
            FITS,
            "Guest major faults: 4, 75% of them in b, which has less memory than it uses; the others in 1 "
            "more VM.",
        ],
    ),
    "a guest without memory on a host that has some": (
        ended({"guest_major_faults": 3}, {}, free=2),
        [
            "Nothing but the accesses themselves took time.",
            FITS,
            "Guest major faults: 3, all of them in a, which has less memory than it uses (the host had 8 KiB "
            "free throughout).",
        ],
    ),
    "a balloon that is too large": (
        ended({"guest_major_faults": 1, "ballooned": 2}),
        [
            "Nothing but the accesses themselves took time.",
            FITS,
            "Guest major faults: 1, all of them in a, whose balloon held pages that it needed.",
        ],
    ),
    "a balloon in a guest that is too small": (
        ended({"guest_major_faults": 1, "ballooned": 2, "memory_pages": 3, "footprint_pages": 4}),
        [
            "Nothing but the accesses themselves took time.",
            FITS,
            "Guest major faults: 1, all of them in a, which has less memory than it uses, and less still "
            "with its balloon.",
        ],
    ),
    "a balloon that was too large and is gone": (
        deflated({"guest_major_faults": 1}),
        [
            "Nothing but the accesses themselves took time.",
            FITS,
            "Guest major faults: 1, all of them in a, whose balloon held pages that it needed.",
        ],
    ),
    "sharing": (
        ended({"reclaimed": 4, "cow_breaks": 2}, sharing={"mode": "ksm"}),
        [
            "The largest cost is copy-on-write breaks: 2 us (100%) of the estimated 2 us of all VMs "
            "together.",
            FITS,
            "Sharing saved 4 pages (16 KiB, 40.0% of the host's memory) as the run ended, at the price of 2 "
            "copy-on-write breaks.",
        ],
    ),
    "sharing in vain": (
        ended({}, sharing={"mode": "ksm"}),
        ["Nothing but the accesses themselves took time.", FITS, "Sharing saved nothing as the run ended."],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case):
    """What cost the most first, then what each counter says, with its share and a remedy."""
    result, expected = VERDICTS[case]
    assert verdict(result) == expected


@pytest.mark.parametrize("host", ["random", "lru", "clock"])
def test_balloons_as_large_as_was_said_leave_the_host_nothing_to_page(host):
    """A replay with as many pages as the sentence says in balloons: no host I/O; with one less, there is."""
    random = np.random.default_rng(5)
    rows = {"page": random.zipf(1.2, 3000) % 60, "vm": random.integers(0, 2, 3000), "op": np.full(3000, 1)}
    vms = [{"trace": "t", "trace_vm": i, "memory": 50} for i in (0, 1)]
    said = {"host": {"memory": 70, "policy": host}, "tick": 100, "vm": vms}
    table = {"t": pd.DataFrame(rows).astype({"page": "uint64", "vm": "uint16", "op": "uint8"})}
    found = tr.replay(said, table, jit=False)
    assert "Balloons of 30 pages (120 KiB) in all" in " ".join(verdict(found))
    for sizes, pages in (((10, 20), False), ((10, 19), True)):
        ballooned = [vm | {"balloon": size} for vm, size in zip(vms, sizes, strict=True)]
        t = tr.replay(said | {"vm": ballooned, "balloon": {"controller": "static"}}, table, jit=False).totals
        assert bool(t["host_swap_writes"]) is bool(t["host_major_faults"]) is pages
        assert t["guest_major_faults"] > found.totals["guest_major_faults"]


def test_costs_are_the_estimated_time():
    """Every cause is in one part, and the parts are what the run says that it took."""
    causes = [cause for part in home.PARTS.values() for cause in part]
    result = ended(dict.fromkeys(causes, 3))
    assert sorted(causes) == sorted(time_by_cause(result.vms, COSTS))
    assert costs(result).sum() == result.estimated_ns == 3 * sum((1, 10, 100, 1_000, 2 * 10_000, 2 * 100_000))
    assert costs(result).is_monotonic_decreasing


TICKS = {"tick": 1, "last_time": 105}
FAULTS = ("guest_minor_faults", "guest_major_faults", "host_major_faults")


def cold(percent: int) -> str:
    return (
        f"Cold start: memory is short, and still {percent}% of the faults of guests and host are first "
        "touches, so the numbers say more about starting up than about steady work; replay a longer trace."
    )


CAUTIONS = {
    "nothing to mind": (ended({"footprint_pages": 5, **dict.fromkeys(FAULTS, 5)}, **TICKS), []),
    "the run's own": (replace(ended({}), warnings=("odd",)), ["odd"]),
    "memory for everything": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6}, {"accesses": 1}),
        [],
    ),
    "first touches of a guest that is too small": (
        ended(
            {"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6},
            {"memory_pages": 5, "footprint_pages": 6, "guest_minor_faults": 6},
        ),
        [cold(100)],
    ),
    "first touches of a host that is too small": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6, "host_major_faults": 4}),
        [cold(60)],
    ),
    "first touches of a guest whose balloon is too large": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6, "guest_major_faults": 2}),
        [cold(75)],
    ),
    "paged out by the host, never missed": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6, "host_swap_writes": 1}),
        [cold(100)],
    ),
    "paged out by a guest, never missed": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6, "guest_swap_writes": 1}),
        [cold(100)],
    ),
    "steady paging": (
        ended({"memory_pages": 6, "footprint_pages": 6, "guest_minor_faults": 6, "host_major_faults": 6}),
        [],
    ),
    # of 14 minor faults 8 are of pages that were dropped, as nobody wrote them, and came back
    "pages of zeros that come and go": (
        ended({"memory_pages": 4, "footprint_pages": 6, "guest_minor_faults": 14}),
        [],
    ),
    "short, with balloons": (
        ended({}, balloon={"controller": "static"}, **TICKS),
        ["Short trace: only 5 ticks fall into it, so balloons and sharing scans had little time to act."],
    ),
    "short, with sharing": (
        ended({}, sharing={"mode": "esx"}, **TICKS),
        ["Short trace: only 5 ticks fall into it, so balloons and sharing scans had little time to act."],
    ),
    "long enough": (ended({}, sharing={"mode": "esx"}, tick=1, last_time=120), []),
    "without ticks": (ended({}, balloon={"controller": "static"}, tick=0), []),
}


@pytest.mark.parametrize("case", CAUTIONS)
def test_cautions(case):
    """What limits the conclusions, and nothing where nothing does."""
    result, expected = CAUTIONS[case]
    assert cautions(result) == expected
