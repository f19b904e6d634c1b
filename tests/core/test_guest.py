"""The guest's level alone: kinds of faults, validity of copies, the free stack.  Tables: see `story`."""

from __future__ import annotations

import engine
from small import machine
from story import unfold


def test_kinds_of_guest_faults():
    """First touches fill with zeros or from a file; dirty pages and copies come back, zeros are dropped."""
    run = unfold(
        machine([2], frames=9),
        """
        w1=5 | 1d/P5! _/-                      | guest_minor_faults host_minor_faults
        i2=6 | 1d/P5! 2c/P6!                   | guest_minor_faults guest_file_fills host_minor_faults
        r2=6 | 1d/P5! 2c/P6!                   |
        r3=7 | 3c/P7! 2c/P6! ; 1=5             | guest_minor_faults guest_swap_writes guest_file_fills
        r1=5 | 3c/P7! 1c/P5! ; 2=6             | guest_major_faults guest_swap_reads
        w4   | 4d/P?! 1c/P5! ; 2=6 3=7         | guest_minor_faults
        f4   | _/P?! 1c/P5! ; 2=6 3=7          |
        r4   | 4/P0! 1c/P5! ; 2=6 3=7          | guest_minor_faults
        r5=0 | 4/P0! 5/P0! ; 1=5 2=6 3=7       | guest_minor_faults
        r6   | 6/P0! 5/P0! ; 1=5 2=6 3=7       | guest_minor_faults
        r4=0 | 6/P0! 4/P0! ; 1=5 2=6 3=7       | guest_minor_faults
        w2=8 | 2d/P8! 4/P0! ; 1=5 3=7          | guest_major_faults guest_swap_reads
        """,
    )
    (counted,) = engine.counters(run)
    assert {name: counted[name] for name in ("accesses", "reads", "writes", "frees")} == {
        "accesses": 12,
        "reads": 8,
        "writes": 3,
        "frees": 1,
    }


def test_a_copy_is_valid_until_the_page_is_written():
    """A page that comes from swap and goes unwritten costs no second write; FREE forgets page or copy."""
    unfold(
        machine([1], frames=9),
        """
        w1=5 | 1d/P5!       | guest_minor_faults host_minor_faults
        w2=6 | 2d/P6! ; 1=5 | guest_minor_faults guest_swap_writes
        r1=5 | 1c/P5! ; 2=6 | guest_major_faults guest_swap_reads guest_swap_writes
        r2=6 | 2c/P6! ; 1=5 | guest_major_faults guest_swap_reads
        w1=7 | 1d/P7! ; 2=6 | guest_major_faults guest_swap_reads
        r2   | 2c/P6! ; 1=7 | guest_major_faults guest_swap_reads guest_swap_writes
        w2   | 2d/P?! ; 1=7 |
        f1   | 2d/P?!       |
        f1   | 2d/P?!       |
        f2   | _/P?!        |
        f3   | _/P?!        |
        r1   | 1/P0!        | guest_minor_faults
        """,
    )


def test_untraced_writes():
    """A read that shows other bytes was written in between; one that shows the first bytes known was not."""
    run = unfold(
        machine([4], frames=9),
        """
        w1   | 1d/P?! _/- _/- _/-           | guest_minor_faults host_minor_faults
        r1=5 | 1d/P5! _/- _/- _/-           |
        r1=6 | 1d/P6! _/- _/- _/-           | untraced_writes
        r1   | 1d/P6! _/- _/- _/-           |
        r2=7 | 1d/P6! 2c/P7! _/- _/-        | guest_minor_faults guest_file_fills host_minor_faults
        i2=8 | 1d/P6! 2d/P8! _/- _/-        | untraced_writes
        r3   | 1d/P6! 2d/P8! 3/P0! _/-      | guest_minor_faults host_minor_faults
        r3=4 | 1d/P6! 2d/P8! 3d/P4! _/-     | untraced_writes
        r3=0 | 1d/P6! 2d/P8! 3d/P0! _/-     | untraced_writes
        w4=0 | 1d/P6! 2d/P8! 3d/P0! 4d/P0!  | guest_minor_faults host_minor_faults
        r4=0 | 1d/P6! 2d/P8! 3d/P0! 4d/P0!  |
        """,
    )
    (counted,) = engine.counters(run)
    assert (counted["reads"], counted["writes"]) == (9, 2)


