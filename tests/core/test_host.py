"""The hypervisor's level alone: page-outs, copies in host swap, what faults are for.  Tables: see `story`."""

from __future__ import annotations

import pytest
from small import machine
from story import unfold


def test_copies_in_host_swap():
    """A frame read back is clean and leaves without a write; a write makes the next page-out cost one."""
    unfold(
        machine([2], frames=1),
        """
        w1=1 | 1d/P1! _/-    | guest_minor_faults host_minor_faults
        w2=2 | 1d/x1 2d/P2!  | guest_minor_faults host_minor_faults host_swap_writes
        r1=1 | 1d/P1 2d/x2   | host_major_faults host_swap_reads host_swap_writes demand_faults
        r2=2 | 1d/x1 2d/P2   | host_major_faults host_swap_reads demand_faults
        w2=3 | 1d/x1 2d/P3!  |
        r1   | 1d/P1 2d/x3   | host_major_faults host_swap_reads host_swap_writes demand_faults
        w2=4 | 1d/x1 2d/P4!  | host_major_faults host_swap_reads demand_faults
        r2=5 | 1d/x1 2d/P5!  | untraced_writes
        r1   | 1d/P1 2d/x5   | host_major_faults host_swap_reads host_swap_writes demand_faults
        """,
    )


def test_an_untraced_write_dirties_the_frame_that_it_faults_in():
    """A demand fault of a read that shows other bytes is a write: the frame comes up without a valid copy."""
    unfold(
        machine([2], frames=1),
        """
        w1=1 | 1d/P1! _/-    | guest_minor_faults host_minor_faults
        w2=2 | 1d/x1 2d/P2!  | guest_minor_faults host_minor_faults host_swap_writes
        r1=7 | 1d/P7! 2d/x2  | untraced_writes host_major_faults host_swap_reads host_swap_writes
                               demand_faults
        """,
    )


@pytest.mark.parametrize("skip", [False, True])
def test_double_faults(skip):
    """The guest writes out a page that the host has paged out: read, only to be written; no fill to avoid."""
    double = "guest_swap_writes host_major_faults host_swap_reads host_swap_writes double_faults"
    unfold(
        machine([2], frames=1, skip=skip),
        f"""
        w1=1 | 1d/P1! _/-          | guest_minor_faults host_minor_faults
        w2=2 | 1d/x1 2d/P2!        | guest_minor_faults host_minor_faults host_swap_writes
        w3=3 | 3d/P3! 2d/x2 ; 1=1  | guest_minor_faults {double}
        r1=1 | 3d/x3 1c/P1! ; 2=2  | guest_major_faults guest_swap_reads {double}
        """,
    )


FILLS = """
    r1=1 | 1c/P1! _/-               | guest_minor_faults guest_file_fills host_minor_faults
    r2=2 | 1c/x1 2c/P2!             | guest_minor_faults guest_file_fills host_minor_faults host_swap_writes
                                      silent_swap_writes
    r3=3 | 3c/P3! 2c/x2 ; 1=1       | guest_minor_faults guest_file_fills {read} host_swap_writes {stale}
                                      silent_swap_writes
    r2=2 | 3c/x3 2c/P2 ; 1=1        | host_major_faults host_swap_reads host_swap_writes demand_faults
                                      silent_swap_writes
    r4   | 4/P0! 2c/x2 ; 1=1 3=3    | guest_minor_faults {read} {false}
    r1=1 | 4/x0 1c/P1! ; 2=2 3=3    | guest_major_faults guest_swap_reads {read} host_swap_writes {stale}
    r4=0 | 4/P0 1c/x1 ; 2=2 3=3     | host_major_faults host_swap_reads host_swap_writes demand_faults
                                      silent_swap_writes
"""


def test_stale_and_false_reads():
    """The host reads back bytes that a guest swap-in, a file read (stale) or zeroing (false) overwrites."""
    read, stale, false = "host_major_faults host_swap_reads", "stale_reads", "false_reads"
    unfold(machine([2], frames=1), FILLS.format(read=read, stale=stale, false=false))


def test_skip_fill_reads():
    """With the remedy the same fills read nothing; demand faults and writes stay."""
    avoided = "avoided_fill_reads"
    unfold(machine([2], frames=1, skip=True), FILLS.format(read="", stale=avoided, false=avoided))


