"""Content-based sharing alone: what merges, when, and what becomes of it.  Tables: see `story`.

A FREE of page 99, which no VM ever maps, is there to run a tick.
"""

from __future__ import annotations

import engine
import pytest
from small import FREE, WRITE, machine
from story import unfold

from tracereplay.core.state import NONE

FIRST = "guest_minor_faults host_minor_faults"


def sharing(pages, mode, *, rate=None, vms=1, frames=99, tick=10, **options):
    """VMs of ``pages`` each that share in ``mode``; a scan visits all of them once a tick unless told."""
    vms = [{"pages": pages}] * vms if isinstance(vms, int) else [{"pages": pages} | vm for vm in vms]
    config = machine(vms, frames=frames, tick=tick, mode=mode, **options)
    config["sharing"]["rate"] = pages * len(vms) if rate is None else rate
    return config


# ---- Copy on write -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["ideal", "esx-sequential"])
def test_esx_a_writer_leaves_and_the_last_one_turns_private(mode):
    """Frames: [1] [2] -> [1 2] -> [1] [2]; the page left behind is written without a break."""
    run = unfold(
        sharing(2, mode),
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        f99 @10   | 1d/S5! 2d/S5! | pages_merged
        r2=5      | 1d/S5! 2d/S5! |
        w2=6      | 1d/P5! 2d/P6! | cow_breaks
        w1=7      | 1d/P7! 2d/P6! |
        """,
    )
    assert engine.gauges(run)[0]["frames_in_use"] == 2


def test_ksm_the_last_mapper_stays_protected_and_keeps_the_frame():
    """Frames, two there are: [1] [2] -> [1 2] -> [1] [2]; the second break takes no frame.

    So [1] keeps its place as the oldest in the host's queue, and is the one to go.
    """
    run = unfold(
        sharing(3, "ksm", frames=2) | {"host": machine([1], frames=2, host="fifo")["host"]},
        f"""
        w1=5      | 1d/P5! _/- _/-     | {FIRST}
        w2=5      | 1d/P5! 2d/P5! _/-  | {FIRST}
        f99 @10   | 1d/P5! 2d/P5! _/-  |
        f99 @20   | 1d/S5! 2d/S5! _/-  | pages_merged
        w2=6      | 1d/S5! 2d/P6! _/-  | cow_breaks
        w1=7      | 1d/P7! 2d/P6! _/-  | cow_breaks
        w1=8      | 1d/P8! 2d/P6! _/-  |
        w3=9      | 1d/x8 2d/P6! 3d/P9! | {FIRST} host_swap_writes
        """,
    )
    assert (run.state.frame_of == NONE).all()


def test_an_untraced_write_breaks_like_any_other():
    """A read that shows other bytes than the shared ones was a write."""
    unfold(
        sharing(2, "ideal"),
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        f99 @10   | 1d/S5! 2d/S5! | pages_merged
        r1=6      | 1d/P6! 2d/P5! | untraced_writes cow_breaks
        """,
    )


def test_a_break_may_reclaim_the_frame_that_it_leaves():
    """Frames, two there are: [1 2] [3]; page 2 leaves [1], which is the host's LRU victim."""
    unfold(
        sharing(3, "ideal", frames=2),
        f"""
        w1=5      | 1d/P5! _/- _/-      | {FIRST}
        w2=5      | 1d/P5! 2d/P5! _/-   | {FIRST}
        w3=6 @10  | 1d/S5! 2d/S5! 3d/P6! | {FIRST} pages_merged
        w2=7      | 1d/x5 2d/P7! 3d/P6! | host_swap_writes cow_breaks
        """,
    )


@pytest.mark.parametrize(("mode", "passes", "left"), [("ideal", 1, "P"), ("ksm", 2, "S")])
def test_a_balloon_drops_its_mapping(mode, passes, left):
    """Frames: [1 2] -> [2]: the evicted page is read where it is, then the mapping goes, not the frame."""
    config = sharing(2, mode, vms=[{"balloon": [[30, 1]]}])
    unfold(
        config,
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        f99 @{10 * passes} | 1d/S5! 2d/S5! | pages_merged
        f99 @30   | #/- 2d/{left}5! ; 1=5 | guest_swap_writes
        """,
    )


@pytest.mark.parametrize(("mode", "passes", "left"), [("ideal", 1, "P"), ("ksm", 2, "S")])
def test_a_free_page_report_drops_the_mapping(mode, passes, left):
    """Frames: [1 2] -> [2] -> none: under KSM the frame without mappers leaves the table too."""
    run = unfold(
        sharing(2, mode, report=True),
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        f99 @{10 * passes} | 1d/S5! 2d/S5! | pages_merged
        f1        | _/- 2d/{left}5! |
        f2        | _/- _/-       |
        """,
    )
    assert engine.gauges(run)[0]["frames_in_use"] == 0
    assert (run.state.frame_of == NONE).all()


