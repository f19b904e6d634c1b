"""The rows of one run: every VM's trace on one clock, with dense ids, decoded ahead of the kernel.

A *source* is one trace file read once for all the VMs that it drives.  Sources are merged by time
(``merge``); at equal times the source of the VM listed first goes first.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from tracereplay.errors import TraceError
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.merge import BATCH_ROWS, Placed, placed_rows
from tracereplay.trace.reader import Batch, Trace

if TYPE_CHECKING:
    from tracereplay.machine import VMConfig

T = TypeVar("T")

MOST_IDS = 2**31 - 2

_RECYCLE_FROM = 1 << 20
_MOST_EXPECTED = 1 << 20


class Rows(NamedTuple):
    """Consecutive rows of a run, arrays of equal length, ready for the kernels.

    ``vm`` and ``op`` are read-only, ``page`` and ``content`` are not: kernels are compiled for just that.
    """

    time: np.ndarray  # uint64
    vm: np.ndarray  # uint16, index of the VM in the run
    page: np.ndarray  # int32, dense id over all VMs
    op: np.ndarray  # uint8
    content: np.ndarray  # int32, dense id of (domain, content); -1 unknown
    n_pages: int  # page ids given out so far
    n_contents: int  # content ids given out so far
    wants_live: bool  # after these rows the feed waits for ``supply_live``


class Feed:
    """All rows of the VMs ``vms``, driven by ``traces``.  Iterate once.

    Content ids that nothing names any more are given out again, so memory stays bounded however many
    contents a trace holds, but for the hints of the ESX modes: the model never drops one.  Rows with
    ``wants_live`` ask the consumer to call ``supply_live`` after it has processed them.
    """

    def __init__(
        self,
        vms: Sequence[VMConfig],
        traces: Mapping[str, Trace],
        *,
        batch_rows: int = BATCH_ROWS,
        recycle_from: int = _RECYCLE_FROM,
    ) -> None:
        self._batch_rows = batch_rows
        self._sources = _sources(vms, traces)
        n_expected = sum(vm.footprint for vm in vms)
        self._pages = Ids(len(vms), expected=n_expected)
        self._domain_of = np.array([vm.domain for vm in vms], np.uint16)
        n_domains = 1 + max(vm.domain for vm in vms)
        self._contents = Ids(n_domains, expected=min(n_expected, _MOST_EXPECTED))
        # the zero page of domain d has id d
        self._contents.encode(np.zeros(n_domains, np.uint64), np.arange(n_domains, dtype=np.uint16))
        self._recycle_from = recycle_from
        self._recycle_at = recycle_from
        self._live: queue.Queue[np.ndarray] = queue.Queue()
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Rows]:
        for batch in placed_rows(self._sources, self._batch_rows):
            rows = self._encode(batch)
            yield rows
            if rows.wants_live:
                live = self._wait_for_live()
                if live is None:
                    return
                self._contents.recycle(live)
                self._recycle_at = max(self._recycle_from, 2 * self._contents.in_use)

    def look_through(self) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Pages (int32, dense ids), how many ids there are so far, and operations of all rows, beforehand."""
        pages = Ids(len(self._domain_of))
        for batch in placed_rows(self._sources, self._batch_rows):
            yield pages.encode(batch.page, batch.vm), len(pages), batch.op

    def supply_live(self, live: np.ndarray) -> None:
        """Say which content ids are still named (bool[n_contents]), once for each ``wants_live``."""
        self._live.put(live)

    def close(self) -> None:
        """No more rows are wanted: let go of a thread that waits for ``supply_live``."""
        self._closed.set()

    def _wait_for_live(self) -> np.ndarray | None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Empty):
                return self._live.get(timeout=0.1)
        return None

    @property
    def n_rows(self) -> int:
        """Rows of all sources, those of VMs that take no part included."""
        return sum(source.trace.n_rows for source in self._sources)

    @property
    def footprints(self) -> np.ndarray:
        """Distinct pages met so far, int64[vms]."""
        return self._pages.counts

    def _encode(self, batch: Batch) -> Rows:
        page = self._pages.encode(batch.page, batch.vm)
        if len(self._pages) > MOST_IDS:
            raise TraceError(f"found more than {MOST_IDS} distinct pages; replay fewer VMs at once")
        domains = self._domain_of[batch.vm] if self._domain_of.any() else 0
        content = self._contents.encode(batch.content, domains, batch.known)
        return Rows(
            batch.time,
            read_only(batch.vm),
            page,
            read_only(batch.op),
            content,
            len(self._pages),
            len(self._contents),
            self._contents.in_use > self._recycle_at,
        )


def _sources(vms: Sequence[VMConfig], traces: Mapping[str, Trace]) -> list[Placed]:
    """One source for all VMs of a trace with the same start; a VM used twice opens another."""
    sources: list[Placed] = []
    for index, vm in enumerate(vms):
        trace = traces[vm.trace]
        for source in sources:
            if source.trace is trace and source.start == vm.start and source.vm_of[vm.trace_vm] < 0:
                break
        else:
            source = Placed(trace, np.full(trace.n_vms, -1, np.int32), vm.start)
            sources.append(source)
        source.vm_of[vm.trace_vm] = index
    return sources


def ahead(items: Iterable[T], depth: int = 3) -> Generator[T, None, None]:
    """Yield ``items`` while a thread makes the next ``depth`` of them; its exceptions arrive here.

    Close the generator to stop the thread early; ``items.close``, where there is one, is called first, so
    that an iterable may wait for its consumer.
    """
    done: Any = object()
    ready: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()

    def hand_over(item: object) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not hand_over((item, None)):
                    return
            hand_over((done, None))
        except BaseException as error:
            hand_over((done, error))

    worker = threading.Thread(target=work, name="tracereplay-decode", daemon=True)
    worker.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is done:
                return
            yield item
    finally:
        stop.set()
        getattr(items, "close", _nothing)()
        worker.join()


def _nothing() -> None:
    """Nothing to let go of."""
