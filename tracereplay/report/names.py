"""One table of names: what tracereplay, esxtop and Linux's KSM call the same quantity of a VM's memory.

A vocabulary lists the columns of a per-VM table, in order.  esxtop counts memory in MB of 2^20 bytes (memory
panel; VMware, vSphere Monitoring and Performance); KSM counts pages (Linux,
Documentation/admin-guide/mm/ksm.rst).  What a vocabulary has no word for keeps ours.

Of esxtop's columns three have no data: SZTGT and TCHD come from its allocation of memory by shares and
activity, which a replay does not have; COWH estimates sharing from hints, which are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from tracereplay.problems import one_of

if TYPE_CHECKING:
    from tracereplay.result import Result

MIB = 1 << 20
TARGET = "balloon_target"
ALL_VMS = "all VMs"


class Column(NamedTuple):
    """A column of a per-VM table: its title, what is in it, in which unit.

    ``value`` takes ``Result.vms`` with the last balloon targets beside it.  ``always``: shown even where it
    is zero throughout.
    """

    title: str
    value: Callable[[pd.DataFrame], pd.Series]
    unit: str
    meaning: str
    always: bool = False


def _own(name: str, unit: str, meaning: str, title: str | None = None, *, always: bool = False) -> Column:
    return Column(title or name, lambda vms: vms[name], unit, meaning, always)


_MEMORY = _own("memory_pages", "pages", "configured memory", always=True)
_FAULTS = (
    _own("guest_major_faults", "faults", "pages that the guest read back from its own swap", always=True),
    _own(
        "host_major_faults",
        "faults",
        "touches of guest memory that the hypervisor had paged out",
        always=True,
    ),
    Column(
        "double_paging",
        lambda vms: vms["double_faults"] + vms["stale_reads"] + vms["false_reads"],
        "faults",
        "host major faults that only double paging caused: double_faults + stale_reads + false_reads",
    ),
)
_TIME = Column(
    "estimated_ms", lambda vms: vms["estimated_ns"] / 1e6, "ms", "events times their costs, an estimate", True
)

VOCABULARIES: dict[str, tuple[Column, ...]] = {
    "tracereplay": (
        _MEMORY,
        *_FAULTS,
        _own("ballooned", "pages", "held by the balloon as the run ended"),
        _own("swapped", "pages", "paged out by the hypervisor as the run ended"),
        _own("shared", "pages", "mapped copy-on-write as the run ended"),
        _own("reclaimed", "pages", "saved by sharing as the run ended"),
        _TIME,
    ),
    "esxtop": (
        _own("memory_pages", "MB", "configured memory", "MEMSZ", always=True),
        _own("resident", "MB", "guest memory that is backed, shared pages included", "GRANT"),
        _own("ballooned", "MB", "held by the balloon", "MCTLSZ"),
        _own(TARGET, "MB", "asked of the balloon last", "MCTLTGT"),
        _own("swapped", "MB", "paged out by the hypervisor", "SWCUR"),
        _own("shared", "MB", "mapped copy-on-write", "SHRD"),
        _own("reclaimed", "MB", "saved by sharing", "SHRDSVD"),
        _own("reclaimed_zero", "MB", "of SHRDSVD: saved by sharing pages of zeros", "ZERO"),
        *_FAULTS,
        _TIME,
    ),
    "ksm": (
        _MEMORY,
        _own("shared_frames", "pages", "frames that are shared", "pages_shared"),
        Column(
            "pages_sharing",
            lambda vms: vms["reclaimed"] - vms["zero_mapped"],
            "pages",
            "further mappings of the frames in pages_shared: what they save",
        ),
        _own("pages_unshared", "pages", "private, last seen without an equal"),
        _own("pages_volatile", "pages", "private, changed between two scans"),
        _own("zero_mapped", "pages", "mapped to the kernel's zero page", "ksm_zero_pages"),
        *_FAULTS,
        _TIME,
    ),
}
"""Vocabulary → the columns of its per-VM table."""


def labels(vms: Collection[str], reserved: Collection[str]) -> dict[str, str]:
    """What each VM is called beside ``reserved`` names: as ever, in parentheses where it is one of them."""
    taken, found = {*vms, *reserved}, {}
    for vm in vms:
        label = vm
        if vm in reserved:
            while label in taken:
                label = f"({label})"
        found[vm] = label
    return found


def vm_table(result: Result, vocabulary: str) -> tuple[pd.DataFrame, list[Column]]:
    """A row per VM and one for all, and its columns: those with something in them.

    ValueError for an unknown vocabulary, with a suggestion.
    """
    one_of(vocabulary, VOCABULARIES)
    vms, page_size = result.vms.assign(**{TARGET: _last_targets(result)}), result.machine["page_size"]
    columns = [c for c in VOCABULARIES[vocabulary] if c.always or c.value(vms).any()]
    table = pd.DataFrame({c.title: _in_unit(c.value(vms), c.unit, page_size) for c in columns})
    table = table.rename(index=labels(list(table.index), [ALL_VMS]))
    table.loc[ALL_VMS] = table.sum()
    return table, columns


def _last_targets(result: Result) -> pd.Series | int:
    """Pages asked of each VM's balloon last; 0 in runs of versions that did not record it."""
    if TARGET not in result.timeline:
        return 0
    return result.timeline.groupby("vm")[TARGET].last()


def _in_unit(pages: pd.Series, unit: str, page_size: int) -> pd.Series:
    return pages * page_size / MIB if unit == "MB" else pages
