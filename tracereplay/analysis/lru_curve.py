"""Exact LRU curves: the misses of every size of memory, from one pass over a trace.

With several jobs, chunks of rows are measured on their own, each from an empty stack.  What is a page's first
touch in its chunk is settled on the stack of the whole trace, chunk by chunk: touching a chunk's pages there
in the order of their first touch gives the distances that were missing; put into the order of their last
touch, they are what lies on top after the chunk.  Freed pages leave holes that only the whole stack knows of:
from its first FREE row on, a VM's rows are measured there.
Source: Niu, Dinan, Lu, Sadayappan, "PARDA: a fast parallel reuse distance analysis algorithm", IPDPS 2012.
"""

from __future__ import annotations

import functools
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from tracereplay.analysis.curve import Curve
from tracereplay.analysis.stack_distance import FIRST_TOUCH, FREED, StackDistances
from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.progress import Progress
from tracereplay.trace.ids import Ids
from tracereplay.trace.per_vm import by_vm, decoded
from tracereplay.trace.reader import Batch, Trace
from tracereplay.trace.schema import Op
from tracereplay.trace.source import BATCH_ROWS

A = TypeVar("A")
B = TypeVar("B")

_CHUNKS_PER_JOB = 4
_MOST_ROWS = 1 << 23  # of a chunk: long beside its footprint, but kept in memory
_FREES, _FIRST_TOUCHES, _HITS = 0, 1, 2


def lru_curve(
    trace: Trace, vms: Collection[int] | None = None, *, jobs: int = 1, progress: Progress | None = None
) -> dict[int, Curve]:
    """Misses of an LRU memory of each size, exact, for each of ``vms`` (indices; None = all).

    Sizes are 1 … D, D being the most pages that were in use at a time: without FREE rows, the VM's distinct
    pages.  ``jobs`` threads change no number; one is this thread alone.  More keep the rows of jobs + 1
    chunks, at most 8 million rows each, besides the stacks.
    """
    if jobs < 1:
        raise ValueError(f"jobs: found {jobs}; expected 1 or more")
    found = {vm: _Accesses() for vm in (range(trace.n_vms) if vms is None else vms)}
    done = 0
    for n_rows in _measure(trace, found) if jobs == 1 else _measure_chunks(trace, found, jobs):
        done += n_rows
        if progress is not None:
            progress(done, trace.n_rows)
    return {vm: accesses.curve() for vm, accesses in found.items()}


class Rows(NamedTuple):
    """Consecutive rows of one VM."""

    page: np.ndarray  # uint64
    op: np.ndarray | None  # uint8; None where all are accesses


def tally(distances, counts):
    """Count rows by their distance, from FREED on."""
    for i in range(distances.shape[0]):
        counts[distances[i] - FREED] += 1


@functools.cache
def _tally() -> _jit.Kernel:
    return _jit.specialise(tally)


class _Accesses:
    """The accesses of one VM so far: its LRU stack, and how many had each distance."""

    def __init__(self) -> None:
        self._ids, self._stack = Ids(), StackDistances()
        self._counts = np.zeros(_HITS + 1, np.int64)

    @property
    def has_frees(self) -> bool:
        return bool(self._counts[_FREES])

    def touch(self, rows: Rows) -> np.ndarray:
        """The distances of the next rows."""
        distances = self._stack.touch(self._ids.encode(rows.page), len(self._ids), rows.op)
        self._count(distances)
        return distances

    def append(self, alone: _Alone) -> None:
        """Let the next rows be those that were measured alone."""
        pages = self._ids.encode(alone.first_touched)
        self._count(self._stack.touch(pages, len(self._ids)))
        hits = slice(_HITS, _HITS + len(pages))
        self._counts[hits] += alone.accesses._counts[hits]
        in_order = np.empty_like(pages)
        in_order[len(pages) - 1 - alone.accesses._stack.depths()] = pages
        self._stack.reorder(in_order)

    def curve(self) -> Curve:
        largest = max(len(self._stack), 1)
        accesses = int(self._counts[_FIRST_TOUCHES:].sum())
        hits = self._counts[_HITS : _HITS + largest].cumsum()
        return Curve(np.arange(1, largest + 1), accesses - hits, accesses)

    def _count(self, distances: np.ndarray) -> None:
        self._counts = grown(self._counts, len(self._ids) + _HITS, 0)
        _tally()(distances, self._counts)


