"""The double-paging surface: what a VM costs at every size of guest and host, both LRU, from one pass.

Let M(k) be the misses of one LRU memory of k pages, first touches included, and D the distinct pages.  A
guest of g pages on a host of h frames faults M(g) times and evicts M(g) − min(g, D) pages.  If g ≤ h or
h ≥ D, the host never reads.  Otherwise it reads M(h) − min(g, D) times: whatever the guest evicts, it has
paged out.  From g = h to g = h + 1 all of that comes at once: the anomaly.
Source: Goldberg and Hassinger, "The double paging anomaly", AFIPS National Computer Conference 1974.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from tracereplay.analysis.curve import spaced
from tracereplay.analysis.sizes import Sizes, parse_sizes
from tracereplay.analysis.two_levels import MOST_SIZES, Counts, TwoLevels
from tracereplay.checks import dropped_as_empty
from tracereplay.errors import UsageError
from tracereplay.names import vm_index, vm_name
from tracereplay.problems import problem, shown
from tracereplay.trace.feed import ahead
from tracereplay.trace.per_vm import vm_rows
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.trace.schema import Op

SIZES = 40
"""At most so many sizes of each level, in even ratios, where none are given."""
MOST_PAIRS = 1 << 21
"""Pairs in a surface: some 450 MB while it is made."""
_FAULTS = ("minor", "major")
_OCTAVES = 4  # between the smallest of the sizes and the footprint
_FREE = int(Op.FREE)


def double_paging_surface(
    source: object,
    guest_sizes: Sizes | None = None,
    host_sizes: Sizes | None = None,
    *,
    vm: int | str | None = None,
    jit: bool = True,
) -> pd.DataFrame:
    """What one VM of a trace costs for every pair of a guest's and a host's size: exact, from one pass.

    One row per pair: the counters of a replay with LRU at both levels, no sharing and no balloon, int64, in
    columns ``guest_pages host_pages``; ``guest_minor_faults guest_major_faults guest_file_fills
    guest_swap_reads guest_swap_writes``; ``host_major_faults demand_faults double_faults``, ``fill_reads``
    (``stale_reads`` and ``false_reads`` together: what ``skip_fill_reads`` avoids), ``host_swap_reads
    host_swap_writes``; ``device_reads``, from guest swap, files and host swap, ``device_writes``, to both
    swaps, and ``total_io``, reads and writes together.

    FREE rows are left out, as if the pages were never freed: with them, two levels are no stack any more.
    ``attrs``: ``vm``, ``page_size``, ``footprint_pages``, ``accesses``, ``frees_left_out``, and
    ``warnings``, what changes the meaning.

    Sizes are pages, "64MiB", or "50%" of the VM's footprint, several as a list or with commas; at most
    MOST_PAIRS pairs.  Without them: at most SIZES from a sixteenth of the footprint on; of guests also each
    size of a host, and one page more where the host pages.  ``jit=False`` runs the kernels uncompiled: the
    same, slowly.
    UsageError: several VMs and no ``vm``, or no such VM; sizes that make no sense, or too many.
    """
    trace = open_trace(source)
    index = one_vm(trace, vm)
    hosts = sizes_of(trace, index, "host_sizes", host_sizes)
    guests = sizes_of(trace, index, "guest_sizes", guest_sizes)
    if guest_sizes is None:
        paging = hosts[hosts < trace.footprints()[index]]
        guests = np.unique(np.concatenate([guests, hosts, paging + 1]))
    _check_number(len(guests), len(hosts))
    levels, frees = TwoLevels(guests, hosts, jit=jit), 0
    for rows in ahead(vm_rows(trace, ("op", "content"), vms=[index])):
        kept = rows.batch.op != _FREE
        columns = (rows.page, rows.batch.op, rows.batch.content, rows.batch.known)
        levels.touch([column[kept] for column in columns], rows.n_pages)
        frees += int(np.count_nonzero(~kept))
    counts = levels.counts()
    surface = _table(guests, hosts, counts)
    surface.attrs = {
        "vm": vm_name(trace, index),
        "page_size": trace.metadata.page_size,
        "footprint_pages": counts.pages,
        "accesses": counts.accesses,
        "frees_left_out": frees,
        "warnings": [
            *_warnings(trace, frees, int(min(guests[0], hosts[0]))),
            *_dropped(surface, vm_name(trace, index), counts.pages),
        ],
    }
    return surface


def one_vm(trace: Trace, vm: int | str | None) -> int:
    """The index of the VM meant; None means the only one, UsageError if there are several."""
    if vm is None and trace.n_vms > 1:
        names = ", ".join(shown(vm_name(trace, index)) for index in range(min(trace.n_vms, 8)))
        found = f"nothing, and {trace.n_vms} VMs in the trace"
        raise UsageError(f"vm: {problem(found, f'one of {names}')}{'…' * (trace.n_vms > 8)}")
    return vm_index(trace, 0 if vm is None else vm)


def sizes_of(trace: Trace, vm: int, name: str, given: Sizes | None, *, most: int = SIZES) -> np.ndarray:
    """Sizes of memory in pages, int64, ascending; None stands for at most ``most`` up to the footprint.

    UsageError: none, or one that is less than a page or cannot be read.
    """
    if given is None:
        footprint = max(trace.footprints()[vm], 1)
        smallest = min(max(footprint >> _OCTAVES, trace.metadata.exact_above or 1), footprint)
        return spaced(smallest, footprint, most)
    page_size = trace.metadata.page_size
    pages = parse_sizes(name, given, page_size=page_size, footprint=lambda: trace.footprints()[vm])
    return np.unique(np.array(pages, np.int64))


def _check_number(guests: int, hosts: int) -> None:
    """UsageError for more sizes of one level, or of both, than there is room for."""
    if max(guests, hosts) > MOST_SIZES or guests * hosts > MOST_PAIRS:
        found = f"{guests:,} sizes of the guest and {hosts:,} of the host"
        raise UsageError(
            f"surface: {problem(found, f'at most {MOST_SIZES:,} of each and {MOST_PAIRS:,} pairs')}"
        )


def _warnings(trace: Trace, frees: int, smallest: int) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    above, sample = trace.metadata.exact_above, told_sample(trace.metadata)
    if above is not None and smallest < above:
        yield (
            f"{trace.name}: a reduced trace, exact for memories of {above:,} pages or more: what is told of "
            "smaller ones may be wrong in either direction"
        )
    if sample is not None:
        yield f"{trace.name}: {sample}: sizes and counts are of the rows kept"
    if trace.metadata.page_space == "guest-physical":
        yield (
            f"{trace.name}: recorded below the guest's own paging: its pages are frames of the guest, which "
            "has paged already"
        )
    if frees:
        rows = f"{frees:,} FREE row{'s are' if frees > 1 else ' is'}"
        yield f"{trace.name}: {rows} left out, as if no page was freed"


def _dropped(surface: pd.DataFrame, name: str, footprint: int) -> Iterator[str]:
    """What the smallest guest does, and larger ones less, with pages that it takes for empty."""
    smallest = surface.iloc[0]
    counted = {
        "frees": 0,
        **{f"guest_{kind}_faults": int(smallest[f"guest_{kind}_faults"]) for kind in _FAULTS},
    }
    for text in dropped_as_empty(name, footprint, counted):
        yield f"a guest of {smallest['guest_pages']:,} pages: {text}"


def _table(guests: np.ndarray, hosts: np.ndarray, counts: Counts) -> pd.DataFrame:
    """The columns of the surface, from counts of either level alone and of the pairs."""
    g, h = guests[:, None], hosts[None, :]
    host_pages_out = (g > h) & (h < counts.pages)
    evictions = counts.misses - np.minimum(guests, counts.pages)
    by_guest = {
        "guest_minor_faults": counts.misses - counts.majors,
        "guest_major_faults": counts.majors,
        "guest_file_fills": counts.file_fills,
        "guest_swap_reads": counts.majors,
        "guest_swap_writes": counts.write_backs,
    }
    causes = {
        "demand_faults": counts.host_misses[None, :] - counts.misses[:, None],
        "double_faults": counts.write_backs[:, None],
        "fill_reads": (evictions - counts.write_backs)[:, None],
    }
    by_cause = {name: np.where(host_pages_out, n, 0) for name, n in causes.items()}
    host_majors = sum(by_cause.values())
    columns = {
        "guest_pages": g,
        "host_pages": h,
        **{name: n[:, None] for name, n in by_guest.items()},
        "host_major_faults": host_majors,
        **by_cause,
        "host_swap_reads": host_majors,
        "host_swap_writes": np.where(host_pages_out, counts.page_outs, 0),
    }
    shape = host_pages_out.shape
    surface = pd.DataFrame({name: np.broadcast_to(n, shape).ravel() for name, n in columns.items()})
    return with_device_io(surface)


class Anomaly(NamedTuple):
    """Two guests on one host: the one with more memory makes the devices read more."""

    host_pages: int
    guest_pages: int
    larger_guest_pages: int
    device_reads: float
    larger_device_reads: float

    @property
    def cost(self) -> float:
        """What the larger one reads more, and a balloon of the difference in size saves."""
        return self.larger_device_reads - self.device_reads


def anomaly(surface: pd.DataFrame) -> Anomaly | None:
    """Where a guest larger than its host costs most more than the largest that fits; None if nowhere."""
    guests, hosts, reads = surface[["guest_pages", "host_pages", "device_reads"]].to_numpy().T
    found = []
    for host in np.unique(hosts):
        fits, larger = (hosts == host) & (guests <= host), (hosts == host) & (guests > host)
        if fits.any() and larger.any():
            least, most = np.where(fits, guests, -1).argmax(), np.where(larger, reads, -1).argmax()
            sizes = int(host), int(guests[least]), int(guests[most])
            found.append(Anomaly(*sizes, float(reads[least]), float(reads[most])))
    worst = max(found, key=lambda pair: pair.cost, default=None)
    return worst if worst is not None and worst.cost > 0 else None


def comparable(surface: pd.DataFrame) -> bool:
    """Whether some host has both a guest that fits into it and one that does not."""
    fits = surface["guest_pages"] <= surface["host_pages"]
    return bool((fits.groupby(surface["host_pages"]).nunique() == 2).any())


def with_device_io(counters: pd.DataFrame) -> pd.DataFrame:
    """The table with what all devices read and wrote in three more columns."""
    reads = counters["guest_swap_reads"] + counters["guest_file_fills"] + counters["host_swap_reads"]
    writes = counters["guest_swap_writes"] + counters["host_swap_writes"]
    return counters.assign(device_reads=reads, device_writes=writes, total_io=reads + writes)
