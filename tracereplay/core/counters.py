"""The counters and gauges of a replay: names, units and meanings, listed once.

Feeds the kernels' column numbers, the results, the reports and the documentation.
"""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    name: str
    unit: str
    meaning: str


COUNTERS = (
    Quantity("accesses", "rows", "rows replayed, frees included"),
    Quantity("reads", "rows", "reads and instruction fetches"),
    Quantity("writes", "rows", "writes"),
    Quantity("frees", "rows", "frees, those of unmapped pages included"),
    Quantity("guest_minor_faults", "faults", "guest faults on pages never touched, freed or dropped"),
    Quantity("guest_major_faults", "faults", "guest faults on pages in guest swap"),
    Quantity("guest_swap_reads", "pages", "pages that the guest read back"),
    Quantity("guest_swap_writes", "pages", "dirty pages that the guest wrote to its swap"),
    Quantity("guest_file_fills", "pages", "first touches that read a page with contents from a file"),
    Quantity("untraced_writes", "writes", "reads whose content shows a write that the recorder missed"),
    Quantity("host_minor_faults", "faults", "first touches of unbacked guest memory: a zeroed frame"),
    Quantity("host_major_faults", "faults", "touches of guest memory that the hypervisor had paged out"),
    Quantity("host_swap_reads", "pages", "pages that the hypervisor read back"),
    Quantity("host_swap_writes", "pages", "dirty frames that the hypervisor wrote to its swap"),
    Quantity("demand_faults", "faults", "host majors caused by an access itself"),
    Quantity("double_faults", "faults", "host majors caused by the guest writing out a page: double paging"),
    Quantity("stale_reads", "faults", "host majors whose bytes a guest swap-in or file read then overwrote"),
    Quantity("false_reads", "faults", "host majors whose bytes the guest then zeroed"),
    Quantity("avoided_fill_reads", "pages", "host swap reads left out: the whole page was overwritten"),
    Quantity("silent_swap_writes", "pages", "host swap writes of bytes that the guest's disk already held"),
    Quantity("cow_breaks", "faults", "writes to copy-on-write or zero mappings"),
    Quantity("pages_merged", "pages", "pages that gave up their frame for an equal one"),
)
(
    ACCESSES,
    READS,
    WRITES,
    FREES,
    GUEST_MINOR_FAULTS,
    GUEST_MAJOR_FAULTS,
    GUEST_SWAP_READS,
    GUEST_SWAP_WRITES,
    GUEST_FILE_FILLS,
    UNTRACED_WRITES,
    HOST_MINOR_FAULTS,
    HOST_MAJOR_FAULTS,
    HOST_SWAP_READS,
    HOST_SWAP_WRITES,
    DEMAND_FAULTS,
    DOUBLE_FAULTS,
    STALE_READS,
    FALSE_READS,
    AVOIDED_FILL_READS,
    SILENT_SWAP_WRITES,
    COW_BREAKS,
    PAGES_MERGED,
) = range(len(COUNTERS))

GAUGES = (
    Quantity("frames_in_use", "pages", "host frames; a shared one counts for the VM of its lowest mapper"),
    Quantity("ballooned", "pages", "guest pages held by the balloon"),
    Quantity("shared", "pages", "guest pages mapped copy-on-write"),
    Quantity("shared_frames", "pages", "frames behind them"),
    Quantity("zero_mapped", "pages", "guest pages mapped to the kernel's zero page"),
    Quantity("reclaimed", "pages", "memory saved by sharing: shared - shared_frames + zero_mapped"),
    Quantity("reclaimed_zero", "pages", "of reclaimed: zero pages"),
    Quantity("reclaimed_self", "pages", "of reclaimed: other pages equal to one of the same VM"),
    Quantity("reclaimed_inter_vm", "pages", "of reclaimed: equal to one of another VM of the same OS family"),
    Quantity("reclaimed_cross_family", "pages", "of reclaimed: equal only to one of another OS family"),
    Quantity("resident", "pages", "guest pages backed by a frame or by the zero page"),
    Quantity("swapped", "pages", "guest pages that the hypervisor has paged out"),
    Quantity("guest_free", "pages", "pages on the guest's free list"),
    Quantity("pages_unshared", "pages", "KSM: private pages last seen without an equal"),
    Quantity("pages_volatile", "pages", "KSM: private pages whose content changed between two scans"),
)
(
    FRAMES_IN_USE,
    BALLOONED,
    SHARED,
    SHARED_FRAMES,
    ZERO_MAPPED_PAGES,
    RECLAIMED,
    RECLAIMED_ZERO,
    RECLAIMED_SELF,
    RECLAIMED_INTER_VM,
    RECLAIMED_CROSS_FAMILY,
    RESIDENT,
    SWAPPED_PAGES,
    GUEST_FREE,
    PAGES_UNSHARED,
    PAGES_VOLATILE,
) = range(len(GAUGES))

COUNTER_NAMES = tuple(q.name for q in COUNTERS)
GAUGE_NAMES = tuple(q.name for q in GAUGES)
