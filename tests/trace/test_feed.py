"""The rows of a run: merged by time, renumbered, with dense ids, against sorted() and dicts."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.errors import TraceError
from tracereplay.machine import VMConfig
from tracereplay.trace import Metadata, VMInfo, open_trace
from tracereplay.trace.feed import Feed, ahead
from tracereplay.trace.schema import METADATA_KEY

COLUMNS = {
    "time": pa.uint64(),
    "vm": pa.uint16(),
    "page": pa.uint64(),
    "op": pa.uint8(),
    "content": pa.uint64(),
}


def make_trace(rows, n_vms=1):
    """An open trace over rows ``(time, vm, page, op, content)``."""
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(COLUMNS.values())]
    metadata = Metadata(vms=tuple(VMInfo(f"vm{v}", pages=9) for v in range(n_vms)))
    table = pa.table(columns, list(COLUMNS))
    return open_trace(table.replace_schema_metadata({METADATA_KEY: metadata.to_json()}))


def make_vm(trace="t", trace_vm=0, start=0, domain=0, footprint=0):
    """A VM of a run, of which the feed looks at these alone."""
    return VMConfig(
        name="vm",
        trace=trace,
        trace_vm=trace_vm,
        pages=1,
        footprint=footprint,
        policy="lru",
        params={},
        balloon_cap=0,
        balloon_schedule=(),
        domain=domain,
        family="",
        tenant="",
        shares=1000,
        min=0,
        start=start,
    )


def expected_rows(vms, tables):
    """Rows ``(time, vm, page id, op, content id)`` of a run by its definition, with sorted() and dicts."""
    sources: list[tuple[str, int, dict[int, int]]] = []
    for index, vm in enumerate(vms):
        for name, start, driven in sources:
            if (name, start) == (vm.trace, vm.start) and vm.trace_vm not in driven:
                driven[vm.trace_vm] = index
                break
        else:
            sources.append((vm.trace, vm.start, {vm.trace_vm: index}))
    merged = sorted(
        (
            (time + start, driven[vm], page, op, content)
            for name, start, driven in sources
            for time, vm, page, op, content in tables[name]
            if vm in driven
        ),
        key=lambda row: row[0],  # sorted() is stable: ties stay in the order of the sources
    )
    n_domains = 1 + max(vm.domain for vm in vms)
    pages: dict[tuple[int, int], int] = {}
    contents = {(domain, 0): domain for domain in range(n_domains)}
    found = []
    for time_, vm, page, op, content in merged:
        number = -1
        if content is not None:
            number = contents.setdefault((vms[vm].domain, content), len(contents))
        found.append((time_, vm, pages.setdefault((vm, page), len(pages)), op, number))
    return found


def fed_rows(feed):
    """All rows of a feed as tuples, and how the numbers that come with them grow."""
    rows, grown = [], []
    for batch in feed:
        assert len(batch.time)
        kinds = [column.dtype.name for column in batch[:5]]
        assert kinds == ["uint64", "uint16", "int32", "uint8", "int32"]
        rows += list(zip(*(column.tolist() for column in batch[:5]), strict=True))
        grown.append((batch.n_pages, batch.n_contents))
        assert batch.n_pages == 1 + max(row[2] for row in rows)
        assert batch.n_contents > max(row[4] for row in rows)
        assert not batch.wants_live
    assert grown == sorted(grown)
    return rows


@st.composite
def runs(draw):
    """Some traces full of ties, and VMs driven by them: subsets, doubles and starts of all kinds."""
    tables, n_vms = {}, {}
    for name in draw(st.sampled_from(["a", "ab", "abc"])):
        n_vms[name] = draw(st.integers(1, 3))
        row = st.tuples(
            st.sampled_from([0, 0, 0, 1, 1, 5]),
            st.integers(0, n_vms[name] - 1),
            st.sampled_from([0, 1, 2, 3, 2**63]),
            st.integers(0, 3),
            st.sampled_from([None, 0, 1, 2, 2**64 - 1]),
        )
        now, rows = draw(st.integers(0, 5)), []
        for gap, *rest in draw(st.lists(row, min_size=1, max_size=25)):
            now += gap
            rows.append((now, *rest))
        tables[name] = rows
    vms = []
    for name in draw(st.lists(st.sampled_from(list(tables)), min_size=1, max_size=5)):
        vm = draw(st.integers(0, n_vms[name] - 1))
        vms.append(make_vm(name, vm, draw(st.sampled_from([0, 0, 3])), draw(st.integers(0, 1))))
    return tables, n_vms, vms, draw(st.sampled_from([1, 2, 3, 7, 1000]))


@settings(max_examples=250, deadline=None, derandomize=True)
@given(runs())
def test_any_run_is_fed_what_its_definition_says(case):
    """k-way merge with ties, subsets of a file's VMs, one twice, shifted starts, domains, any batches."""
    tables, n_vms, vms, batch_rows = case
    traces = {name: make_trace(rows, n_vms[name]) for name, rows in tables.items()}
    feed = Feed(vms, traces, batch_rows=batch_rows)
    expected = expected_rows(vms, tables)
    assert fed_rows(feed) == expected
    footprints = [len({page for _, vm, page, _, _ in expected if vm == v}) for v in range(len(vms))]
    assert feed.footprints.tolist() == footprints


