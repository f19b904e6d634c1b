"""Reduced traces: what two levels of memory do on them, what they say of themselves, contents included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracereplay as tr
from tracereplay.analysis.one_level import count_traffic
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Trace, open_trace
from tracereplay.trace.schema import Op

R, W, FREE, F = Op.READ, Op.WRITE, Op.FREE, Op.FETCH
COLUMNS = ("time", "vm", "page", "op", "content")


def table(rows: list[tuple]) -> pa.Table:
    """Rows (vm, page, op, content) at times 0, 3, 6, …"""
    columns = [range(0, 3 * len(rows), 3), *zip(*rows, strict=True)]
    kinds = (pa.uint64(), pa.uint16(), pa.uint64(), pa.uint8(), pa.uint64())
    return pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], COLUMNS)


def reduced(source: Any, above: object) -> pa.Table:
    """What is left, as a table that says nothing of a reduction."""
    return tr.reduce_trace(source, above).read_all().replace_schema_metadata(None)


def tuples(rows: pa.Table) -> list[tuple]:
    """Rows (time, vm, page, op, content)."""
    return list(zip(*(rows[name].to_pylist() for name in COLUMNS), strict=True))


# ---- Contents, by hand ---------------------------------------------------------------------------

# accesses (page, op, content) of a VM, reduced for 2 pages; the last one is always kept as it is
BY_HAND = {
    "the content after the last write": (
        [(7, R, 1), (8, R, 2), (7, W, 3), (8, R, 2), (7, R, None), (8, W, 4), (9, R, 5)],
        [(0, 7, R, 1), (3, 8, R, 2), (12, 7, W, 3), (15, 8, W, 4), (18, 9, R, 5)],
    ),
    "a write of unknown content": (
        [(7, R, 1), (8, R, 2), (7, W, None), (8, R, 2), (7, F, None), (9, R, 5)],
        [(0, 7, R, 1), (3, 8, R, 2), (9, 8, R, 2), (12, 7, W, None), (15, 9, R, 5)],
    ),
    "a read that tells of a write that nobody recorded stays": (
        [(7, R, 1), (8, R, 2), (7, R, 3), (8, R, 2), (7, R, None), (8, R, 2), (7, F, 1), (9, R, 5)],
        [(0, 7, R, 1), (3, 8, R, 2), (12, 7, R, 3), (15, 8, R, 2), (18, 7, F, 1), (21, 9, R, 5)],
    ),
    "a page of a file that is written at once": (
        [(7, R, 1), (7, W, 3), (7, W, 4), (9, R, 5)],
        [(0, 7, R, 1), (3, 7, W, 4), (9, 9, R, 5)],
    ),
    "reads of different contents at once": (
        [(7, R, 1), (7, R, 2), (7, F, 1), (9, R, 5)],
        [(0, 7, R, 1), (3, 7, R, 2), (6, 7, F, 1), (9, 9, R, 5)],
    ),
    "a page of zeros that is": (
        [(7, R, 0), (7, R, 0), (7, W, 4), (7, R, None), (9, R, 5)],
        [(0, 7, W, 4), (12, 9, R, 5)],
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_contents_by_hand(case):
    """A kept row holds what its page holds after the rows that it stands for."""
    rows, expected = BY_HAND[case]
    left = tuples(reduced(table([(0, *row) for row in rows]), 2))
    assert [(time, page, op, content) for time, _, page, op, content in left] == expected


# ---- Two levels ----------------------------------------------------------------------------------

GUEST = (
    "guest_minor_faults",
    "guest_major_faults",
    "guest_swap_reads",
    "guest_swap_writes",
    "guest_file_fills",
)
COUNTED = ("accesses", "reads", "writes", "untraced_writes")
"""What a reduced trace has fewer of."""


def access(pages: int, vms: int = 1) -> st.SearchStrategy[tuple]:
    """One row of any kind."""
    return st.tuples(
        st.integers(0, vms - 1),
        st.integers(0, pages - 1),
        st.sampled_from([R, R, R, W, W, F, FREE]),
        st.sampled_from([None, 0, 1, 2]),
    )


@st.composite
def cases(draw: Any, vms: int = 1) -> tuple[pa.Table, int, int]:
    """A trace, K, and a memory of K or more pages."""
    above = draw(st.integers(1, 4))
    rows = draw(st.lists(access(7, vms), min_size=3, max_size=40))
    return table(rows), above, draw(st.integers(above, 8))


def totals(source: Any, said: dict[str, Any]) -> dict[str, int]:
    """Counters and gauges of an uncompiled replay."""
    return tr.replay(said, {"a": source}, jit=False).totals


@settings(max_examples=60, deadline=None, derandomize=True)
@given(cases(), st.data())
def test_one_vm_on_an_lru_host_does_the_same(case, data):
    """All counters of both levels but the accesses themselves, for G and M of K or more; FREE rows too."""
    trace, above, pages = case
    host = {"memory": data.draw(st.integers(above, pages)), "policy": "lru"}
    for switch in ("skip_fill_reads", "free_page_reporting"):
        host[switch] = data.draw(st.booleans())
    said = {"tick": 0, "host": host, "vm": [{"trace": "a", "memory": pages}]}
    whole, part = totals(trace, said), totals(reduced(trace, above), said)
    assert {name: part[name] for name in whole if name not in COUNTED} == {
        name: whole[name] for name in whole if name not in COUNTED
    }
    assert all(part[name] <= whole[name] for name in ("accesses", "untraced_writes"))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(cases(vms=2), st.data())
def test_lru_guests_do_the_same_on_any_host(case, data):
    """Faults, fills and swap traffic of two guests, on any host, with balloons that leave K pages."""
    trace, above, pages = case
    size = st.integers(0, min(pages - above, int(0.9 * pages)))
    time = st.integers(0, 3 * trace.num_rows)
    vm = {
        "memory": pages,
        "balloon": data.draw(st.lists(st.tuples(time, size).map(list), min_size=1, max_size=3)),
    }
    vms = range(open_trace(trace).n_vms)
    said = {
        "tick": data.draw(st.integers(1, 30)),
        "host": {
            "memory": data.draw(st.integers(1, 2 * pages)),
            "policy": data.draw(st.sampled_from(["random", "fifo"])),
        },
        "balloon": {"controller": "static", "rate": data.draw(st.integers(1, 4)), "max": 0.9},
        "vm": [{"trace": "a", "trace_vm": index, **vm} for index in vms],
    }
    whole, part = (tr.replay(said, {"a": rows}, jit=False).vms for rows in (trace, reduced(trace, above)))
    assert part[list(GUEST)].to_numpy().tolist() == whole[list(GUEST)].to_numpy().tolist()


def plain(pages: str, vms: str | None = None) -> pa.Table:
    """Writes of pages, one digit each."""
    return table(
        [(int(vm), int(page), W, None) for page, vm in zip(pages, vms or "0" * len(pages), strict=True)]
    )


# trace, K, scenario, counter, what it is on the whole trace and on the reduced one
NOT_EXACT: dict[str, tuple[pa.Table, int, dict[str, Any], str, tuple[int, int]]] = {
    "a random host": (
        plain("21030102"),
        3,
        {"host": {"memory": 3, "policy": "random"}, "vm": [{"trace": "a", "memory": 4}]},
        "host_major_faults",
        (3, 1),
    ),
    "two VMs on an LRU host": (
        plain("010221", "010011"),
        3,
        {"host": {"memory": 3, "policy": "lru"}, "vm": [{"trace": "a", "memory": 3}]},
        "host_major_faults",
        (1, 0),
    ),
    "a CLOCK guest": (
        plain("113021"),
        3,
        {"host": {"memory": 4, "policy": "lru"}, "vm": [{"trace": "a", "memory": 3, "policy": "clock"}]},
        "guest_major_faults",
        (0, 1),
    ),
    "a random guest": (
        plain("130121213"),
        3,
        {"host": {"memory": 4, "policy": "lru"}, "vm": [{"trace": "a", "memory": 3, "policy": "random"}]},
        "guest_major_faults",
        (3, 1),
    ),
}


@pytest.mark.parametrize("case", NOT_EXACT)
def test_where_it_is_not_exact(case):
    """Counterexamples to what the module does not promise."""
    trace, above, said, counter, expected = NOT_EXACT[case]
    found = [totals(rows, {"tick": 0, **said})[counter] for rows in (trace, reduced(trace, above))]
    assert tuple(found) == expected


# ---- Streams -------------------------------------------------------------------------------------


def draws(seed: int, n: int, vms: int) -> list[tuple]:
    """Rows of several VMs, one of which does nothing after the first third."""
    rng = np.random.default_rng(seed)
    vm = rng.integers(0, vms, n)
    vm[n // 3 :] %= vms - 1
    op, content = rng.choice(4, n, p=[0.5, 0.3, 0.02, 0.18]), rng.integers(0, 9, n)
    return list(zip(*(c.tolist() for c in (vm, rng.zipf(1.4, n) % 40, op, content)), strict=True))


def test_every_vm_is_reduced_by_itself():
    """The rows of one VM are those of its reduction alone, but for the last of all; times stay in order."""
    rows = draws(1, 4_000, 3)
    left = tuples(reduced(table(rows), 8))
    assert len(left) < 3_000
    assert [row[0] for row in left] == sorted(row[0] for row in left)
    for vm in range(3):
        own = [(3 * i, *row) for i, row in enumerate(rows) if row[0] == vm]
        alone = tuples(reduced(table([(0, *row[2:]) for row in own]), 8))
        assert [(own[time // 3][0], vm, *rest) for time, _, *rest in alone][:-2] == [
            row for row in left if row[1] == vm
        ][: len(alone) - 2]


def test_the_clock_stays():
    """First and last row are kept, so ticks and default ticks are the same; footprints are, too."""
    rows = table([(0, page, R, None) for page in (1, 2, 1, 2, 2, 2)])
    left = open_trace(tr.reduce_trace(rows, 2))
    assert (left.time_range(), left.footprints()) == ((0, 15), (2,))
    assert tuples(reduced(rows[:1], 2)) == [(0, 0, 1, R, None)]
    untimed = open_trace(tr.reduce_trace({"page": [1, 2, 1, 2, 2, 2]}, 2))
    assert (untimed.time_range(), untimed.metadata.time_unit) == ((0, 5), "accesses")


class Watched(Trace):
    """A trace that knows how many of its rows were asked for."""

    read = 0

    def batches(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        for batch in super().batches(*arguments, **options):
            Watched.read = batch.row + len(batch.page)
            yield batch


@pytest.mark.slow
def test_rows_come_while_the_trace_is_read():
    """Even where a page of an idle VM waits for its next reference all the time: memory is bounded."""
    n = 6_000_000
    page, vm = np.arange(n), np.ones(n, np.uint16)
    page[:3], vm[:3] = (1, 2, 1), 0
    trace = open_trace({"page": page, "vm": vm})
    watched = Watched(**{name: getattr(trace, name) for name in Trace.__dataclass_fields__})
    done = most = 0
    for batch in tr.reduce_trace(watched, 100):
        done += len(batch)
        most = max(most, Watched.read - done)
    assert done == n
    assert most < 3_500_000


# ---- What it says of itself ----------------------------------------------------------------------


def test_what_the_metadata_say(tmp_path):
    """Size and rows before; VMs as they were; reduced again, the larger size counts."""
    first = tr.write_trace(tmp_path / "a", tr.reduce_trace(trace_path("gzip"), "384KiB"))
    rows = tr.open_trace(trace_path("gzip")).n_rows
    assert first.reduction == {"method": "sad", "exact_above": 96}
    assert first.provenance["reductions"] == [{"exact_above": 96, "of_rows": rows}]
    assert first.vms == tr.open_trace(trace_path("gzip")).metadata.vms
    assert first.rows < rows
    again = tr.write_trace(tmp_path / "b", tr.reduce_trace(tmp_path / "a", "20%"))
    assert again.exact_above == 96
    assert again.rows <= first.rows
    assert again.provenance["reductions"][1] == {"exact_above": 247 * 20 // 100, "of_rows": first.rows}


def test_a_share_is_of_the_smallest_vm():
    """So that every VM can be replayed with that share of its footprint."""
    rows = table([(0, page, R, None) for page in range(30)] + [(1, page, R, None) for page in range(11)])
    assert open_trace(tr.reduce_trace(rows, "50%")).metadata.exact_above == 5


BAD = {
    0: (UsageError, "reduce: exact_above: found 0; expected at least one page of 4096 bytes"),
    "1KiB": (UsageError, 'reduce: exact_above: found "1KiB"; expected at least one page'),
    "many": (UsageError, 'reduce: exact_above: found "many"; expected a size such as "64MiB"'),
    0.1: (UsageError, "reduce: exact_above: found 0.1; expected a size"),
}


@pytest.mark.parametrize("above", BAD)
def test_sizes_that_are_none(above):
    """Found, expected, before a row is read."""
    error, message = BAD[above]
    with pytest.raises(error) as caught:
        tr.reduce_trace(trace_path("gzip"), above)
    assert str(caught.value).startswith(message)


def test_samples():
    """By pages: exact for the memories of the sample.  By contents: refused."""
    small = tr.sample_trace(trace_path("sort"), "50%").read_all()
    left = open_trace(tr.reduce_trace(small, 100))
    assert left.metadata.provenance["sample"]["by"] == "pages"
    for frames in (100, 150, 200):
        assert count_traffic(left, "lru", frames)[1:] == count_traffic(open_trace(small), "lru", frames)[1:]
    with pytest.raises(
        TraceError, match="found a sample by contents; expected a whole trace, or a sample by"
    ):
        tr.reduce_trace(tr.sample_trace(trace_path("sort"), "50%", by="contents"), 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gzip", "sort", "sqlite", "cc1", "python"])
def test_real_programs(name):
    """LRU faults and write-backs and OPT faults of the bundled traces, from K on up to all pages."""
    trace = open_trace(trace_path(name))
    pages = trace.footprints()[0]
    above = 2 * trace.metadata.exact_above
    left = open_trace(tr.reduce_trace(trace, above))
    assert left.n_rows < 0.9 * trace.n_rows
    for frames in (above, above + 1, above + 9, (above + pages) // 2, pages - 1, pages):
        assert count_traffic(left, "lru", frames)[1:3] == count_traffic(trace, "lru", frames)[1:3]
        assert count_traffic(left, "opt", frames).misses == count_traffic(trace, "opt", frames).misses
