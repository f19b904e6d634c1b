"""LRU miss-ratio curves from samples of the pages: all salts of all VMs in one pass, in little memory.

Of a sample at rate R the accesses are taken through an LRU stack: each stands for 1 / R of the whole, and its
distance d for one of d / R.  Misses are therefore those of the sample over R, and the miss ratio is that over
all accesses of the whole trace: where the sample has more accesses or fewer than R of them, the difference
counts as hits of every memory (SHARDS-adj).
With a fixed number of pages the rate falls: when there is one page too many, that of the highest hash leaves
the stack, and the hashes of all that come later have to be lower.  An access counts by the rate at its time.
Source: Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC construction with SHARDS", FAST 2015.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from operator import methodcaller
from typing import NamedTuple, TypeAlias

import numpy as np

from tracereplay.analysis import stack_distance
from tracereplay.analysis.curve import Curve
from tracereplay.analysis.sampling import Sample, SampledPages, band, key_rows, rows_below
from tracereplay.analysis.stack_distance import (
    ABSENT,
    FIRST_TOUCH,
    FREED,
    StackDistances,
    close_up,
    depth,
    drop,
    leave_hole,
    make_room,
    put_on_top,
)
from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.core.heap import drop_greatest, push
from tracereplay.core.recency import keep_all, room_for
from tracereplay.errors import TraceError
from tracereplay.names import vm_name
from tracereplay.problems import shown
from tracereplay.progress import Progress
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.reader import Trace
from tracereplay.trace.schema import Op

_FREE = int(Op.FREE)
_SAMPLED, _BELOW = 0, 1
_HALF = 32
_S32 = np.uint64(_HALF)
_ID_BITS = np.uint64(0xFFFFFFFF)
_BUCKETS_PER_PAGE = 2
_FEWEST_IDS = 1 << 12  # below it forgotten pages are not worth looking for


def shards_curves(
    trace: Trace, vms: Collection[int], sample: Sample, *, jobs: int = 1, progress: Progress | None = None
) -> dict[int, Curve]:
    """The LRU curve of each VM of ``vms``, estimated from ``sample.salts`` samples, with their 95 % band.

    Sizes are those at which the estimate changes, up to where all pages in use have room: of a fixed rate R
    the multiples of 1 / R (rounded down), of a fixed number of pages those of a power of two.  Below some
    50 / R a bias shows that the band does not tell of.  A sample of all pages gives the exact curve.
    ``jobs`` threads share the salts; they change no number.
    TraceError: no access to any sampled page of a VM.
    """
    samplers = {vm: [_sampler(trace, sample, salt) for salt in range(sample.salts)] for vm in vms}
    accesses = dict.fromkeys(vms, 0)
    with ThreadPoolExecutor(jobs) as pool:
        for rows in key_rows(trace, vms, progress):
            accesses[rows.vm] += int(np.count_nonzero(rows.ops != _FREE))
            list(pool.map(methodcaller("touch", rows.keys, rows.ops), samplers[rows.vm]))
    return {vm: _curve(trace, vm, samplers[vm], accesses[vm]) for vm in vms}


class _Tally:
    """Weights of accesses by their distance: in buckets of ``width`` units, at most ``most`` of them."""

    def __init__(self, most: float = math.inf) -> None:
        self.width = 1
        self._most = most
        self._first_touches = 0.0
        self._again = np.zeros(1)

    def add(self, distances: np.ndarray, weights: np.ndarray) -> None:
        """Accesses by their distances in units (below 0: a first touch)."""
        first = distances < 0
        self._first_touches += float(weights[first].sum())
        distances, weights = distances[~first], weights[~first]
        while distances.max(initial=0) >= self.width * self._most:
            self.widen(2 * self.width)
        buckets = (distances // self.width).astype(np.int64)
        more = int(buckets.max(initial=0)) + 1 - len(self._again)
        self._again = np.append(self._again, np.zeros(max(more, 0)))
        np.add.at(self._again, buckets, weights)

    def widen(self, width: int) -> None:
        """Make buckets of ``width``, a multiple of theirs."""
        self._again = np.add.reduceat(self._again, np.arange(0, len(self._again), width // self.width))
        self.width = width

    def misses(self, n: int) -> np.ndarray:
        """Weight of what memories of 1 … ``n`` widths miss, float64[n]."""
        known = min(n, len(self._again))
        misses = np.full(n, self._first_touches + self._again[known:].sum())
        misses[:known] += self._again[:known].sum() - self._again[:known].cumsum()
        return misses


class _FixedRate:
    """The LRU stack of a sample of fixed rate; its unit of distance is 1 / rate pages."""

    def __init__(self, rate: Fraction, salt: int) -> None:
        self.unit = 1 / rate
        self.tally = _Tally()
        self._pages = SampledPages(rate, salt)
        self._stack = StackDistances()

    @property
    def footprint(self) -> Fraction:
        """Estimate of the most pages that were in use at a time."""
        return len(self._stack) * self.unit

    def touch(self, keys: np.ndarray, ops: np.ndarray) -> None:
        """The next rows of the VM, by their page keys."""
        rows, ids = self._pages.take(keys)
        distances = self._stack.touch(ids, len(self._pages), ops[rows])
        self.tally.add(distances, np.where(distances == FREED, 0, float(self.unit)))


class State(NamedTuple):
    stack: stack_distance.State
    heap: np.ndarray  # uint64: hash (its upper half) << 32 | id of each page in the sample
    sampled: np.ndarray  # bool[ids], in the sample
    counts: np.ndarray  # int64[2]: pages in the sample; what the upper half of its hashes is below


def measure_sampled(s, hashes, ids, ops, distances, weights):
    """Write the scaled distance and the weight of each access, by the rate at its time; 0 for no access."""
    for i in range(ids.shape[0]):
        page, key = np.int64(ids[i]), np.int64(hashes[i] >> _S32)
        distances[i] = FIRST_TOUCH
        weights[i] = 0
        if key >= s.counts[_BELOW]:
            continue
        if ops[i] == _FREE:
            leave_hole(s.stack, page)
        else:
            weights[i] = 2.0**_HALF / s.counts[_BELOW]
            found = touch(s.stack, page)
            if found != FIRST_TOUCH:
                distances[i] = found * weights[i]
            if not s.sampled[page]:
                enter(s, page, hashes[i])


def touch(stack, page):
    """Put a page on top of the stack; its distance."""
    make_room(stack)
    position = stack.position_of[page]
    found = depth(stack, position)
    close_up(stack, position)
    put_on_top(stack, page)
    return found


def enter(s, page, page_hash):
    """Add a page to the sample; if that is one too many, the rate falls."""
    s.sampled[page] = True
    push(s.heap, s.counts[_SAMPLED], (page_hash & ~_ID_BITS) | np.uint64(page))
    s.counts[_SAMPLED] += 1
    if s.counts[_SAMPLED] == s.heap.shape[0]:
        s.counts[_BELOW] = np.int64(s.heap[0] >> _S32)
        while s.counts[_SAMPLED] > 0 and np.int64(s.heap[0] >> _S32) >= s.counts[_BELOW]:
            leave(s, np.int64(s.heap[0] & _ID_BITS))


def leave(s, page):
    """Take the page of the greatest hash out of sample and stack."""
    drop_greatest(s.heap, s.counts[_SAMPLED])
    s.counts[_SAMPLED] -= 1
    s.sampled[page] = False
    drop(s.stack, page)


_KERNELS: dict[str, _jit.Kernel] = {kernel.__name__: kernel for kernel in (measure_sampled, keep_all)}


@functools.cache
def _kernel(name: str) -> _jit.Kernel:
    return _jit.specialise(_KERNELS[name])


class _FixedSize:
    """The LRU stack of a sample of at most so many pages; its unit of distance is a page.

    Pages that were freed are still in the sample.  The hole that one left in the stack stays there when
    the page leaves the sample.
    """

    unit = Fraction(1)

    def __init__(self, pages: int, salt: int) -> None:
        self.tally = _Tally(_BUCKETS_PER_PAGE * pages)
        self._salt = salt
        self._ids = Ids(direct_entries=0)
        positions = room_for(pages + 1)
        _kernel("keep_all")(positions)
        nothing, holes = np.empty(0, np.int64), np.empty(pages + 1, np.int64)
        self._state = State(
            stack=stack_distance.State(nothing, positions, np.zeros(3, np.int64), holes),
            heap=np.empty(pages + 1, np.uint64),
            sampled=np.empty(0, np.bool_),
            counts=np.array([0, 1 << _HALF], np.int64),
        )

    @property
    def footprint(self) -> Fraction:
        """Estimate of the most pages that were in use at a time."""
        size = int(self._state.stack.counts[stack_distance.SIZE])
        return Fraction(size << _HALF, int(self._state.counts[_BELOW]))

    def touch(self, keys: np.ndarray, ops: np.ndarray) -> None:
        """The next rows of the VM, by their page keys."""
        greatest = np.uint64((int(self._state.counts[_BELOW]) << _HALF) - 1)
        rows, hashes = rows_below(keys, self._salt, greatest)
        ids = self._ids.encode(hashes)
        self._reserve(len(self._ids))
        distances, weights = np.empty(len(ids)), np.empty(len(ids))
        _kernel("measure_sampled")(self._state, hashes, ids, read_only(ops[rows]), distances, weights)
        self.tally.add(distances, weights)
        if self._ids.in_use > max(2 * self._state.counts[_SAMPLED], _FEWEST_IDS):
            self._ids.recycle(self._state.sampled[: len(self._ids)])

    def _reserve(self, n_ids: int) -> None:
        stack = self._state.stack
        self._state = self._state._replace(
            stack=stack._replace(position_of=grown(stack.position_of, n_ids, ABSENT)),
            sampled=grown(self._state.sampled, n_ids, False),
        )


_Sampler: TypeAlias = _FixedRate | _FixedSize


def _sampler(trace: Trace, sample: Sample, salt: int) -> _Sampler:
    """What takes the rows of a VM at the start of a trace."""
    if sample.rate is not None:
        return _FixedRate(sample.rate, salt)
    assert sample.pages is not None
    return _FixedSize(min(sample.pages, trace.n_rows), salt)


def _curve(trace: Trace, vm: int, samplers: list[_Sampler], accesses: int) -> Curve:
    """One curve from those of all salts, at sizes that are common to them."""
    width = max(sampler.tally.width for sampler in samplers)
    step = width * samplers[0].unit
    largest = max(sampler.footprint for sampler in samplers)
    if largest == 0 and accesses > 0:
        found = f"found no access to a page of VM {shown(vm_name(trace, vm))} in a sample"
        raise TraceError(f"{found}; expected some; take a higher rate", trace.name)
    n = max(math.ceil(largest / step), 1)
    for sampler in samplers:
        sampler.tally.widen(width)
    misses, low, high = band(np.array([sampler.tally.misses(n) for sampler in samplers]), accesses)
    sizes = np.array([k * step.numerator // step.denominator for k in range(1, n + 1)], np.int64)
    return Curve(sizes, misses, accesses, low, high)