ROWS = [(0, 0, 7, 1, 5), (2, 1, 7, 0, 5), (2, 0, 8, 0, None), (3, 1, 9, 2, 0), (9, 0, 7, 3, 6)]


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_ties_go_to_the_vm_listed_first(batch_rows):
    """Two VMs on one clock: at equal times the file of the VM listed first goes first, as a whole."""
    tables = {"a": [(1, 0, 1, 0, None), (1, 0, 2, 0, None)], "b": [(0, 0, 3, 0, None), (1, 0, 4, 0, None)]}
    traces = {name: make_trace(rows) for name, rows in tables.items()}
    for order, vms in (("ab", [1, 0, 0, 1]), ("ba", [0, 0, 1, 1])):
        fed = fed_rows(Feed([make_vm(name) for name in order], traces, batch_rows=batch_rows))
        assert [row[1] for row in fed] == vms


def test_the_vms_of_a_file_by_hand():
    """VM 1 of the file first, VM 0 twice, once 2 later: three VMs, their rows and ids worked out."""
    vms = [make_vm(trace_vm=1), make_vm(trace_vm=0), make_vm(trace_vm=0, start=2, domain=1)]
    # contents: 0 and 1 are the domains' zeros; 5 of domain 0 is 2, 5 of domain 1 is 3, then 6, 6
    assert fed_rows(Feed(vms, {"t": make_trace(ROWS, 2)})) == [
        (0, 1, 0, 1, 2),
        (2, 0, 1, 0, 2),
        (2, 1, 2, 0, -1),
        (2, 2, 3, 1, 3),
        (3, 0, 4, 2, 0),
        (4, 2, 5, 0, -1),
        (9, 1, 0, 3, 4),
        (11, 2, 3, 3, 5),
    ]


def test_a_vm_whose_rows_come_late_or_never():
    """Batches without a row of the run are no batches; a VM without rows is no obstacle."""
    rows = [(t, 0, t, 0, None) for t in range(20)] + [(20, 1, 5, 0, None)]
    fed = fed_rows(Feed([make_vm(trace_vm=1)], {"t": make_trace(rows, 3)}, batch_rows=2))
    assert fed == [(20, 0, 0, 0, -1)]
    assert fed_rows(Feed([make_vm(trace_vm=2)], {"t": make_trace(rows, 3)}, batch_rows=2)) == []
    both = Feed(
        [make_vm(trace_vm=2), make_vm("u")],
        {"t": make_trace(rows, 3), "u": make_trace(rows[:2])},
        batch_rows=2,
    )
    assert [row[:2] for row in fed_rows(both)] == [(0, 1), (1, 1)]


def test_a_start_past_the_end_of_time():
    """A shifted clock that would wrap around is refused, with the trace and the row."""
    trace = make_trace([(2**63, 0, 1, 0, None)])
    with pytest.raises(TraceError, match=r"row 0: start 9223372036854775808 moves the time past 2\^64"):
        list(Feed([make_vm(start=2**63)], {"t": trace}))