def test_a_page_swapped_out_with_unknown_content_comes_back_unknown():
    """Swap keeps what was known: nothing; the first read that tells is no untraced write, the next may be."""
    unfold(
        machine([1], frames=9),
        """
        w1   | 1d/P?!       | guest_minor_faults host_minor_faults
        w2=6 | 2d/P6! ; 1=? | guest_minor_faults guest_swap_writes
        r1=5 | 1c/P5! ; 2=6 | guest_major_faults guest_swap_reads guest_swap_writes
        r2=9 | 2d/P9! ; 1=5 | guest_major_faults guest_swap_reads untraced_writes
        """,
    )


def test_the_free_stack_is_last_in_first_out():
    """PPN 0 is on top at boot; afterwards the PPN freed last goes first, still backed with stale bytes."""
    unfold(
        machine([3], frames=9),
        """
        w1=1 | 1d/P1! _/- _/-       | guest_minor_faults host_minor_faults
        w2=2 | 1d/P1! 2d/P2! _/-    | guest_minor_faults host_minor_faults
        f1   | _/P1! 2d/P2! _/-     |
        f2   | _/P1! _/P2! _/-      |
        w3=3 | _/P1! 3d/P3! _/-     | guest_minor_faults
        r4   | 4/P0! 3d/P3! _/-     | guest_minor_faults
        r5=5 | 4/P0! 3d/P3! 5c/P5!  | guest_minor_faults guest_file_fills host_minor_faults
        """,
    )


def test_frees_are_not_seen_by_the_host():
    """Without reporting a freed PPN keeps its frame or its place in host swap: the next fill reads."""
    unfold(
        machine([2], frames=1),
        """
        w1=1 | 1d/P1! _/-    | guest_minor_faults host_minor_faults
        f1   | _/P1! _/-     |
        w2=2 | 2d/P2! _/-    | guest_minor_faults
        w3=3 | 2d/x2 3d/P3!  | guest_minor_faults host_minor_faults host_swap_writes
        f2   | _/x2 3d/P3!   |
        w2=4 | 2d/P4! 3d/x3  | guest_minor_faults host_major_faults host_swap_reads host_swap_writes
                               false_reads
        """,
    )


def test_free_page_reporting():
    """With reporting a FREE gives up frame or swapped copy at once, without I/O; the next touch is minor."""
    unfold(
        machine([2], frames=1, report=True),
        """
        w1=1 | 1d/P1! _/-    | guest_minor_faults host_minor_faults
        f1   | _/- _/-       |
        w2=2 | 2d/P2! _/-    | guest_minor_faults host_minor_faults
        w3=3 | 2d/x2 3d/P3!  | guest_minor_faults host_minor_faults host_swap_writes
        f2   | _/- 3d/P3!    |
        w2=4 | 2d/P4! 3d/x3  | guest_minor_faults host_minor_faults host_swap_writes
        """,
    )


def test_guests_share_nothing_but_frames():
    """The same page number in two VMs is two pages, each with its own PPN, swap and counters."""
    unfold(
        machine([1, 1], frames=9),
        """
        w1=5   | 1d/P5! || _/-               | guest_minor_faults host_minor_faults
        1:r1=6 | 1d/P5! || 1c/P6!            | 1:guest_minor_faults 1:guest_file_fills 1:host_minor_faults
        w2=7   | 2d/P7! ; 1=5 || 1c/P6!      | guest_minor_faults guest_swap_writes
        1:f2   | 2d/P7! ; 1=5 || 1c/P6!      |
        1:f1   | 2d/P7! ; 1=5 || _/P6!       |
        r1=5   | 1c/P5! ; 2=7 || _/P6!       | guest_major_faults guest_swap_reads guest_swap_writes
        """,
    )
