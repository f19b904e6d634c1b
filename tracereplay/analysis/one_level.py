"""One level of memory: what a single cache of so many page frames would miss.

The textbook setting, and the one in which other simulators can be compared with.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tracereplay import policies
from tracereplay.core import _jit, rng
from tracereplay.core.hooks import host_expect, host_hit, host_insert, host_victim
from tracereplay.trace.feed import ahead
from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Trace
from tracereplay.trace.schema import Op

ABSENT = -1


class State(NamedTuple):
    slot_of: np.ndarray  # int32[pages], or ABSENT
    page_of: np.ndarray  # int32[frames]
    used: np.ndarray  # int64[1], frames in use
    misses: np.ndarray  # int64[1], first touches included
    dirty: np.ndarray  # bool[pages], in memory and written since it came
    write_backs: np.ndarray  # int64[1], dirty pages that had to leave
    policy: Any


def touch_all(s, pages):
    """Touch ``pages`` (int32 ids) in order."""
    misses = s.misses[0]
    for i in range(pages.shape[0]):
        page = np.int64(pages[i])
        slot = np.int64(s.slot_of[page])
        if slot >= 0:
            host_hit(s.policy, 0, slot)
        else:
            misses += 1
            bring_in(s, page)
    s.misses[0] = misses


def access_all(s, pages, writes, hit_on_load):
    """As ``touch_all``, where ``writes`` (bool) says which touches make their page dirty.

    With ``hit_on_load`` the access that brings a page in counts as a hit of it, too.
    """
    for i in range(pages.shape[0]):
        page = np.int64(pages[i])
        slot = np.int64(s.slot_of[page])
        if slot >= 0:
            host_hit(s.policy, 0, slot)
        else:
            s.misses[0] += 1
            left = bring_in(s, page)
            if left != ABSENT and s.dirty[left]:
                s.write_backs[0] += 1
                s.dirty[left] = False
            if hit_on_load:
                host_hit(s.policy, 0, np.int64(s.slot_of[page]))
        s.dirty[page] |= writes[i]


def bring_in(s, page):
    """Bring in a page; once all frames are used, in place of the policy's victim, which is returned."""
    left = np.int64(ABSENT)
    host_expect(s.policy, 0, page)
    if s.used[0] < s.page_of.shape[0]:
        slot = s.used[0]
        s.used[0] += 1
    else:
        slot = host_victim(s.policy, 0)
        left = np.int64(s.page_of[slot])
        s.slot_of[left] = ABSENT
    s.page_of[slot] = page
    s.slot_of[page] = slot
    host_insert(s.policy, 0, slot)
    return left


class OneLevel:
    """A memory of ``frames`` pages under a policy such as ``"lru"``, empty at first."""

    def __init__(self, policy: str, frames: int, *, seed: int = 0, jit: bool = True) -> None:
        if frames < 1:
            raise ValueError(f"frames: found {frames}; expected at least 1")
        name, params = policies.parse(policy)
        self._touch_all = _kernel(touch_all, name, jit)
        self._access_all = _kernel(access_all, name, jit)
        stream = np.array([rng.stream_state(seed, rng.HOST_POLICY)], np.uint64)
        self._state = State(
            slot_of=np.full(0, ABSENT, np.int32),
            page_of=np.full(frames, ABSENT, np.int32),
            used=np.zeros(1, np.int64),
            misses=np.zeros(1, np.int64),
            dirty=np.zeros(0, np.bool_),
            write_backs=np.zeros(1, np.int64),
            policy=policies.get(name).init([frames], stream, **params),
        )

    @property
    def misses(self) -> int:
        """Misses so far, first touches included."""
        return int(self._state.misses[0])

    @property
    def write_backs(self) -> int:
        """Dirty pages that had to leave so far."""
        return int(self._state.write_backs[0])

    def touch(self, pages: np.ndarray, n_pages: int) -> None:
        """Touch dense page ids (int32) below ``n_pages`` in order."""
        self._reserve(n_pages)
        self._touch_all(self._state, pages)

    def access(
        self, pages: np.ndarray, n_pages: int, writes: np.ndarray, *, hit_on_load: bool = False
    ) -> None:
        """As ``touch``, where ``writes`` (bool) says which touches make their page dirty.

        With ``hit_on_load`` the access that brings a page in counts as a hit of it, too.
        """
        self._reserve(n_pages)
        self._access_all(self._state, pages, writes, hit_on_load)

    def _reserve(self, n_pages: int) -> None:
        old, dirty = self._state.slot_of, self._state.dirty
        if n_pages > len(old):
            more = max(n_pages, len(old) * 3 // 2) - len(old)
            self._state = self._state._replace(
                slot_of=np.concatenate([old, np.full(more, ABSENT, np.int32)]),
                dirty=np.concatenate([dirty, np.zeros(more, np.bool_)]),
            )


@functools.cache
def _kernel(entry: _jit.Kernel, policy: str, jit: bool) -> _jit.Kernel:
    hooks = {f"host_{hook}": function for hook, function in policies.hooks(policy).items()}
    return _jit.specialise(entry, hooks, tag=policy, jit=jit)


def dense_pages(trace: Trace) -> Iterator[tuple[np.ndarray, int]]:
    """The dense page ids of a trace in batches, each with how many ids there are so far."""
    ids = Ids(trace.n_vms, expected=sum(vm.pages or 0 for vm in trace.metadata.vms))
    for batch in trace.batches(("vm", "page")):
        yield ids.encode(batch.page, batch.vm), len(ids)


def count_misses(trace: Trace, policy: str, frames: int, *, seed: int = 0) -> int:
    """Misses of one memory of ``frames`` pages shared by all VMs of a trace, first touches included."""
    memory = OneLevel(policy, frames, seed=seed)
    for pages, n_pages in ahead(dense_pages(trace)):
        memory.touch(pages, n_pages)
    return memory.misses


class Traffic(NamedTuple):
    """What one memory reads and writes; a FREE row is no access."""

    accesses: int
    misses: int  # first touches included
    write_backs: int  # pages that had to leave after a write
    frees: int  # rows left out


def count_traffic(
    trace: Trace, policy: str, frames: int, *, seed: int = 0, hit_on_load: bool = False
) -> Traffic:
    """What one memory of ``frames`` pages shared by all VMs of a trace reads and writes.

    ``hit_on_load``: the access that brings a page in counts as a hit, too, so that CLOCK's reference bit is
    set on load, as many textbooks have it.
    """
    memory = OneLevel(policy, frames, seed=seed)
    ids = Ids(trace.n_vms, expected=sum(vm.pages or 0 for vm in trace.metadata.vms))
    accesses = frees = 0
    for batch in ahead(trace.batches(("vm", "page", "op"))):
        kept = batch.op != Op.FREE
        pages = ids.encode(batch.page, batch.vm)[kept]
        memory.access(pages, len(ids), batch.op[kept] == Op.WRITE, hit_on_load=hit_on_load)
        accesses += len(pages)
        frees += len(kept) - len(pages)
    return Traffic(accesses, memory.misses, memory.write_backs, frees)