# ---- Recycling of content ids --------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [1, 5, 64])
def test_recycling(batch_rows):
    """A memory of eight pages names eight contents at a time: 500 different ones need few ids.

    What is in memory is never given another id, nor its id to another content.
    """
    rng = np.random.default_rng(batch_rows)
    rows = [(t, 0, int(rng.integers(8)), 1, int(c)) for t, c in enumerate(rng.integers(0, 500, 900))]
    feed = Feed([make_vm()], {"t": make_trace(rows)}, batch_rows=batch_rows, recycle_from=20)
    page_of_id: dict[int, int] = {}
    raw: dict[int, int] = {0: 0}  # what each id stands for, as far as anyone remembers
    held: dict[int, int] = {}  # page -> content id
    asked, row, most = 0, 0, 0
    for batch in feed:
        for page, content in zip(batch.page.tolist(), batch.content.tolist(), strict=True):
            assert page_of_id.setdefault(rows[row][2], page) == page
            assert raw.setdefault(content, rows[row][4]) == rows[row][4]
            held[page] = content
            row += 1
        assert len(set(raw.values())) == len(raw), "one content has two ids"
        most = max(most, batch.n_contents)
        if batch.wants_live:
            asked += 1
            live = np.zeros(batch.n_contents, np.bool_)
            live[[0, *held.values()]] = True
            raw = {number: content for number, content in raw.items() if live[number]}
            feed.supply_live(live)
    assert row == len(rows)
    assert asked > 3
    assert most <= 2 * 20 + 2 * batch_rows


def test_no_recycling_below_the_threshold():
    """Few contents: the feed never asks."""
    assert len(fed_rows(Feed([make_vm()], {"t": make_trace([(0, 0, 0, 1, c) for c in range(19)])}))) == 19


def test_a_feed_that_is_let_go_ends():
    """Closed instead of answered: no rows follow."""
    rows = [(t, 0, 0, 1, t) for t in range(100)]
    feed = Feed([make_vm()], {"t": make_trace(rows)}, batch_rows=10, recycle_from=15)
    seen = 0
    for batch in feed:
        seen += len(batch.time)
        if batch.wants_live:
            feed.close()
    assert seen == 20


# ---- Decoding ahead ------------------------------------------------------------------------------


def decoders() -> list[threading.Thread]:
    """Threads that decode ahead."""
    return [thread for thread in threading.enumerate() if thread.name == "tracereplay-decode"]


def test_ahead_yields_everything_in_order():
    """The same items, once each; the thread is gone at the end."""
    assert list(ahead(range(1000))) == list(range(1000))
    assert list(ahead([])) == []
    assert decoders() == []


def test_ahead_works_in_another_thread_and_not_too_far():
    """Two items wait and a third is in hand: a file larger than memory stays on disk."""
    made: list[str] = []

    def items() -> Iterator[int]:
        for i in range(100):
            made.append(threading.current_thread().name)
            yield i

    stream = ahead(items(), depth=2)
    assert next(stream) == 0
    deadline = time.monotonic() + 5
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.15)
    assert made == ["tracereplay-decode"] * 4
    stream.close()


@pytest.mark.parametrize("good", [0, 1, 5])
def test_ahead_passes_exceptions_on(good):
    """An error arrives after the items before it, as itself, with the place where it was raised."""

    def items() -> Iterator[int]:
        yield from range(good)
        raise TraceError("bad row", "file", 7)

    stream = ahead(items())
    assert list(itertools.islice(stream, good)) == list(range(good))
    with pytest.raises(TraceError, match="file: row 7: bad row") as caught:
        next(stream)
    assert any(entry.name == "items" for entry in caught.traceback)
    assert decoders() == []


def test_closing_ahead_stops_its_thread():
    """A consumer that leaves early, by close() or by its own error, leaves no thread behind."""
    stream = ahead(iter(range(10**9)))
    assert [next(stream), next(stream)] == [0, 1]
    assert len(decoders()) == 1
    stream.close()
    assert decoders() == []
    with pytest.raises(ZeroDivisionError):
        _divide_by(ahead(iter(range(10**9))))
    assert decoders() == []


def _divide_by(stream):
    try:
        for item in stream:
            1 // item
    finally:
        stream.close()
