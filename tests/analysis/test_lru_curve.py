"""Exact LRU curves against simulated memories of every size, and the same from any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tracereplay.analysis import lru_curve as module
from tracereplay.analysis.curve import Curve
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.one_level import OneLevel
from tracereplay.bundled import trace_path
from tracereplay.trace import open_trace
from tracereplay.trace.per_vm import vm_rows
from tracereplay.trace.schema import Op

BELADY = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]
FREE = int(Op.FREE)


def values(curve: Curve) -> tuple[list[int], list[int], int]:
    return curve.sizes.tolist(), curve.misses.tolist(), curve.accesses


def simulated(trace: object, vm: int, sizes: np.ndarray) -> list[int]:
    """Misses of one LRU memory after the other."""
    rows = list(vm_rows(open_trace(trace), ("op",), vms=[vm]))
    pages, ops = np.concatenate([r.page for r in rows]), np.concatenate([r.batch.op for r in rows])
    heeded = ops if (ops == FREE).any() else None

    def misses(size: int) -> int:
        memory = OneLevel("lru", size)
        memory.touch(pages, rows[-1].n_pages, heeded)
        return memory.misses

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(misses, sizes.tolist()))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"page": BELADY}, {0: ([1, 2, 3, 4, 5], [12, 12, 10, 8, 5], 12)}),
        ({"page": np.array([2**63, 7, 2**63], np.uint64)}, {0: ([1, 2], [3, 2], 3)}),
        ({"page": [1, 1], "op": [FREE, FREE]}, {0: ([1], [0], 0)}),
        # page 1 is freed: it misses again, 3 takes its frame, and two are in use at most
        ({"page": [1, 2, 1, 3, 2], "op": [0, 0, FREE, 1, 0]}, {0: ([1, 2], [4, 3], 4)}),
        # VM 1 has no rows; what is page 4 to one is another to the next
        (
            {"page": [4, 4, 4, 5], "vm": [0, 2, 0, 2]},
            {0: ([1], [1], 2), 1: ([1], [0], 0), 2: ([1, 2], [2, 2], 2)},
        ),
    ],
)
def test_by_hand(columns, expected):
    """Belady's string, any page numbers, frees, several VMs and one without rows."""
    assert {vm: values(curve) for vm, curve in lru_curve(open_trace(columns)).items()} == expected


@pytest.mark.parametrize(
    "name",
    ["gzip", "sort", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sqlite", "python", "cc1"))],
)
def test_every_size_of_a_program(name):
    """The whole curve of a bundled trace is what simulations say, one for every size."""
    trace = open_trace(trace_path(name))
    curve = lru_curve(trace)[0]
    assert curve.sizes.tolist() == list(range(1, trace.footprints()[0] + 1))
    assert curve.misses.tolist() == simulated(trace, 0, curve.sizes)


@pytest.mark.slow
@pytest.mark.parametrize("vm", [0, 1])
def test_sizes_of_a_guest(vm):
    """So is that of a whole guest with 20,000 pages at every 200th size."""
    trace = open_trace(trace_path("two-guests"))
    curve = lru_curve(trace, [vm], jobs=2)[vm]
    sizes = curve.sizes[::200]
    assert curve.misses[::200].tolist() == simulated(trace, vm, sizes)


def several_vms() -> dict[str, np.ndarray]:
    """Rows of three VMs in several batches: skewed, cyclic, and one that frees pages half-way."""
    rng = np.random.default_rng(1)
    n = 400_000
    vm = rng.integers(0, 3, n).astype(np.uint16)
    skewed, cyclic = (rng.random(n) ** 4 * 5_000).astype(np.uint64), np.arange(n, dtype=np.uint64) % 700
    frees = (vm == 2) & (rng.random(n) < 0.1) & (np.arange(n) > n // 2)
    return {
        "page": np.where(vm == 1, cyclic, skewed),
        "vm": vm,
        "op": np.where(frees, FREE, 0).astype(np.uint8),
    }


@pytest.mark.parametrize("jobs", [2, 3])
def test_any_number_of_threads(jobs, monkeypatch):
    """Chunk by chunk come the same curves as row by row; of the VM that frees, those of simulations."""
    monkeypatch.setattr(module, "_MOST_ROWS", 1)
    trace, done = open_trace(several_vms()), []
    found = lru_curve(trace, jobs=jobs, progress=lambda *rows: done.append(rows))
    assert {vm: values(c) for vm, c in found.items()} == {vm: values(c) for vm, c in lru_curve(trace).items()}
    assert done[-1] == (400_000, 400_000)
    assert len(done) == 4
    (freeing,) = lru_curve(trace, [2], jobs=jobs).values()
    sizes = freeing.sizes[:: len(freeing.sizes) // 4]
    assert freeing.at(sizes).misses.tolist() == simulated(trace, 2, sizes)


def test_no_thread():
    """There is no way to do it with none."""
    with pytest.raises(ValueError, match="jobs: found 0; expected 1 or more"):
        lru_curve(open_trace({"page": [1]}), jobs=0)
