"""Ballooning alone: which pages it takes, in what order they come back, when, how fast.

Tables: see `story`.
"""

from __future__ import annotations

import engine
import pytest
from small import WRITE, machine
from story import unfold

from tracereplay.control import static

SILBERSCHATZ = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]


def ballooned(pages, schedule, **options):
    """One VM with a schedule of ``[time, size]``, ticks every 10."""
    return machine([{"pages": pages, "balloon": schedule}], **{"tick": 10, "frames": 9} | options)


def test_inflate_and_deflate():
    """Free PPNs go first, then the guest's victims; two a tick; the last one in is the first one out."""
    unfold(
        ballooned(4, [[10, 3], [30, 0]], balloon_rate=2),
        """
        w1=1     | 1d/P1! _/- _/- _/-          | guest_minor_faults host_minor_faults
        w2=2 @1  | 1d/P1! 2d/P2! _/- _/-       | guest_minor_faults host_minor_faults
        r1=1 @9  | 1d/P1! 2d/P2! _/- _/-       |
        r1=1 @10 | 1d/P1! 2d/P2! #/- #/-       |
        r1=1 @20 | 1d/P1! #/- #/- #/- ; 2=2    | guest_swap_writes
        r2=2 @21 | 2c/P2! #/- #/- #/- ; 1=1    | guest_major_faults guest_swap_reads guest_swap_writes
        r2=2 @30 | 2c/P2! _/- #/- _/- ; 1=1    |
        w3=3 @31 | 2c/P2! _/- #/- 3d/P3! ; 1=1 | guest_minor_faults host_minor_faults
        w4=4 @32 | 2c/P2! 4d/P4! #/- 3d/P3! ; 1=1 | guest_minor_faults host_minor_faults
        r2=2 @40 | 2c/P2! 4d/P4! _/- 3d/P3! ; 1=1 |
        """,
    )


def test_a_clean_victim_goes_without_io():
    """The balloon takes a file page and a zero page: one can be read again, the other was dropped."""
    unfold(
        ballooned(2, [[10, 1], [20, 2], [30, 0]]),
        """
        r1=1     | 1c/P1! _/-        | guest_minor_faults guest_file_fills host_minor_faults
        r2       | 1c/P1! 2/P0!      | guest_minor_faults host_minor_faults
        f9 @10   | #/- 2/P0! ; 1=1   |
        f9 @20   | #/- #/- ; 1=1     |
        f9 @30   | _/- _/- ; 1=1     |
        """,
    )


def test_inflating_over_a_page_that_the_host_paged_out():
    """The guest must write it to its own swap first: a double fault, for the balloon alone.

    Frames before the tick: [2]; during it: [1] (2 paged out); after it: none; then [2] again.
    """
    unfold(
        ballooned(2, [[10, 1]], frames=1),
        """
        w1=1     | 1d/P1! _/-      | guest_minor_faults host_minor_faults
        w2=2     | 1d/x1 2d/P2!    | guest_minor_faults host_minor_faults host_swap_writes
        r2=2 @10 | #/- 2d/P2 ; 1=1 | guest_swap_writes host_major_faults*2 host_swap_reads*2 host_swap_writes
                                     demand_faults double_faults
        """,
    )


def test_a_free_page_in_host_swap_is_forgotten():
    """Ballooning a freed PPN drops its swapped copy without I/O; deflated, it faults minor."""
    unfold(
        ballooned(2, [[10, 1], [20, 0]], frames=1),
        """
        w1=1     | 1d/P1! _/-    | guest_minor_faults host_minor_faults
        w2=2     | 1d/x1 2d/P2!  | guest_minor_faults host_minor_faults host_swap_writes
        f1       | _/x1 2d/P2!   |
        r2=2 @10 | #/- 2d/P2!    |
        r2=2 @20 | _/- 2d/P2!    |
        w3=3     | 3d/P3! 2d/x2  | guest_minor_faults host_minor_faults host_swap_writes
        """,
    )


