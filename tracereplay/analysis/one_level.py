"""One level of memory: what a single cache of so many page frames would miss.

The textbook setting, and the one in which other simulators can be compared with.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tracereplay import policies
from tracereplay.analysis.next_use import NextUses
from tracereplay.core import _jit, rng
from tracereplay.core.arrays import grown
from tracereplay.core.engine import page_at
from tracereplay.core.hooks import (
    host_expect,
    host_hit,
    host_insert,
    host_remove,
    host_victim,
    load,
)
from tracereplay.trace.feed import ahead
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.reader import Trace
from tracereplay.trace.schema import Op

ABSENT = -1

_AHEAD = 32  # accesses between the prefetch of a page's entry and its use
_WRITE, _FREE = int(Op.WRITE), int(Op.FREE)


class State(NamedTuple):
    slot_of: np.ndarray  # int32[pages], or ABSENT
    page_of: np.ndarray  # int32[frames]
    free: np.ndarray  # int32[frames], stack of frames that hold no page
    n_free: np.ndarray  # int64[1]
    misses: np.ndarray  # int64[1], first touches included
    dirty: np.ndarray  # bool[pages], in memory and written since it came
    write_backs: np.ndarray  # int64[1], dirty pages that had to leave
    policy: Any


def touch_all(s, pages):
    """Touch ``pages`` (int32 ids) in order."""
    misses = s.misses[0]
    last = pages.shape[0] - 1
    for i in range(pages.shape[0]):
        load(s.slot_of, page_at(pages, min(i + _AHEAD, last)))
        page = page_at(pages, i)
        slot = np.int64(s.slot_of[page])
        if slot >= 0:
            host_hit(s.policy, 0, slot)
        else:
            misses += 1
            bring_in(s, page)
    s.misses[0] = misses


def access_all(s, pages, ops, hit_on_load):
    """As ``touch_all``, where ``ops`` (uint8) says which accesses write and which rows free their page.

    With ``hit_on_load`` the access that brings a page in counts as a hit of it, too.
    """
    last = pages.shape[0] - 1
    for i in range(pages.shape[0]):
        load(s.slot_of, page_at(pages, min(i + _AHEAD, last)))
        page = page_at(pages, i)
        slot = np.int64(s.slot_of[page])
        if ops[i] == _FREE:
            if slot >= 0:
                forget(s, page, slot)
            continue
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
        s.dirty[page] |= ops[i] == _WRITE


def bring_in(s, page):
    """Bring in a page; where no frame is free, in place of the policy's victim, which is returned."""
    left = np.int64(ABSENT)
    host_expect(s.policy, 0, page)
    if s.n_free[0] > 0:
        s.n_free[0] -= 1
        slot = np.int64(s.free[s.n_free[0]])
    else:
        slot = host_victim(s.policy, 0)
        left = np.int64(np.uint32(s.page_of[slot]))
        s.slot_of[left] = ABSENT
    s.page_of[slot] = page
    s.slot_of[page] = slot
    host_insert(s.policy, 0, slot)
    return left


def forget(s, page, slot):
    """Forget a page that is in memory; its frame is free."""
    host_remove(s.policy, 0, slot)
    s.slot_of[page] = ABSENT
    s.dirty[page] = False
    s.free[s.n_free[0]] = slot
    s.n_free[0] += 1


class OneLevel:
    """A memory of ``frames`` pages under a policy such as ``"lru"``, empty at first.

    ``needs_future`` is whether ``touch`` has to be told the next uses.
    """

    def __init__(self, policy: str, frames: int, *, seed: int = 0, jit: bool = True) -> None:
        if frames < 1:
            raise ValueError(f"frames: found {frames}; expected at least 1")
        name, params = policies.parse(policy)
        self._module = policies.get(name)
        self.needs_future = policies.needs_future(policy)
        self._touch_all = _kernel(touch_all, name, jit)
        self._access_all = _kernel(access_all, name, jit)
        stream = np.array([rng.stream_state(seed, rng.HOST_POLICY)], np.uint64)
        self._state = State(
            slot_of=np.full(0, ABSENT, np.int32),
            page_of=np.full(frames, ABSENT, np.int32),
            free=np.arange(frames, 0, -1, dtype=np.int32) - np.int32(1),
            n_free=np.array([frames], np.int64),
            misses=np.zeros(1, np.int64),
            dirty=np.zeros(0, np.bool_),
            write_backs=np.zeros(1, np.int64),
            policy=self._module.init([frames], stream, **params),
        )

    @property
    def misses(self) -> int:
        """Misses so far, first touches included."""
        return int(self._state.misses[0])

    @property
    def write_backs(self) -> int:
        """Dirty pages that had to leave so far."""
        return int(self._state.write_backs[0])

    def touch(
        self,
        pages: np.ndarray,
        n_pages: int,
        ops: np.ndarray | None = None,
        *,
        next_uses: np.ndarray | None = None,
        hit_on_load: bool = False,
    ) -> None:
        """Access dense page ids (int32) below ``n_pages`` in order.

        ``ops`` (uint8) says which accesses write and which rows free their page; without it all read.
        ``next_uses`` (int64, ``NextUses.take``) is for a policy that needs the future: a row's next use.
        With ``hit_on_load`` (and ``ops``) the access that brings a page in counts as a hit of it, too.
        """
        self._reserve(n_pages)
        if next_uses is not None:
            known = next_uses if ops is None else next_uses[ops != _FREE]
            self._state = self._state._replace(policy=self._module.foresee(self._state.policy, known))
        if ops is None:
            self._touch_all(self._state, pages)
        else:
            self._access_all(self._state, pages, ops, hit_on_load)

    def _reserve(self, n_pages: int) -> None:
        self._state = self._state._replace(
            slot_of=grown(self._state.slot_of, n_pages, ABSENT),
            dirty=grown(self._state.dirty, n_pages, False),
        )


