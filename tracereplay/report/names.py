"""One table of names: what tracereplay, esxtop and Linux's KSM call the same quantity of a VM's memory.

A vocabulary lists what a per-VM table shows, in order.  esxtop counts memory in MB of 2^20 bytes
(`esxtop` memory panel, VMware vSphere Resource Management); KSM in pages (Linux,
Documentation/admin-guide/mm/ksm.rst).  Quantities that a vocabulary has no name for keep ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from tracereplay.problems import one_of

MIB = 1 << 20


class Column(NamedTuple):
    """A column of a per-VM table: its title, what is in it, in which unit."""

    title: str
    value: Callable[[pd.DataFrame], pd.Series]
    unit: str
    meaning: str


def _own(name: str, unit: str, meaning: str, title: str | None = None) -> Column:
    return Column(title or name, lambda vms: vms[name], unit, meaning)


_MEMORY = _own("memory_pages", "pages", "configured memory")
_FAULTS = (
    _own("guest_major_faults", "faults", "pages that the guest read back from its own swap"),
    _own("host_major_faults", "faults", "touches of memory that the hypervisor had paged out"),
    Column(
        "double_paging",
        lambda vms: vms["double_faults"] + vms["stale_reads"] + vms["false_reads"],
        "faults",
        "host major faults that only double paging caused: double_faults + stale_reads + false_reads",
    ),
)
_TIME = Column("estimated_ms", lambda vms: vms["estimated_ns"] / 1e6, "ms", "estimated time")

VOCABULARIES: dict[str, tuple[Column, ...]] = {
    "tracereplay": (
        _MEMORY,
        *_FAULTS,
        _own("ballooned", "pages", "held by the balloon"),
        _own("swapped", "pages", "paged out by the hypervisor"),
        _own("shared", "pages", "mapped copy-on-write"),
        _own("reclaimed", "pages", "saved by sharing"),
        _TIME,
    ),
    "esxtop": (
        _own("memory_pages", "MB", "configured memory", "MEMSZ"),
        _own("resident", "MB", "guest memory that is backed", "GRANT"),
        _own("ballooned", "MB", "held by the balloon", "MCTLSZ"),
        _own("swapped", "MB", "paged out by the hypervisor", "SWCUR"),
        _own("shared", "MB", "mapped copy-on-write", "SHRD"),
        _own("reclaimed", "MB", "saved by sharing", "SHRDSVD"),
        _own("reclaimed_zero", "MB", "of it, zero pages", "ZERO"),
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
            "further mappings of shared frames: what sharing saves",
        ),
        _own("pages_unshared", "pages", "unique, checked again at every scan"),
        _own("pages_volatile", "pages", "changed between two scans"),
        _own("zero_mapped", "pages", "mapped to the kernel's zero page", "ksm_zero_pages"),
        *_FAULTS,
        _TIME,
    ),
}
"""Vocabulary → the columns of its per-VM table."""


def vm_table(vms: pd.DataFrame, vocabulary: str, page_size: int) -> tuple[pd.DataFrame, list[Column]]:
    """``Result.vms`` in a vocabulary: a row per VM and one for all, without columns that are zero throughout.

    ValueError for an unknown vocabulary, with a suggestion.
    """
    one_of(vocabulary, VOCABULARIES)
    columns = [c for c in VOCABULARIES[vocabulary] if c is _MEMORY or c is _TIME or c.value(vms).any()]
    table = pd.DataFrame({c.title: _in_unit(c.value(vms), c.unit, page_size) for c in columns})
    table.loc["all VMs"] = table.sum()
    return table, columns


def _in_unit(pages: pd.Series, unit: str, page_size: int) -> pd.Series:
    return pages * page_size / MIB if unit == "MB" else pages
