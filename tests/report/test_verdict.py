"""The sentences at the top of a report, each for a run made so that it applies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made import COSTS, run

from tracereplay.report import verdict as home
from tracereplay.report.verdict import cautions, costs, verdict
from tracereplay.result import Result, time_by_cause

NO_BALLOON = {"controller": "none"}


def ended(*vms: dict[str, int], **machine: Any) -> Result:
    """A run of one tick whose VMs, called a, b, …, ended with these counts; costs as in ``made``.

    ``memory_pages`` and ``footprint_pages`` may be among the counts.
    """
    said = {name: {k: [v] for k, v in counts.items()} for name, counts in zip("abc", vms, strict=False)}
    result = run([110], said, **{"balloon": NO_BALLOON, **machine})
    for name in ("memory_pages", "footprint_pages"):
        result.vms[name] = [counts.get(name, 0) for counts in vms]
    result.vms["estimated_ns"] = time_by_cause(result.vms, COSTS).sum(axis=1)
    return result


FITS = "The hypervisor never had to read a page back: it had memory enough for these guests."
WASTE = (
    "were double paging: the hypervisor read a page back only because the guest was writing it out or "
    "overwriting it."
)
VERDICTS = {
    "paged out for good": (
        ended({"accesses": 7, "swapped": 3}),
        [
            "Nothing but the accesses themselves took time.",
            "The hypervisor paged out memory, and never had to read any of it back.",
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
    "double paging": (
        ended({
            "host_major_faults": 40, "host_swap_reads": 40,
            "demand_faults": 30, "double_faults": 9, "stale_reads": 1,
        }),
        [
            "The largest cost is the hypervisor's swapping: 400 us (100%) of the estimated 400 us of all VMs "
            "together.",
            f"10 of 40 host major faults (25%) {WASTE} A balloon lets the guest choose the victim (--balloon "
            "static with a size per VM).",
        ],
    ),
    "double paging in spite of balloons, for fills, with silent writes": (
        ended(
            {
                "host_major_faults": 10, "host_swap_reads": 10, "demand_faults": 8, "false_reads": 2,
                "host_swap_writes": 10, "silent_swap_writes": 5,
            },
            balloon={"controller": "static"},
        ),
        [
            "The largest cost is the hypervisor's swapping: 1.1 ms (100%) of the estimated 1.1 ms of all VMs "
            "together.",
            f"2 of 10 host major faults (20%) {WASTE} Larger balloons would let the guests choose more of "
            "the victims.",
            "2 host major faults fetched bytes that were then overwritten whole; a hypervisor that notices "
            "would leave these reads out (--set host.skip_fill_reads=true).",
            "5 of 10 host swap writes (50%) stored bytes that the guest's disk already held.",
        ],
    ),
    "too little host memory": (
        ended({"host_major_faults": 20, "host_swap_reads": 20, "demand_faults": 19, "double_faults": 1}),
        [
            "The largest cost is the hypervisor's swapping: 200 us (100%) of the estimated 200 us of all VMs "
            "together.",
            "19 of 20 host major faults (95%) were for accesses of the guests: the host has less memory than "
            "they use. More host memory, balloons in idle guests, or sharing would help.",
        ],
    ),
    "a guest without memory": (
        ended({"guest_major_faults": 1}, {"guest_major_faults": 3, "guest_swap_reads": 3}),
        [
            "The largest cost is the guests' own swapping: 30 us (100%) of the estimated 30 us of all VMs "
            "together.",
            FITS,
            "Of 4 guest major faults, 75% are in b, which has less memory than it uses.",
        ],
    ),
    "a balloon that is too large": (
        ended({"guest_major_faults": 1, "ballooned": 2}),
        [
            "Nothing but the accesses themselves took time.",
            FITS,
            "Of 1 guest major faults, 100% are in a, whose balloon holds pages that it needs.",
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
