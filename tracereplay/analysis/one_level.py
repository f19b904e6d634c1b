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
from tracereplay.core.hooks import host_hit, host_insert, host_victim
from tracereplay.trace.feed import ahead
from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Trace

ABSENT = -1


class State(NamedTuple):
    slot_of: np.ndarray  # int32[pages], or ABSENT
    page_of: np.ndarray  # int32[frames]
    used: np.ndarray  # int64[1], frames in use
    misses: np.ndarray  # int64[1], first touches included
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


def bring_in(s, page):
    """Bring in a page, in place of the policy's victim once all frames are used."""
    if s.used[0] < s.page_of.shape[0]:
        slot = s.used[0]
        s.used[0] += 1
    else:
        slot = host_victim(s.policy, 0)
        s.slot_of[s.page_of[slot]] = ABSENT
    s.page_of[slot] = page
    s.slot_of[page] = slot
    host_insert(s.policy, 0, slot)


class OneLevel:
    """A memory of ``frames`` pages under a policy such as ``"lru"``, empty at first."""

    def __init__(self, policy: str, frames: int, *, seed: int = 0, jit: bool = True) -> None:
        if frames < 1:
            raise ValueError(f"frames: found {frames}; expected at least 1")
        name, params = policies.parse(policy)
        self._touch_all = _kernel(name, jit)
        stream = np.array([rng.stream_state(seed, rng.HOST_POLICY)], np.uint64)
        self._state = State(
            slot_of=np.full(0, ABSENT, np.int32),
            page_of=np.full(frames, ABSENT, np.int32),
            used=np.zeros(1, np.int64),
            misses=np.zeros(1, np.int64),
            policy=policies.get(name).init([frames], stream, **params),
        )

    @property
    def misses(self) -> int:
        """Misses so far, first touches included."""
        return int(self._state.misses[0])

    def touch(self, pages: np.ndarray, n_pages: int) -> None:
        """Touch dense page ids (int32) below ``n_pages`` in order."""
        old = self._state.slot_of
        if n_pages > len(old):
            slot_of = np.full(max(n_pages, len(old) * 3 // 2), ABSENT, np.int32)
            slot_of[: len(old)] = old
            self._state = self._state._replace(slot_of=slot_of)
        self._touch_all(self._state, pages)


@functools.cache
def _kernel(policy: str, jit: bool) -> _jit.Kernel:
    hooks = {f"host_{hook}": function for hook, function in policies.hooks(policy).items()}
    return _jit.specialise(touch_all, hooks, tag=policy, jit=jit)


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