def test_freed_pages_are_candidates_until_they_are_filled():
    """The host does not see frees: stale bytes merge, and the fill of the PPN breaks the sharing once."""
    unfold(
        sharing(2, "ideal"),
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        f1        | _/P5! 2d/P5!  |
        f99 @10   | _/S5! 2d/S5!  | pages_merged
        w3=6      | 3d/P6! 2d/P5! | guest_minor_faults cow_breaks
        """,
    )


def test_pages_of_unknown_content_never_merge():
    """Unknown is equal to nothing, itself included; a read that tells makes a candidate."""
    unfold(
        sharing(3, "ideal"),
        f"""
        w1        | 1d/P?! _/- _/-       | {FIRST}
        w2        | 1d/P?! 2d/P?! _/-    | {FIRST}
        w3=5      | 1d/P?! 2d/P?! 3d/P5! | {FIRST}
        r2=5 @10  | 1d/P?! 2d/P5! 3d/P5! |
        f99 @20   | 1d/P?! 2d/S5! 3d/S5! | pages_merged
        """,
    )


# ---- Paging out ----------------------------------------------------------------------------------


def test_a_shared_frame_pages_out_once_for_all():
    """One write, charged to the lowest mapper's VM; each mapper reads a clean copy of its own back.

    Frames, two there are: [0:1 1:1] [1:2] -> [1:3] [1:2] -> [1:3] [0:1] -> [1:1] [0:1] -> [1:1] [1:2].
    """
    unfold(
        sharing(3, "ideal", vms=[{"pages": 1}, {}], frames=2),
        f"""
        w1=5       | 1d/P5! || _/- _/- _/-      | {FIRST}
        1:w1=5     | 1d/P5! || 1d/P5! _/- _/-   | 1:guest_minor_faults 1:host_minor_faults
        1:w2=6 @10 | 1d/S5! || 1d/S5! 2d/P6! _/- | 1:guest_minor_faults 1:host_minor_faults 1:pages_merged
        1:w3=7     | 1d/x5 || 1d/x5 2d/P6! 3d/P7! | host_swap_writes 1:guest_minor_faults 1:host_minor_faults
        r1=5       | 1d/P5 || 1d/x5 2d/x6 3d/P7! | host_major_faults host_swap_reads demand_faults
                                                   1:host_swap_writes
        1:r1=5     | 1d/P5 || 1d/P5 2d/x6 3d/x7 | 1:host_major_faults 1:host_swap_reads 1:host_swap_writes
                                                  1:demand_faults
        1:r2=6     | 1d/x5 || 1d/P5 2d/P6 3d/x7 | 1:host_major_faults 1:host_swap_reads 1:demand_faults
        """,
    )


BEFORE_SWAP = """
    w1=5      | 1d/P5! _/- _/- _/-          | guest_minor_faults host_minor_faults
    w2=5      | 1d/P5! 2d/P5! _/- _/-       | guest_minor_faults host_minor_faults
    w3=5 @20  | 1d/S5! 2d/S5! 3d/P5! _/-    | guest_minor_faults host_minor_faults pages_merged
    r1=5      | 1d/S5! 2d/S5! 3d/P5! _/-    |
"""


@pytest.mark.parametrize(
    ("asked", "last"),
    [
        (True, "w4=6 | 1d/S5! 2d/S5! 3d/S5! 4d/P6! | guest_minor_faults host_minor_faults pages_merged"),
        (False, "w4=6 | 1d/S5! 2d/S5! 3d/x5 4d/P6! | guest_minor_faults host_minor_faults host_swap_writes"),
    ],
)
def test_share_before_swap_into_the_table(asked, last):
    """Frames, two there are: [1 2] [3]; the LRU victim [3] merges without I/O, if asked to."""
    unfold(sharing(4, "ksm", frames=2, share_before_swap=asked), BEFORE_SWAP + last)


def test_share_before_swap_with_a_hint():
    """Frames, two there are: [0:1] with a hint, and the victim [1:1] of the same bytes: both merge."""
    run = unfold(
        sharing(2, "esx-sequential", rate=1, vms=2, frames=2, share_before_swap=True),
        f"""
        w1=5        | 1d/P5! _/- || _/- _/-      | {FIRST}
        1:w1=5 @10  | 1d/P5! _/- || 1d/P5! _/-   | 1:guest_minor_faults 1:host_minor_faults
        r1=5        | 1d/P5! _/- || 1d/P5! _/-   |
        w2=6        | 1d/S5! 2d/P6! || 1d/S5! _/- | {FIRST} 1:pages_merged
        """,
    )
    assert (run.state.candidate_of == NONE).all()


def test_share_before_swap_not_with_the_victims_own_hint():
    """The hinted page itself is the victim: it is paged out."""
    unfold(
        sharing(2, "esx-sequential", frames=1, share_before_swap=True),
        f"""
        w1=5      | 1d/P5! _/-   | {FIRST}
        w2=6 @10  | 1d/x5 2d/P6! | {FIRST} host_swap_writes
        """,
    )


def test_share_before_swap_keeps_to_zero_only():
    """With zero_only the victim's known bytes count as unknown; zeros do merge.

    Frames, three there are: [1 2] zeros shared; the victims in turn are [3] (5: paged out), [4] (0: merged).
    """
    unfold(
        sharing(6, "ideal", frames=3, share_before_swap=True, zero_only=True),
        f"""
        w1=0      | 1d/P0! _/- _/- _/- _/- _/-          | {FIRST}
        w2=0      | 1d/P0! 2d/P0! _/- _/- _/- _/-       | {FIRST}
        w3=5 @10  | 1d/S0! 2d/S0! 3d/P5! _/- _/- _/-    | {FIRST} pages_merged
        w4=0      | 1d/S0! 2d/S0! 3d/P5! 4d/P0! _/- _/- | {FIRST}
        r1=0      | 1d/S0! 2d/S0! 3d/P5! 4d/P0! _/- _/- |
        w5=5      | 1d/S0! 2d/S0! 3d/x5 4d/P0! 5d/P5! _/- | {FIRST} host_swap_writes
        w6=7      | 1d/S0! 2d/S0! 3d/x5 4d/S0! 5d/P5! 6d/P7! | {FIRST} pages_merged
        """,
    )


# ---- Scans ---------------------------------------------------------------------------------------


def test_esx_a_stale_hint_is_replaced():
    """One visit a tick: hint of PPN 0, gone stale; PPN 1 leaves its own; PPN 0 merges into PPN 1's frame."""
    unfold(
        sharing(2, "esx-sequential", rate=1),
        f"""
        w1=5      | 1d/P5! _/-    | {FIRST}
        w2=5      | 1d/P5! 2d/P5! | {FIRST}
        w1=6 @10  | 1d/P6! 2d/P5! |
        w1=5 @20  | 1d/P5! 2d/P5! |
        f99 @30   | 1d/S5! 2d/S5! | pages_merged
        """,
    )


def test_ksm_a_third_copy_merges_at_its_first_visit():
    """The content is in the stable table by then: it need not be seen twice."""
    unfold(
        sharing(3, "ksm"),
        f"""
        w1=5      | 1d/P5! _/- _/-       | {FIRST}
        w2=5      | 1d/P5! 2d/P5! _/-    | {FIRST}
        f99 @10   | 1d/P5! 2d/P5! _/-    |
        f99 @20   | 1d/S5! 2d/S5! _/-    | pages_merged
        w3=5      | 1d/S5! 2d/S5! 3d/P5! | {FIRST}
        f99 @30   | 1d/S5! 2d/S5! 3d/S5! | pages_merged
        """,
    )


def test_ksm_pages_that_change_between_scans_are_volatile():
    """Equal at every visit, but not the same as at the visit before: never merged."""
    run = unfold(
        sharing(2, "ksm"),
        f"""
        w1=1      | 1d/P1! _/-    | {FIRST}
        w2=1      | 1d/P1! 2d/P1! | {FIRST}
        w1=2 @10  | 1d/P2! 2d/P1! |
        w2=2      | 1d/P2! 2d/P2! |
        w1=3 @20  | 1d/P3! 2d/P2! |
        w2=3      | 1d/P3! 2d/P3! |
        f99 @30   | 1d/P3! 2d/P3! |
        """,
    )
    assert [engine.gauges(run)[0][name] for name in ("pages_volatile", "pages_unshared")] == [2, 0]


def test_ksm_the_unstable_table_empties_at_each_full_scan():
    """Two PPNs, one visit a tick: PPN 1 is the entry at 60; at 70 a new scan starts and PPN 0 finds none.

    It becomes the entry itself, and PPN 1 merges into its frame at 80.
    """
    unfold(
        sharing(2, "ksm", rate=1),
        f"""
        w1=6      | 1d/P6! _/-    | {FIRST}
        w2=5      | 1d/P6! 2d/P5! | {FIRST}
        w1=5 @30  | 1d/P5! 2d/P5! |
        f99 @60   | 1d/P5! 2d/P5! |
        f99 @70   | 1d/P5! 2d/P5! |
        f99 @80   | 1d/S5! 2d/S5! | pages_merged
        """,
    )


def test_ksm_zero_pages():
    """Zeros seen twice need no frame at all; a write, or a fill of the freed PPN, breaks and takes one."""
    run = unfold(
        sharing(2, "ksm", use_zero_pages=True, frames=2),
        f"""
        w1=0      | 1d/P0! _/-    | {FIRST}
        r2        | 1d/P0! 2/P0!  | {FIRST}
        f99 @10   | 1d/P0! 2/P0!  |
        f99 @20   | 1d/Z0 2/Z0    | pages_merged*2
        r1=0      | 1d/Z0 2/Z0    |
        w1=3      | 1d/P3! 2/Z0   | cow_breaks
        f2        | 1d/P3! _/Z0   |
        w3        | 1d/P3! 3d/P?! | guest_minor_faults cow_breaks
        """,
    )
    assert engine.gauges(run)[0]["frames_in_use"] == 2


def test_the_zero_page_belongs_to_every_domain():
    """Two tenants with a zero page each: both are mapped to the kernel's, no frame is left, no law broken."""
    run = unfold(
        sharing(1, "ksm", use_zero_pages=True, vms=[{"domain": "a"}, {"domain": "b"}]),
        f"""
        w1=0      | 1d/P0! || _/-    | {FIRST}
        1:w1=0    | 1d/P0! || 1d/P0! | 1:guest_minor_faults 1:host_minor_faults
        f99 @20   | 1d/Z0 || 1d/Z0   | pages_merged 1:pages_merged
        """,
    )
    assert [vm["frames_in_use"] for vm in engine.gauges(run)] == [0, 0]


@pytest.mark.parametrize("how", ["balloon", "report"])
def test_zero_mappings_are_dropped(how):
    """A balloon or a free-page report takes the mapping away; the PPN is unbacked, not zero-mapped."""
    report = how == "report"
    config = sharing(
        2, "ksm", use_zero_pages=True, report=report, vms=[{"balloon": [] if report else [[30, 1]]}]
    )
    last = {
        "report": "f1      | _/- 2d/Z0  |",
        "balloon": "f99 @30 | #/- 2d/Z0 ; 1=0 | guest_swap_writes",
    }
    unfold(
        config,
        f"""
        w1=0      | 1d/P0! _/-    | {FIRST}
        w2=0      | 1d/P0! 2d/P0! | {FIRST}
        f99 @20   | 1d/Z0 2d/Z0   | pages_merged*2
        {last[how]}
        """,
    )


def test_zero_mappings_beside_a_shared_frame():
    """Three pages on two frames, and none in swap: one zero-mapped, two shared, one frame left over."""
    unfold(
        sharing(3, "ksm", use_zero_pages=True, frames=2),
        f"""
        w1=0      | 1d/P0! _/- _/-    | {FIRST}
        w2=5 @20  | 1d/Z0 2d/P5! _/-  | {FIRST} pages_merged
        w3=5      | 1d/Z0 2d/P5! 3d/P5! | {FIRST}
        f99 @40   | 1d/Z0 2d/S5! 3d/S5! | pages_merged
        """,
    )


def test_zero_mappings_are_never_paged_out():
    """One frame, full: what is mapped to the zero page stays, whatever else comes and goes."""
    unfold(
        sharing(3, "ksm", use_zero_pages=True, frames=1),
        f"""
        w1=0      | 1d/P0! _/- _/-      | {FIRST}
        f99 @20   | 1d/Z0 _/- _/-       | pages_merged
        w2=5      | 1d/Z0 2d/P5! _/-    | {FIRST}
        w3=6      | 1d/Z0 2d/x5 3d/P6!  | {FIRST} host_swap_writes
        r1=0      | 1d/Z0 2d/x5 3d/P6!  |
        """,
    )


@pytest.mark.parametrize(("mode", "passes"), [("ideal", 1), ("esx-sequential", 1), ("ksm", 2)])
def test_zero_only(mode, passes):
    """Every content but zero counts as unknown."""
    unfold(
        sharing(4, mode, zero_only=True),
        f"""
        w1=5  | 1d/P5! _/- _/- _/-          | {FIRST}
        w2=5  | 1d/P5! 2d/P5! _/- _/-       | {FIRST}
        w3=0  | 1d/P5! 2d/P5! 3d/P0! _/-    | {FIRST}
        w4=0  | 1d/P5! 2d/P5! 3d/P0! 4d/P0! | {FIRST}
        f99 @{10 * passes} | 1d/P5! 2d/P5! 3d/S0! 4d/S0! | pages_merged
        """,
    )


@pytest.mark.parametrize(("mode", "passes"), [("ideal", 1), ("esx-sequential", 1), ("ksm", 2)])
def test_domains(mode, passes):
    """Pages merge inside their domain alone: VMs 0 and 2 share one, VM 1 is by itself; so do zeros."""
    config = sharing(2, mode, vms=[{"domain": "a"}, {"domain": "b"}, {"domain": "a"}])
    unfold(
        config,
        f"""
        w1=5    | 1d/P5! _/- || _/- _/- || _/- _/-             | {FIRST}
        w2=0    | 1d/P5! 2d/P0! || _/- _/- || _/- _/-          | {FIRST}
        1:w1=5  | 1d/P5! 2d/P0! || 1d/P5! _/- || _/- _/-       | 1:guest_minor_faults 1:host_minor_faults
        1:w2=0  | 1d/P5! 2d/P0! || 1d/P5! 2d/P0! || _/- _/-    | 1:guest_minor_faults 1:host_minor_faults
        2:w1=5  | 1d/P5! 2d/P0! || 1d/P5! 2d/P0! || 1d/P5! _/- | 2:guest_minor_faults 2:host_minor_faults
        2:w2=0  | 1d/P5! 2d/P0! || 1d/P5! 2d/P0! || 1d/P5! 2d/P0! | 2:guest_minor_faults 2:host_minor_faults
        f99 @{10 * passes} | 1d/S5! 2d/S0! || 1d/P5! 2d/P0! || 1d/S5! 2d/S0! | 2:pages_merged*2
        """,
    )


# ---- The toy of facts.md, section 4 --------------------------------------------------------------

TOY = ("Z Z A B C u0 u1 Z", "Z A B D D u2 Z u3", "Z A E D F u4 u5 u6")


def toy(mode, ticks, *, rate=24, domains=("all",) * 3, families=("linux",) * 3, **options):
    """The toy's three VMs after so many ticks."""
    letters = ["Z", *sorted({word for vm in TOY for word in vm.split()} - {"Z"})]
    rows = [
        (0, vm, page, WRITE, letters.index(word))
        for vm, words in enumerate(TOY)
        for page, word in enumerate(words.split())
    ]
    vms = [{"domain": d, "family": f} for d, f in zip(domains, families, strict=True)]
    config = sharing(8, mode, rate=rate, vms=vms, **options)
    return engine.run_engine(config, [*rows, (10 * ticks, 0, 99, FREE, None)])


def told(run, *names):
    """Gauges, summed over the VMs."""
    return tuple(sum(vm[name] for vm in engine.gauges(run)) for name in names)


SPLIT = ("reclaimed_zero", "reclaimed_self", "reclaimed_inter_vm", "reclaimed_cross_family")


@pytest.mark.parametrize(
    ("mode", "ticks", "rate"),
    [("ideal", 1, 0), ("esx-sequential", 1, 24), ("esx", 100, 24), ("ksm", 2, 24), ("ksm", 48, 1)],
)
def test_toy_in_every_mode(mode, ticks, rate):
    """Whatever finds them: 14 pages share 4 frames; 10 reclaimed: 5 zeros, 1 within a VM, 4 between VMs."""
    run = toy(mode, ticks, rate=rate)
    assert told(run, "shared", "shared_frames", "reclaimed", *SPLIT) == (14, 4, 10, 5, 1, 4, 0)
    assert told(run, "frames_in_use", "zero_mapped") == (14, 0)


def test_toy_belongs_to_the_lowest_mapper():
    """VM 0 owns the frames of Z, A and B, VM 1 that of D; who gave up a frame is who merged."""
    run = toy("ideal", 1)
    names = ("shared", "shared_frames", "frames_in_use", "reclaimed")
    assert [[vm[name] for name in names] for vm in engine.gauges(run)] == [
        [5, 3, 6, 2],
        [6, 1, 3, 5],
        [3, 0, 5, 3],
    ]
    assert [vm["pages_merged"] for vm in engine.counters(run)] == [2, 5, 3]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # salted: 3 Z in VM 0; 2 Z, 2 D in VM 1
        ({"domains": (0, 1, 2)}, (7, 3, 4, 3, 1, 0, 0)),
        # tenants {0, 2} and {1}: 4 Z, 2 A; 2 Z, 2 D
        ({"domains": ("t", "u", "t")}, (10, 4, 6, 4, 1, 1, 0)),
        ({"zero_only": True}, (6, 1, 5, 5, 0, 0, 0)),
        # VM 1 is of another family: its A and B, and VM 2's D
        ({"families": ("linux", "windows", "linux")}, (14, 4, 10, 5, 1, 1, 3)),
    ],
)
def test_toy_salted_and_split(options, expected):
    """Domains and zero_only leave out what crosses them; families only tell the kinds of sharing apart."""
    assert told(toy("ideal", 1, **options), "shared", "shared_frames", "reclaimed", *SPLIT) == expected