def test_silent_writes_and_who_pays():
    """Silent: mapped, clean, with a copy; no zero page, no freed one.  The page's VM pays for its write."""
    unfold(
        machine([1, 1], frames=1),
        """
        r1=1   | 1c/P1! || _/-   | guest_minor_faults guest_file_fills host_minor_faults
        f1     | _/P1! || _/-    |
        1:r1=1 | _/x1 || 1c/P1!  | host_swap_writes 1:guest_minor_faults 1:guest_file_fills
                                   1:host_minor_faults
        r2=2   | 2c/P2! || 1c/x1 | guest_minor_faults guest_file_fills host_major_faults host_swap_reads
                                   stale_reads 1:host_swap_writes 1:silent_swap_writes
        1:w1=3 | 2c/x2 || 1d/P3! | host_swap_writes silent_swap_writes 1:host_major_faults 1:host_swap_reads
                                   1:demand_faults
        r2=2   | 2c/P2 || 1d/x3  | host_major_faults host_swap_reads demand_faults 1:host_swap_writes
        1:f1   | 2c/P2 || _/x3   |
        1:r4   | 2c/x2 || 4/P0!  | 1:guest_minor_faults 1:host_major_faults 1:host_swap_reads 1:false_reads
        r2=2   | 2c/P2 || 4/x0   | host_major_faults host_swap_reads demand_faults 1:host_swap_writes
        """,
    )


FIRST = "guest_minor_faults host_minor_faults"
BACK = "host_major_faults host_swap_reads host_swap_writes demand_faults"
WHICH = {
    # least recent: 2, then 3, then 4
    "lru": f"""
        w4=4 | 1d/P1! 2d/x2 3d/P3! 4d/P4! | {FIRST} host_swap_writes
        r1=1 | 1d/P1! 2d/x2 3d/P3! 4d/P4! |
        r2=2 | 1d/P1! 2d/P2 3d/x3 4d/P4!  | {BACK}
        r3=3 | 1d/P1! 2d/P2 3d/P3 4d/x4   | {BACK}
    """,
    # oldest: 1, 2, 3, 4
    "fifo": f"""
        w4=4 | 1d/x1 2d/P2! 3d/P3! 4d/P4! | {FIRST} host_swap_writes
        r1=1 | 1d/P1 2d/x2 3d/P3! 4d/P4!  | {BACK}
        r2=2 | 1d/P1 2d/P2 3d/x3 4d/P4!   | {BACK}
        r3=3 | 1d/P1 2d/P2 3d/P3 4d/x4    | {BACK}
    """,
    # from the tail to the hand: all have their bit, 1 goes; 4* 3 2; 1 4* 3; 2 1 4*: a second chance for 4
    "clock": f"""
        w4=4 | 1d/x1 2d/P2! 3d/P3! 4d/P4! | {FIRST} host_swap_writes
        r1=1 | 1d/P1 2d/x2 3d/P3! 4d/P4!  | {BACK}
        r2=2 | 1d/P1 2d/P2 3d/x3 4d/P4!   | {BACK}
        r3=3 | 1d/x1 2d/P2 3d/P3 4d/P4!   | host_major_faults host_swap_reads demand_faults
    """,
    # seed 0, stream 0: 0xe220… of 3 is 2, 0x6e78… of 3 is 1
    "random": f"""
        w4=4 | 1d/P1! 2d/P2! 3d/x3 4d/P4! | {FIRST} host_swap_writes
        r1=1 | 1d/P1! 2d/P2! 3d/x3 4d/P4! |
        r2=2 | 1d/P1! 2d/P2! 3d/x3 4d/P4! |
        r3=3 | 1d/P1! 2d/x2 3d/P3 4d/P4!  | {BACK}
    """,
}


@pytest.mark.parametrize("host", WHICH)
def test_which_frame_goes(host):
    """Three frames for four pages: an access hits its frame, a page read back was only inserted."""
    story = f"""
        w1=1 | 1d/P1! _/- _/- _/-         | {FIRST}
        w2=2 | 1d/P1! 2d/P2! _/- _/-      | {FIRST}
        w3=3 | 1d/P1! 2d/P2! 3d/P3! _/-   | {FIRST}
        r1=1 | 1d/P1! 2d/P2! 3d/P3! _/-   |
    """
    unfold(machine([4], frames=3, host=host, seed=0), story.strip() + WHICH[host])
