"""Independent references with Zipf popularity: what a cache sees when nothing but frequency matters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tracereplay.catalog import Accesses, Count, Number, Pages, Share
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import bits, mixed, uniform

_BATCH_ROWS = 1 << 20
_RANK, _OP, _DUPLICATE, _VERSION, _POOL, _ORDER = range(6)


def generate(
    *,
    pages: Pages = 100_000,
    accesses: Accesses = 1_000_000,
    alpha: Number = 1.0,
    writes: Share = 0.3,
    duplicates: Share = 0.2,
    seed: Count = 0,
) -> Generated:
    """Rows ``page, op, content`` of one VM, page numbers in random order of popularity.

    ``pages`` and ``accesses`` are counts; the page of rank r has weight r^-``alpha``; ``writes`` and
    ``duplicates`` are fractions, of the accesses and of the writes.  A duplicate write stores one of
    ``pages`` / 20 contents common to all pages; any other one of four contents of its own page.
    Reads have no content.
    """
    return Generated(_batches(pages, accesses, alpha, writes, duplicates, seed))


def _batches(
    pages: int, accesses: int, alpha: float, writes: float, duplicates: float, seed: int
) -> Iterator[pa.RecordBatch]:
    cumulative = np.cumsum(np.arange(1, pages + 1, dtype=np.float64) ** -alpha)
    cumulative /= cumulative[-1]
    page_of_rank = np.argsort(bits(seed, _ORDER, 0, pages), kind="stable").astype(np.uint64)
    pool = max(pages // 20, 1)
    for start in range(0, accesses, _BATCH_ROWS):
        n = min(_BATCH_ROWS, accesses - start)
        page = page_of_rank[np.searchsorted(cumulative, uniform(seed, _RANK, start, n), side="right")]
        write = uniform(seed, _OP, start, n) < writes
        own = page * np.uint64(4) + (bits(seed, _VERSION, start, n) & np.uint64(3))
        common = (uniform(seed, _POOL, start, n) * pool).astype(np.uint64) + np.uint64(4 * pages)
        duplicate = uniform(seed, _DUPLICATE, start, n) < duplicates
        content = mixed(np.where(duplicate, common, own) + np.uint64(1))
        yield pa.record_batch(
            {
                "page": page,
                "op": write.astype(np.uint8),
                "content": pa.array(content, mask=~write),
            }
        )