@functools.cache
def _kernel(entry: _jit.Kernel, policy: str, jit: bool) -> _jit.Kernel:
    hooks = {f"host_{hook}": function for hook, function in policies.hooks(policy).items()}
    return _jit.specialise(entry, hooks, tag=policy, jit=jit)


class Rows(NamedTuple):
    """Consecutive rows of all VMs of a trace."""

    pages: np.ndarray  # int32, dense ids
    n_pages: int  # ids given out so far
    ops: np.ndarray | None  # uint8, read-only; None where the trace has no such column


def dense_rows(trace: Trace, *, ops: bool = True) -> Iterator[Rows]:
    """The rows of a trace in batches, pages as dense ids over all VMs; without ``ops`` all are accesses."""
    ops = ops and "op" in trace.columns
    ids = Ids(trace.n_vms, expected=sum(vm.pages or 0 for vm in trace.metadata.vms))
    for batch in trace.batches(("vm", "page", "op") if ops else ("vm", "page")):
        yield Rows(ids.encode(batch.page, batch.vm), len(ids), batch.op if ops else None)


class Traffic(NamedTuple):
    """What one memory reads and writes; a FREE row is no access."""

    accesses: int
    misses: int  # first touches included
    write_backs: int  # pages that had to leave after a write
    frees: int


def count_misses(trace: Trace, policy: str, frames: int, *, seed: int = 0) -> int:
    """Misses of one memory of ``frames`` pages shared by all VMs of a trace, first touches included."""
    memory = OneLevel(policy, frames, seed=seed)
    _replay(trace, memory, lambda rows: rows if _frees(rows) else rows._replace(ops=None), ops=trace.may_free)
    return memory.misses


def count_traffic(
    trace: Trace,
    policy: str,
    frames: int,
    *,
    seed: int = 0,
    hit_on_load: bool = False,
    heed_frees: bool = True,
) -> Traffic:
    """What one memory of ``frames`` pages shared by all VMs of a trace reads and writes.

    ``hit_on_load``: the access that brings a page in counts as a hit, too, so that CLOCK's reference bit is
    set on load, as many textbooks have it.  Without ``heed_frees`` pages stay in memory when they are freed.
    """
    memory = OneLevel(policy, frames, seed=seed)
    heeded = (lambda rows: rows) if heed_frees else _without_frees
    accesses = _replay(trace, memory, heeded, hit_on_load=hit_on_load)
    return Traffic(accesses, memory.misses, memory.write_backs, trace.n_rows - accesses)


def _replay(
    trace: Trace,
    memory: OneLevel,
    heeded: Callable[[Rows], Rows],
    *,
    hit_on_load: bool = False,
    ops: bool = True,
) -> int:
    """Replay what is ``heeded`` of the rows of a trace; how many of them are accesses."""
    accesses = 0
    with contextlib.ExitStack() as files:
        future = None
        if memory.needs_future:
            future = files.enter_context(NextUses(map(heeded, dense_rows(trace, ops=ops))))
        for pages, n_pages, op in map(heeded, ahead(dense_rows(trace, ops=ops))):
            next_uses = None if future is None else future.take(len(pages))
            memory.touch(pages, n_pages, op, next_uses=next_uses, hit_on_load=hit_on_load)
            accesses += len(pages) if op is None else int(np.count_nonzero(op != _FREE))
    return accesses


def _frees(rows: Rows) -> bool:
    return rows.ops is not None and bool((rows.ops == _FREE).any())


def _without_frees(rows: Rows) -> Rows:
    if rows.ops is None:
        return rows
    kept = rows.ops != _FREE
    return Rows(rows.pages[kept], rows.n_pages, read_only(rows.ops[kept]))