def _measure(trace: Trace, found: Mapping[int, _Accesses]) -> Iterator[int]:
    """Measure all rows in order; yields how many each batch has."""
    for batch in trace.batches(decoded(trace, ("op",) if trace.may_free else ())):
        for vm, rows in _by_vm(trace, batch, found):
            found[vm].touch(rows)
        yield len(batch.page)


def _by_vm(trace: Trace, batch: Batch, vms: Collection[int]) -> Iterator[tuple[int, Rows]]:
    """The rows of a batch, each of ``vms`` by itself."""
    for vm, rows in by_vm(trace, batch, vms):
        yield vm, Rows(rows.page, rows.op if trace.may_free else None)


class _Alone(NamedTuple):
    """Rows measured from an empty stack on."""

    accesses: _Accesses
    first_touched: np.ndarray  # uint64, page numbers in the order of their first touch


class _Chunk(NamedTuple):
    """Consecutive rows of one VM; ``alone`` is None where some of them free pages."""

    vm: int
    rows: list[Rows]
    alone: _Alone | None


def _measure_chunks(trace: Trace, found: Mapping[int, _Accesses], jobs: int) -> Iterator[int]:
    """As ``_measure`` with ``jobs`` threads: each VM's chunks are settled in order, other work in any."""
    n_rows = min(max(trace.n_rows // (_CHUNKS_PER_JOB * jobs), BATCH_ROWS), _MOST_ROWS)
    groups = _groups(trace.batches(decoded(trace, ("op",) if trace.may_free else ())), n_rows)
    _Accesses().touch(Rows(np.zeros(1, np.uint64), None))  # compiles what threads could not import at once

    def measure(batches: list[Batch]) -> tuple[int, list[_Chunk]]:
        return sum(len(batch.page) for batch in batches), _chunks(trace, found, batches)

    def settle(chunk: _Chunk) -> None:
        whole = found[chunk.vm]
        if chunk.alone is None or whole.has_frees:
            for rows in chunk.rows:
                whole.touch(rows)
        else:
            whole.append(chunk.alone)

    with ThreadPoolExecutor(jobs) as measuring, ThreadPoolExecutor(jobs) as settling:
        for n_rows_done, chunks in _in_order(measuring, measure, groups, ahead=jobs):
            deque(settling.map(settle, chunks), maxlen=0)
            yield n_rows_done


def _chunks(trace: Trace, found: Mapping[int, _Accesses], batches: list[Batch]) -> list[_Chunk]:
    """The rows of some batches VM by VM, measured alone as far as that is of use."""
    by_vm = defaultdict(list)
    for batch in batches:
        for vm, rows in _by_vm(trace, batch, found):
            by_vm[vm].append(rows)
    return [
        _Chunk(vm, rows, None if found[vm].has_frees or any(map(_frees, rows)) else _alone(rows))
        for vm, rows in by_vm.items()
    ]


def _frees(rows: Rows) -> bool:
    return rows.op is not None and bool((rows.op == Op.FREE).any())


def _alone(chunk: list[Rows]) -> _Alone:
    accesses = _Accesses()
    first = [rows.page[accesses.touch(rows) == FIRST_TOUCH] for rows in chunk]
    return _Alone(accesses, np.concatenate(first))


def _groups(batches: Iterable[Batch], n_rows: int) -> Iterator[list[Batch]]:
    """Consecutive batches of together ``n_rows`` rows or a little more; the last ones may have fewer."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if sum(len(batch.page) for batch in group) >= n_rows:
            yield group
            group = []
    if group:
        yield group


def _in_order(pool: Executor, function: Callable[[A], B], items: Iterable[A], *, ahead: int) -> Iterator[B]:
    """``function`` of each item, made in any order by the pool, at most so many before they are taken."""
    waiting: deque[Future[B]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
