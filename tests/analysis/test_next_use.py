"""When each page is used next, told from the end."""

from __future__ import annotations

import resource
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.analysis import next_use
from tracereplay.analysis.next_use import NextUses
from tracereplay.errors import OutputError
from tracereplay.policies.opt import NEVER
from tracereplay.trace.schema import Op

ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([Op.READ, Op.WRITE, Op.FREE])), max_size=40)


def naive(rows: list[tuple[int, int]]) -> list[int]:
    """For each row, a search through those that follow; a page that is freed first is not used again."""
    found = []
    for i, (page, op) in enumerate(rows):
        later = [j for j in range(i + 1, len(rows)) if rows[j][0] == page]
        used = later and Op.FREE not in (op, rows[later[0]][1])
        found.append(later[0] if used else NEVER)
    return found


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows=ROWS, piece=st.integers(1, 7))
def test_next_uses(rows, piece):
    """Given and taken in any pieces, read back in blocks of another length: what a search forward finds."""
    pages = np.array([page for page, _ in rows], np.int32)
    ops = np.array([op for _, op in rows], np.uint8)
    batches = [(pages[i : i + 5], 5, ops[i : i + 5]) for i in range(0, len(rows), 5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(next_use, "_BLOCK_ROWS", 3)
        with NextUses(batches) as future:
            found = [future.take(min(piece, len(rows) - i)) for i in range(0, len(rows), piece)]
    assert np.concatenate([np.zeros(0, np.int64), *found]).tolist() == naive(rows)


def test_no_room():
    """A full disk is told, with the directory and what can be done; here no file may be large."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError) as error:
            NextUses([(np.zeros(10_000, np.int32), 1, None)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    message = str(error.value)
    assert message.startswith(f"{tempfile.gettempdir()}: cannot hold when pages are used next")
    assert message.endswith("set TMPDIR to a directory with 12 bytes of room for each access")


def test_without_operations_no_page_is_freed():
    """A trace without that column: every row is a use."""
    with NextUses([(np.array([0, 1, 0], np.int32), 2, None)]) as future:
        assert future.take(3).tolist() == [2, NEVER, NEVER]
