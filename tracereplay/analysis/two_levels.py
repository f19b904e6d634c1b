"""Two levels of LRU memory, one inside the other, at all sizes at once: what the accesses of one VM cause.

The guest's stack of pages is the host's stack of guest memory: an access at distance s misses in the guests
of at most s pages and in the hosts of at most s frames, and what a guest evicts lies as deep in the host.
Beside the distance of each access, it takes what memories have to write when a page leaves them:

- A guest that holds a page has it dirty if it has not missed it since the last write: if it is larger than
  every distance since then.
- A host's frame is dirty if the last access to it that wrote, or missed in the host, was a write or a miss in
  the guest, too, which fills the frame.  For each host, the guests in which that is so are the smallest
  ones, since what misses in a guest misses in all smaller ones; a page is kept with how many they are.

Source of the first: Thompson and Smith, "Efficient (stack) algorithms for analysis of write-back and sector
memories", ACM Transactions on Computer Systems 1989.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.analysis.stack_distance import StackDistances
from tracereplay.core import _jit
from tracereplay.trace.ids import read_only
from tracereplay.trace.schema import Op

MOST_SIZES = 2**16 - 1
"""Sizes of either level are numbered in 16 bits."""
_ZEROS, _KNOWN, _UNKNOWN = 0, 1, 2
_READ, _WRITE, _FILE = 0, 1, 2
_OP_WRITE = int(Op.WRITE)


class Pages(NamedTuple):
    """What is kept of each page; guests and hosts go by number, the smallest first."""

    holds: np.ndarray  # uint8: _ZEROS that nobody wrote, or bytes that are _KNOWN or _UNKNOWN
    content: np.ndarray  # uint64, where _KNOWN
    dirty_from: np.ndarray  # uint16: the first guest in which the page is dirty if it is there
    dirty_below: np.ndarray  # uint16[pages, hosts]: the first guest in which its frame is not dirty


class Tallies(NamedTuple):
    """Counts of what holds for so many guests, or hosts, from the smallest on; int64[guests + 1] mostly."""

    misses: np.ndarray
    majors: np.ndarray  # misses of pages that the guest's swap holds
    file_fills: np.ndarray
    write_backs: np.ndarray  # as differences: more of them from this guest on
    host_misses: np.ndarray  # int64[hosts + 1]
    page_outs: np.ndarray  # int64[guests + 1, hosts]: dirty frames that leave the host


class State(NamedTuple):
    pages: Pages
    tallies: Tallies


def account(s, rows, guests, hosts):
    """Account for accesses ``rows`` (page, op, content, known), each a miss in so many guests and hosts."""
    page, op, content, known = rows
    for i in range(page.shape[0]):
        p = np.int64(page[i])
        in_swap = s.pages.holds[p] != _ZEROS
        kind = kind_of(s.pages, p, op[i], content[i], known[i])
        s.tallies.misses[guests[i]] += 1
        s.tallies.host_misses[hosts[i]] += 1
        if in_swap:
            s.tallies.majors[guests[i]] += 1
        elif kind == _FILE:
            s.tallies.file_fills[guests[i]] += 1
        leave(s, p, guests[i], hosts[i])
        come_back(s, p, kind, guests[i], hosts[i])


def kind_of(pages, p, op, content, known):
    """What an access does: _READ, _WRITE, or show that zeros have become something else, _FILE.

    In guests that hold the page the last is a write that nobody traced; in the others a file was read.
    """
    kind = _READ
    other = known and pages.holds[p] == _KNOWN and pages.content[p] != content
    if other or op == _OP_WRITE:
        kind = _WRITE
    elif known and pages.holds[p] == _ZEROS and content != 0:
        kind = _FILE
    if kind != _READ or (known and pages.holds[p] == _UNKNOWN):
        pages.holds[p] = _KNOWN if known else _UNKNOWN
        pages.content[p] = content
    return kind


def leave(s, p, guests, hosts):
    """The page has left so many guests and hosts since its last access."""
    first = np.int64(s.pages.dirty_from[p])
    if guests > first:
        s.tallies.write_backs[first] += 1
        s.tallies.write_backs[guests] -= 1
    for host in range(hosts):
        s.tallies.page_outs[np.int64(s.pages.dirty_below[p, host]), host] += 1


def come_back(s, p, kind, guests, hosts):
    """The page is in all memories now: it came into so many guests and hosts, and may be written."""
    everywhere = s.tallies.misses.shape[0] - 1
    if kind == _WRITE:
        s.pages.dirty_from[p] = 0
    elif kind == _FILE or guests > np.int64(s.pages.dirty_from[p]):
        s.pages.dirty_from[p] = guests
    dirty_below = guests if kind == _READ else everywhere
    for host in range(hosts):
        s.pages.dirty_below[p, host] = dirty_below
    if kind != _READ:
        # the larger a host, the longer ago its frame was filled, by a miss at a greater distance
        host = hosts
        while host < s.tallies.page_outs.shape[1] and s.pages.dirty_below[p, host] != everywhere:
            s.pages.dirty_below[p, host] = everywhere
            host += 1


def settle(s, guests, hosts):
    """At the end, each page has left so many guests and hosts since its last access."""
    for p in range(guests.shape[0]):
        leave(s, np.int64(p), guests[p], hosts[p])


class Counts(NamedTuple):
    """What all accesses caused, int64 by guest, by host, or by both, of the sizes in their order."""

    accesses: int
    pages: int  # distinct ones
    misses: np.ndarray  # [guests], first touches included
    majors: np.ndarray  # [guests]: those that read the guest's swap
    file_fills: np.ndarray  # [guests]: those that read a file
    write_backs: np.ndarray  # [guests]: pages written to the guest's swap
    host_misses: np.ndarray  # [hosts]: what one level of that many frames would miss
    page_outs: np.ndarray  # [guests, hosts]: frames written to host swap where the host is the smaller


class TwoLevels:
    """Guests and hosts of the given sizes (int64, ascending, at most MOST_SIZES of each), empty at first.

    Memory is some 2 bytes for each page and size of a host, and some 25 for each page.
    """

    def __init__(self, guest_sizes: np.ndarray, host_sizes: np.ndarray, *, jit: bool = True) -> None:
        self._guest_sizes, self._host_sizes = guest_sizes, host_sizes
        self._jit = jit
        self._stack = StackDistances(jit=jit)
        n, m = len(guest_sizes), len(host_sizes)
        tallies = Tallies(
            misses=np.zeros(n + 1, np.int64),
            majors=np.zeros(n + 1, np.int64),
            file_fills=np.zeros(n + 1, np.int64),
            write_backs=np.zeros(n + 1, np.int64),
            host_misses=np.zeros(m + 1, np.int64),
            page_outs=np.zeros((n + 1, m), np.int64),
        )
        self._state = State(_pages(0, n, m), tallies)

    def touch(self, rows: Sequence[np.ndarray], n_pages: int) -> None:
        """Accesses in order: page (int32, dense ids below ``n_pages``), op, content, known as of a Batch.

        None of them may be a FREE row.
        """
        self._reserve(n_pages)
        page, *others = rows
        missed = self._missed(self._stack.touch(page, n_pages))
        _kernel("account", self._jit)(self._state, (page, *map(read_only, others)), *missed)

    def counts(self) -> Counts:
        """What the accesses caused; to be asked once, after the last of them."""
        depths = self._stack.depths()
        # a page that was never accessed has left nothing
        _kernel("settle", self._jit)(self._state, *self._missed(np.maximum(depths, 0)))
        t = self._state.tallies
        return Counts(
            accesses=int(t.misses.sum()),
            pages=int(np.count_nonzero(depths >= 0)),
            misses=_holding(t.misses),
            majors=_holding(t.majors),
            file_fills=_holding(t.file_fills),
            write_backs=t.write_backs[:-1].cumsum(),
            host_misses=_holding(t.host_misses),
            page_outs=_holding(t.page_outs),
        )

    def _missed(self, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many guests and how many hosts miss at each distance; all do at that of a first touch, −1."""
        distances = distances.view(np.uint64)
        guests = np.searchsorted(self._guest_sizes.view(np.uint64), distances, side="right")
        return guests, np.searchsorted(self._host_sizes.view(np.uint64), distances, side="right")

    def _reserve(self, n_pages: int) -> None:
        old = self._state.pages
        if n_pages > len(old.holds):
            more = max(n_pages, len(old.holds) * 3 // 2) - len(old.holds)
            new = _pages(more, len(self._guest_sizes), len(self._host_sizes))
            pages = Pages(*(np.concatenate(columns) for columns in zip(old, new, strict=True)))
            self._state = self._state._replace(pages=pages)


def _pages(n: int, n_guests: int, n_hosts: int) -> Pages:
    """So many pages that nobody has touched: dirty nowhere."""
    return Pages(
        holds=np.full(n, _ZEROS, np.uint8),
        content=np.zeros(n, np.uint64),
        dirty_from=np.full(n, n_guests, np.uint16),
        dirty_below=np.zeros((n, n_hosts), np.uint16),
    )


def _holding(tallies: np.ndarray) -> np.ndarray:
    """From counts of what holds for so many sizes, what holds for each."""
    return tallies[::-1].cumsum(axis=0)[-2::-1]


_KERNELS: dict[str, _jit.Kernel] = {kernel.__name__: kernel for kernel in (account, settle)}


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    return _jit.specialise(_KERNELS[name], jit=jit)
