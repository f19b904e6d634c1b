"""Miss-ratio curves by simulation: memories of all sizes and policies fed by one pass, whole or in miniature.

In miniature, the pages of a sample at rate R go through memories of R times the size, which miss R times as
often under any policy that treats pages alike.  As with SHARDS the misses over R are set against all
accesses of the whole trace.
Source: Waldspurger, Saemundsson, Ahmad and Park, "Cache modeling and optimization using miniature
simulations", USENIX ATC 2017.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from fractions import Fraction

import numpy as np

from tracereplay.analysis.curve import Curve
from tracereplay.analysis.next_use import NextUses
from tracereplay.analysis.one_level import OneLevel
from tracereplay.analysis.sampling import KeyRows, Sample, SampledPages, band, key_rows
from tracereplay.progress import Progress
from tracereplay.trace.ids import read_only
from tracereplay.trace.per_vm import vm_rows
from tracereplay.trace.reader import Trace
from tracereplay.trace.schema import Op

FEWEST_FRAMES = 32
"""Miniature memories of fewer frames are left out: what they miss is too much, under OPT above all, by up to
0.012 of the accesses at 32 frames and 0.03 at 8 on Zipf-distributed pages (at 128 frames 0.003)."""
_FREE = int(Op.FREE)
_ENOUGH_ROWS = 1 << 17  # sampled rows are fed by so many at once


def simulated_curves(
    trace: Trace,
    vm: int,
    policies: Sequence[str],
    sizes: np.ndarray,
    *,
    sample: Sample | None = None,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, Curve]:
    """The curve of one VM under each of ``policies`` (name and parameters) at ``sizes`` (int64, pages).

    With ``sample`` it is estimated in miniature, with a 95 % band, and sizes that fewer than FEWEST_FRAMES
    frames would stand for are left out, if need be all; a number of pages means its share of the footprint.
    A sample of all pages is none: the curve is exact.  ``jobs`` threads share the memories; they change no
    number.  Each memory takes 5 bytes a page of the footprint (of the sample) besides its frames.
    """
    rate = _rate(trace, vm, sample)
    frames = np.rint(sizes * float(rate)).astype(np.int64)
    if rate < 1:
        large_enough = frames >= FEWEST_FRAMES
        sizes, frames = sizes[large_enough], frames[large_enough]
    salts = 1 if sample is None or rate == 1 else sample.salts
    studies = [_Study(rate, salt, policies, frames, seed) for salt in range(salts)]
    accesses = _simulate(trace, vm, studies, jobs, progress)
    misses = {policy: np.array([study.misses(policy) for study in studies]) for policy in policies}
    if salts == 1:
        return {policy: Curve(sizes, found[0], accesses) for policy, found in misses.items()}
    return {policy: _estimate(sizes, found / float(rate), accesses) for policy, found in misses.items()}


def smallest_size(trace: Trace, vm: int, sample: Sample) -> int:
    """The smallest memory, in pages, that a miniature can stand for."""
    rate = _rate(trace, vm, sample)
    return 1 if rate == 1 else math.ceil(FEWEST_FRAMES / rate)


def _rate(trace: Trace, vm: int, sample: Sample | None) -> Fraction:
    """Which share of the VM's pages to simulate."""
    if sample is None:
        return Fraction(1)
    if sample.rate is not None:
        return sample.rate
    assert sample.pages is not None
    footprint = max(trace.footprints()[vm], 1)
    return Fraction(min(sample.pages, footprint), footprint)


def _simulate(trace: Trace, vm: int, studies: Sequence[_Study], jobs: int, progress: Progress | None) -> int:
    """Let all studies see the rows of a VM; how many of them are accesses."""
    foresee = any(study.needs_future for study in studies)
    accesses = 0
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        future = stack.enter_context(NextUses(_page_rows(trace, vm))) if foresee else None
        for rows in key_rows(trace, [vm], progress):
            next_uses = None if future is None else future.take(len(rows.keys))
            for study in studies:
                study.take(rows, next_uses, pool)
            accesses += int(np.count_nonzero(rows.ops != _FREE))
        for study in studies:
            study.settle(pool)
    return accesses


def _page_rows(trace: Trace, vm: int) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """What NextUses takes: ids of pages, how many there are, operations."""
    for rows in vm_rows(trace, ("op",), vms=[vm]):
        yield rows.page, rows.n_pages, rows.batch.op


def _estimate(sizes: np.ndarray, misses: np.ndarray, accesses: int) -> Curve:
    mean, low, high = band(misses, accesses)
    return Curve(sizes, mean, accesses, low, high)


class _Study:
    """Memories of every policy and number of frames that see the same pages: of one salt, or all (rate 1)."""

    def __init__(
        self, rate: Fraction, salt: int, policies: Sequence[str], frames: np.ndarray, seed: int
    ) -> None:
        self._pages = SampledPages(rate, salt)
        self._frames = frames.tolist()
        self._memories = {
            (policy, n): OneLevel(policy, n, seed=seed) for policy in policies for n in set(self._frames)
        }
        self._waiting: list[tuple[np.ndarray, ...]] = []

    @property
    def needs_future(self) -> bool:
        """Whether ``take`` is to be told the next uses."""
        return any(memory.needs_future for memory in self._memories.values())

    def take(self, rows: KeyRows, next_uses: np.ndarray | None, pool: Executor) -> None:
        """The next rows of the VM."""
        kept, ids = self._pages.take(rows.keys)
        columns = (ids, rows.ops[kept], *([] if next_uses is None else [next_uses[kept]]))
        self._waiting.append(columns)
        if sum(len(ids) for ids, *_ in self._waiting) >= _ENOUGH_ROWS:
            self.settle(pool)

    def settle(self, pool: Executor) -> None:
        """Let all memories see the rows that wait."""
        if not self._waiting:
            return
        ids, ops, *foreseen = (np.concatenate(column) for column in zip(*self._waiting, strict=True))
        self._waiting.clear()
        heeded = read_only(ops) if (ops == _FREE).any() else None
        tasks = []
        for memory in self._memories.values():
            next_uses = foreseen[0] if memory.needs_future else None
            tasks.append(pool.submit(memory.touch, ids, len(self._pages), heeded, next_uses=next_uses))
        for task in tasks:
            task.result()

    def misses(self, policy: str) -> list[int]:
        """Misses under a policy by number of frames."""
        return [self._memories[policy, n].misses for n in self._frames]
