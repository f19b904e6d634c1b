"""What the generators of hosts share: VMs on one clock, and whose pages hold what.

A content is made from a *key*: 0 for the zero page, else a kind and a number below 2⁴⁸.  Equal keys of one
seed are equal contents; hosts of different seeds have nothing but the zero page in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.trace.hashing import mixed
from tracereplay.trace.schema import MAX_VMS, Metadata, Op, VMInfo
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import bits, shuffled, slices, uniform
from tracereplay.trace.synth._one_vm import expect

OWN, SELF, INTER, CROSS = range(1, 5)
"""Kinds of contents: one page's own, or shared within a VM, between VMs of a family, between families."""
_KIND_BITS, _SLOT_BITS = 48, 32
_MOST_PAGES = 1 << _SLOT_BITS
_SALT, _SHIFT, _PAGE, ORDER = range(4)

Keys = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Keys of the contents (uint64) of some pages: ``keys(vm, slot)``, both int64 arrays."""


class Rows(NamedTuple):
    """Some rows of a host, arrays of equal length."""

    page: np.ndarray
    op: np.ndarray
    content: np.ndarray
    known: np.ndarray


class Host(NamedTuple):
    """VMs of ``pages`` pages each, whose accesses take ``duration`` ns.

    A *slot* is a page by what it holds.  Where in memory it lies is chosen by the seed: for all VMs alike, or
    with ``aslr`` at another distance in each.
    """

    vms: tuple[VMInfo, ...]
    pages: int
    duration: int
    seed: int
    aslr: bool = False


def in_turn(families: Sequence[str], vms: int) -> list[str]:
    """The family of each of ``vms`` VMs; ValueError for too few or too many."""
    expect(0 < vms <= MAX_VMS, "vms", vms, f"at least 1 and at most {MAX_VMS}")
    return [families[vm % len(families)] for vm in range(vms)]


def new_host(families: Sequence[str], pages: int, duration: int, seed: int, *, aslr: bool = False) -> Host:
    """A VM of each family, called linux0, windows1, …; ValueError for too few or too many pages, no time."""
    expect(0 < pages <= _MOST_PAGES, "pages", pages, f"at least 1 and at most {_MOST_PAGES}")
    expect(duration > 0, "duration", duration, "more than 0")
    infos = tuple(VMInfo(f"{family}{i}", family) for i, family in enumerate(families))
    return Host(infos, pages, duration, seed, aslr)


def scaled_pages(mebibytes: int, scale: float, vms: int) -> int:
    """Pages of each VM that shares ``scale`` of so much memory; ValueError where that is none."""
    pages = round(mebibytes * 256 * scale / vms)
    expect(pages > 0, "scale", scale, "enough for a page of each VM")
    return pages


def key(kind: int, number: np.ndarray) -> np.ndarray:
    """The keys (uint64) of the contents of one kind."""
    return number.astype(np.uint64) | np.uint64(kind << _KIND_BITS)


def own(vm: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Keys of contents that only this page has."""
    return key(OWN, vm << _SLOT_BITS | slot)


def contents(keys: np.ndarray, seed: int) -> np.ndarray:
    """The contents (uint64) that keys stand for."""
    return np.where(keys == 0, np.uint64(0), mixed(keys ^ bits(seed, _SALT, 0, 1)))


def filled(host: Host, keys: Keys, touches: int) -> Generated:
    """Every VM fills its memory page by page, side by side with the others, then reads pages at random.

    ``touches`` accesses for each page; the first one stores its content: shared ones are read from a file,
    zeros and own ones written.  Later reads have no content.
    """
    expect(touches > 0, "touches", touches, "at least 1")
    n_vms = len(host.vms)
    size = n_vms * host.pages
    slot_of = shuffled(host.seed, ORDER, host.pages).astype(np.int64)
    shift = (uniform(host.seed, _SHIFT, 0, n_vms) * host.pages * host.aslr).astype(np.int64)

    def rows(index: np.ndarray) -> Rows:
        start, n = int(index[0]), len(index)
        page = (uniform(host.seed, _PAGE, start, n) * host.pages).astype(np.uint64)
        op, content = np.full(n, Op.READ, np.uint8), np.zeros(n, np.uint64)
        first = index[: max(size - start, 0)]
        new, vm = len(first), first % n_vms
        found = keys(vm, slot_of[(first // n_vms + shift[vm]) % host.pages])
        page[:new] = first // n_vms
        op[:new][found >> np.uint64(_KIND_BITS) <= OWN] = Op.WRITE
        content[:new] = contents(found, host.seed)
        return Rows(page, op, content, np.arange(n) < new)

    return clocked(host, touches * size, rows)


def clocked(host: Host, n_rows: int, rows: Callable[[np.ndarray], Rows]) -> Generated:
    """The rows of a host, VM by VM in turn, evenly over its duration; ``rows(index)`` makes some of them."""
    metadata = Metadata(time_unit="ns", page_space="guest-physical", vms=host.vms)
    return Generated(_batches(host, n_rows, rows), metadata)


def _batches(host: Host, n_rows: int, rows: Callable[[np.ndarray], Rows]) -> Iterator[pa.RecordBatch]:
    for start, n in slices(n_rows):
        index = np.arange(start, start + n)
        found = rows(index)
        yield pa.record_batch(
            {
                "time": (index * (host.duration / n_rows)).astype(np.uint64),
                "vm": (index % len(host.vms)).astype(np.uint16),
                "page": found.page,
                "op": found.op,
                "content": pa.array(found.content, mask=~found.known),
            }
        )