def test_a_balloon_from_time_0_needs_neither_rate_nor_ticks():
    """It is there before the first row, PPN 0 first; the guest starts with what is left."""
    unfold(
        ballooned(3, [[0, 2]], balloon_rate=1, tick=0),
        """
        w1=1      | #/- #/- 1d/P1!       | guest_minor_faults host_minor_faults
        w2=2 @999 | #/- #/- 2d/P2! ; 1=1 | guest_minor_faults guest_swap_writes
        """,
    )


def test_the_balloon_stops_when_the_guest_has_nothing_left():
    """A target above the VM's memory takes every page, mapped or not, and no more."""
    unfold(
        ballooned(2, [[10, 5]]),
        """
        w1=1     | 1d/P1! _/-      | guest_minor_faults host_minor_faults
        f9 @10   | #/- #/- ; 1=1   | guest_swap_writes
        f9 @20   | #/- #/- ; 1=1   |
        """,
    )


def test_ticks_count_from_the_first_row():
    """A tick is due at first time + 10, before the row that reaches it; several due run one after another."""
    unfold(
        ballooned(4, [[10, 4], [40, 1]], balloon_rate=1),
        """
        w1=1 @7  | 1d/P1! _/- _/- _/- | guest_minor_faults host_minor_faults
        r1 @16   | 1d/P1! _/- _/- _/- |
        r1 @17   | 1d/P1! #/- _/- _/- |
        r1 @44   | 1d/P1! #/- #/- #/- |
        r1 @47   | 1d/P1! #/- #/- _/- |
        """,
    )


def test_vms_have_balloons_of_their_own():
    """Each VM follows its own schedule, at its own rate of pages a tick, and pays for its own evictions."""
    unfold(
        machine([{"pages": 2, "balloon": [[10, 1]]}, {"pages": 2, "balloon": [[10, 1], [20, 0]]}], tick=10),
        """
        w1=1      | 1d/P1! _/- || _/- _/-        | guest_minor_faults host_minor_faults
        1:w1=1    | 1d/P1! _/- || 1d/P1! _/-     | 1:guest_minor_faults 1:host_minor_faults
        1:w2=2    | 1d/P1! _/- || 1d/P1! 2d/P2!  | 1:guest_minor_faults 1:host_minor_faults
        f9 @10    | 1d/P1! #/- || #/- 2d/P2! ; 1=1 | 1:guest_swap_writes
        f9 @20    | 1d/P1! #/- || _/- 2d/P2! ; 1=1 |
        """,
    )


@pytest.mark.parametrize(
    ("schedule", "faults"),
    [([], 8), ([[10, 1]], 10), ([[10, 2]], 14), ([[10, 2], [15, 0]], 11)],
)
def test_silberschatz_with_a_balloon(schedule, faults):
    """LRU in four frames, a balloon before reference 10: the faults that an independent program gives."""
    config = ballooned(4, schedule, tick=1)
    run = engine.run_engine(config, [(t, 0, page, WRITE, None) for t, page in enumerate(SILBERSCHATZ)])
    (counted,) = engine.counters(run)
    assert counted["guest_minor_faults"] + counted["guest_major_faults"] == faults


def test_static_targets():
    """The latest entry not after the tick is in force, the last listed among equals, 0 before any."""
    schedules = [[], [[0, 7]], [[10, 1], [20, 3], [20, 2], [40, 0]]]
    config = machine([{"pages": 9, "balloon": schedule} for schedule in schedules])
    targets = static.controller(engine.as_machine(config))
    assert {t: list(targets(t)) for t in (0, 9, 10, 19, 20, 39, 40, 10**18)} == {
        0: [0, 7, 0],
        9: [0, 7, 0],
        10: [0, 7, 1],
        19: [0, 7, 1],
        20: [0, 7, 2],
        39: [0, 7, 2],
        40: [0, 7, 0],
        10**18: [0, 7, 0],
    }