def test_toy_ksm_pass_by_pass():
    """First pass: all volatile; second: 4 shared, 10 sharing, 10 unshared; a third changes nothing."""
    names = ("shared_frames", "reclaimed", "pages_unshared", "pages_volatile")
    assert [told(toy("ksm", ticks), *names) for ticks in (1, 2, 3)] == [
        (0, 0, 0, 24),
        (4, 10, 10, 0),
        (4, 10, 10, 0),
    ]


def test_toy_ksm_with_zero_pages():
    """The six zeros need no frame: 6 zero-mapped, the letters as before: 8 pages share 3 frames."""
    run = toy("ksm", 2, use_zero_pages=True)
    names = ("shared", "shared_frames", "zero_mapped", "reclaimed", "frames_in_use", *SPLIT)
    assert told(run, *names) == (8, 3, 6, 11, 13, 6, 1, 4, 0)


def test_toy_esx_visit_by_visit():
    """(hints, shared frames, merged) by visit: 14 hints left, 4 used by merges, 6 merges into frames."""
    expected = [
        # Z        Z          A          B          C          u0         u1         Z
        (1, 0, 0), (0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 1, 1), (5, 1, 2),
        # Z        A          B          D          D          u2         Z          u3
        (5, 1, 3), (4, 2, 4), (3, 3, 5), (4, 3, 5), (3, 4, 6), (4, 4, 6), (4, 4, 7), (5, 4, 7),
        # Z        A          E          D          F          u4         u5         u6
        (5, 4, 8), (5, 4, 9), (6, 4, 9), (6, 4, 10), (7, 4, 10), (8, 4, 10), (9, 4, 10), (10, 4, 10),
    ]  # fmt: skip
    found = []
    for visits in range(1, 25):
        run = toy("esx-sequential", visits, rate=1)
        merged = sum(vm["pages_merged"] for vm in engine.counters(run))
        found.append((int((run.state.candidate_of != NONE).sum()), *told(run, "shared_frames"), merged))
    assert found == expected
