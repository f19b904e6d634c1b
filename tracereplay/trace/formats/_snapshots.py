"""Snapshots of one memory over time, told as the pages that changed from each to the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tracereplay.errors import UsageError
from tracereplay.trace.formats._records import Array, Findings, Records
from tracereplay.trace.schema import Op

PAGE = 4096
_REGION = 1 << 16


class Pages(NamedTuple):
    """Some pages of a snapshot: numbers and contents (0: zeros), uint64 arrays of equal length."""

    number: Array
    content: Array


def changes(
    snapshots: Sequence[Iterable[Pages]], findings: Findings, *, interval: int, zeros: bool = True
) -> Iterator[Records]:
    """A write for each page that is new in a snapshot or holds something else than in the one before.

    A page that a snapshot does not hold any more is a FREE.  ``interval`` is the time between two snapshots
    in ns.  Without ``zeros`` a page exists only once it has held something else than zeros.  Bounded by 12
    bytes for each page, whatever the number of snapshots.  UsageError if times would be beyond 64 bits.
    """
    if interval * (len(snapshots) - 1) >= 1 << 64:
        raise UsageError(
            f"import: found an interval of {interval} ns between {len(snapshots)} snapshots; expected less "
            f"than 2^64 ns from the first to the last"
        )
    findings.fix_page_size(PAGE)
    findings.blocks, findings.time_unit = True, "ns"
    counts: list[dict[str, int]] = []
    findings.said["snapshots"] = counts
    memory = _Memory(zeros)
    for index, snapshot in enumerate(snapshots):
        count = dict.fromkeys(("pages", "zero_pages", "written", "freed"), 0)
        for pages in snapshot:
            changed, left_out = memory.update(pages, index + 1)
            findings.skip("pages that never held anything but zeros", left_out)
            count["pages"] += len(pages.number)
            count["zero_pages"] += int((pages.content == 0).sum())
            count["written"] += int(changed.sum())
            yield _rows(index * interval, Op.WRITE, pages.number[changed], pages.content[changed])
        for number in memory.gone(index + 1):
            count["freed"] += len(number)
            yield _rows(index * interval, Op.FREE, number, np.zeros(len(number), np.uint64))
        counts.append(count)


def _rows(time: int, op: Op, number: Array, content: Array) -> Records:
    n = len(number)
    return Records(
        number,
        op=np.full(n, op, np.uint8),
        time=np.full(n, time, np.uint64),
        content=content,
        known=np.full(n, op is Op.WRITE),
    )


class _Memory:
    """What each page held in the last snapshot that had it; by regions, so that gaps cost nothing."""

    def __init__(self, zeros: bool) -> None:
        self._zeros = zeros
        self._regions: defaultdict[int, tuple[Array, Array]] = defaultdict(_region)

    def update(self, pages: Pages, snapshot: int) -> tuple[Array, int]:
        """Which of ``pages`` changed, and how many do not exist yet; ``snapshot`` counts from 1."""
        changed = np.zeros(len(pages.number), np.bool_)
        left_out = 0
        region = pages.number // np.uint64(_REGION)
        for key in np.unique(region):
            here = np.flatnonzero(region == key)
            content, seen = self._regions[int(key)]
            at, new = pages.number[here] % np.uint64(_REGION), pages.content[here]
            exists = (seen[at] != 0) | (new != 0) | self._zeros
            changed[here] = exists & ((seen[at] == 0) | (content[at] != new))
            content[at] = new
            seen[at[exists]] = snapshot
            left_out += int(len(at) - exists.sum())
        return changed, left_out

    def gone(self, snapshot: int) -> Iterator[Array]:
        """Numbers of the pages that ``snapshot`` does not hold any more, in order; forgets them."""
        for key, (_, seen) in sorted(self._regions.items()):
            left = np.flatnonzero((seen != 0) & (seen != snapshot))
            seen[left] = 0
            yield left.astype(np.uint64) + np.uint64(key * _REGION)


def _region() -> tuple[Array, Array]:
    """Contents of a region's pages, and the last snapshot that had each (0: none)."""
    return np.zeros(_REGION, np.uint64), np.zeros(_REGION, np.uint32)
