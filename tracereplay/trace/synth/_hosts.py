"""What the generators of hosts share: VMs on one clock, and whose pages hold what.

A content is made from a *key*: 0 for the zero page, else a kind and a number below 2⁴⁸.  Equal keys of one seed
are equal contents; hosts of different seeds have nothing but the zero page in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.trace.schema import Metadata, Op, VMInfo
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import bits, mixed, shuffled, slices, uniform
from tracereplay.trace.synth._one_vm import expect

ZERO, OWN, SELF, INTER, CROSS = range(5)
"""Kinds of contents: zero, one page's own, or shared within a VM, between VMs, between families."""
_KIND_BITS = 48
_ORDER, _SHIFT, _PAGE, _SALT = range(4)

Keys = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Keys of the contents (uint64) of some pages: ``keys(vm, slot)``, both int64 arrays."""


class Rows(NamedTuple):
    """Some rows of a host, arrays of equal length."""

    page: np.ndarray
    op: np.ndarray
    content: np.ndarray
    known: np.ndarray


class Host(NamedTuple):
    """VMs that have ``pages`` pages each.

    A *slot* is a page by what it holds; where in memory it lies is chosen by the seed: for all VMs alike, or
    with ``aslr`` for each by itself.
    """

    vms: tuple[VMInfo, ...]
    pages: int
    duration: int
    seed: int
    aslr: bool = False


def vm_infos(families: list[str]) -> tuple[VMInfo, ...]:
    """A VM of each family, called linux0, windows1, …"""
    return tuple(VMInfo(f"{family}{i}", family) for i, family in enumerate(families))


def key(kind: int, number: np.ndarray) -> np.ndarray:
    """The keys (uint64) of the contents of one kind."""
    return number.astype(np.uint64) | np.uint64(kind << _KIND_BITS)


def own(vm: np.ndarray, slot: np.ndarray) -> np.ndarray:
    """Keys of contents that only this page has."""
    return key(OWN, vm << 32 | slot)


def contents(keys: np.ndarray, seed: int) -> np.ndarray:
    """The contents (uint64) that keys stand for."""
    return np.where(keys == 0, np.uint64(0), mixed(keys ^ bits(seed, _SALT, 0, 1)))


def filled(host: Host, keys: Keys, touches: int) -> Generated:
    """Every VM fills its memory, side by side with the others, then reads pages at random.

    ``touches`` accesses for each page; the first one stores its content: shared ones are read from a file,
    zeros and own ones written.  Later reads have no content.
    """
    expect(touches > 0, "touches", touches, "at least 1")
    place = _placed(host)
    n_vms = len(host.vms)
    size = n_vms * host.pages

    def rows(index: np.ndarray) -> Rows:
        vm, slot = index % n_vms, index // n_vms
        new = int(np.searchsorted(index, size))
        page = (uniform(host.seed, _PAGE, int(index[0]), len(index)) * host.pages).astype(np.uint64)
        page[:new] = place(vm[:new], slot[:new])
        op, content = np.full(len(index), Op.READ, np.uint8), np.zeros(len(index), np.uint64)
        found = keys(vm[:new], slot[:new])
        op[:new][found >> np.uint64(_KIND_BITS) <= OWN] = Op.WRITE
        content[:new] = contents(found, host.seed)
        return Rows(page, op, content, np.arange(len(index)) < new)

    return clocked(host, touches * size, rows)


def zeroed(host: Host, used: int) -> Generated:
    """Every VM writes zeros to all of its pages, then contents of their own to ``used`` of them."""
    place = _placed(host)
    n_vms = len(host.vms)
    size = n_vms * host.pages

    def rows(index: np.ndarray) -> Rows:
        vm, slot = index % n_vms, index % size // n_vms
        content = np.where(index < size, np.uint64(0), contents(own(vm, slot), host.seed))
        op = np.full(len(index), Op.WRITE, np.uint8)
        return Rows(place(vm, slot), op, content, np.ones(len(index), np.bool_))

    return clocked(host, size + n_vms * used, rows)


def _placed(host: Host) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The page (uint64) where a VM has a slot."""
    expect(host.pages > 0, "pages", host.pages, "at least 1")
    expect(len(host.vms) > 0, "vms", len(host.vms), "at least 1")
    page_of = shuffled(host.seed, _ORDER, host.pages)
    shift = (uniform(host.seed, _SHIFT, 0, len(host.vms)) * host.pages * host.aslr).astype(np.int64)
    return lambda vm, slot: page_of[(slot + shift[vm]) % host.pages]


def clocked(host: Host, n_rows: int, rows: Callable[[np.ndarray], Rows]) -> Generated:
    """The rows of a host, VM by VM in turn, evenly over its duration in ns."""
    return Generated(
        _batches(host, n_rows, rows), Metadata(time_unit="ns", page_space="guest-physical", vms=host.vms)
    )


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
