"""The double-paging surface: by hand, in closed form, and against replays, counter by counter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracereplay as tr
from tracereplay.analysis.double_paging import Anomaly, anomaly
from tracereplay.analysis.stack_distance import stack_distances
from tracereplay.analysis.two_levels import TwoLevels
from tracereplay.bundled import trace_path
from tracereplay.errors import UsageError
from tracereplay.trace import Metadata, VMInfo
from tracereplay.trace.schema import METADATA_KEY, Op

READ, WRITE, FREE, FETCH = map(int, Op)


def table(rows: list[tuple[int, int, int | None]], **metadata: Any) -> pa.Table:
    """A trace of (page, op, content)."""
    kinds = {"page": pa.uint64(), "op": pa.uint8(), "content": pa.uint64()}
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds.values(), strict=True)]
    said = {METADATA_KEY: Metadata(**metadata).to_json()}
    return pa.table(arrays, names=list(kinds)).replace_schema_metadata(said)


def replayed(trace: pa.Table, guest: int, host: int, *, jit: bool = False) -> dict[str, int]:
    """What the surface tells of a pair, by replay."""
    machine = {
        "host": {"memory": host, "policy": "lru"},
        "vm": [{"trace": "t", "memory": guest, "policy": "lru"}],
    }
    totals = tr.replay(machine, {"t": trace}, jit=jit).totals
    reads = totals["guest_swap_reads"] + totals["guest_file_fills"] + totals["host_swap_reads"]
    writes = totals["guest_swap_writes"] + totals["host_swap_writes"]
    sums = {
        "guest_pages": guest,
        "host_pages": host,
        "fill_reads": totals["stale_reads"] + totals["false_reads"],
        "device_reads": reads,
        "device_writes": writes,
        "total_io": reads + writes,
    }
    return totals | sums


def same_as_replayed(surface: pd.DataFrame, trace: pa.Table, *, jit: bool = False) -> bool:
    """Whether all columns of all rows are what replays count."""
    rows = surface.to_dict(orient="records")
    replays = [replayed(trace, row["guest_pages"], row["host_pages"], jit=jit) for row in rows]
    assert rows == [{name: totals[name] for name in surface} for totals in replays]
    return True


def test_by_hand():
    """a b c a b c, all written: memories of 1 or 2 miss them all, one of 3 the first three.

    On one frame the guest of 2 evicts four times, each time a page that the host has paged out; the guest
    of 3 finds its pages paged out itself, three times.  All but what the frames hold in the end is written.
    """
    surface = tr.double_paging_surface(
        table([(page, WRITE, None) for page in (5, 9, 7, 5, 9, 7)]), [1, 2, 3], [1, 2, 3], jit=False
    ).set_index(["guest_pages", "host_pages"])
    names = ["guest_major_faults", "guest_swap_writes", "demand_faults", "double_faults", "host_swap_writes"]
    assert surface[names].to_numpy().tolist() == [
        *[[3, 5, 0, 0, 0]] * 3,
        [3, 4, 0, 4, 5],
        *[[3, 4, 0, 0, 0]] * 2,
        [0, 0, 3, 0, 5],
        [0, 0, 3, 0, 4],
        [0, 0, 0, 0, 0],
    ]
    assert surface["device_reads"].tolist() == [3, 3, 3, 7, 3, 3, 3, 3, 0]
    assert surface["total_io"].tolist() == [8, 8, 8, 16, 7, 7, 8, 7, 0]
    assert (surface["guest_minor_faults"] == 3).all()


def test_clean_pages_by_hand():
    """a b c are read from files, then a b again, in a guest of 2: it evicts three pages, none of them dirty.

    The host's one frame pages out each time what a fill made dirty, and the host reads back what the next
    fill of the same guest memory overwrites.
    """
    rows = [(page, READ, page + 1) for page in (0, 1, 2, 0, 1)]
    (row,) = tr.double_paging_surface(table(rows), [2], [1], jit=False).to_dict(orient="records")
    assert {name: n for name, n in row.items() if n} == {
        "guest_pages": 2,
        "host_pages": 1,
        "guest_minor_faults": 3,
        "guest_major_faults": 2,
        "guest_file_fills": 3,
        "guest_swap_reads": 2,
        "host_major_faults": 3,
        "fill_reads": 3,
        "host_swap_reads": 3,
        "host_swap_writes": 4,
        "device_reads": 8,
        "device_writes": 4,
        "total_io": 12,
    }


PAGES = st.integers(0, 6)
KINDS = st.sampled_from([READ, READ, FETCH, WRITE, WRITE])
CONTENTS = st.sampled_from([None, 0, 0, 1, 2])
ROWS = st.lists(st.tuples(PAGES, KINDS, CONTENTS), min_size=1, max_size=40)
SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=2, unique=True)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rows=ROWS, guests=SIZES, hosts=SIZES)
def test_like_replays(rows, guests, hosts):
    """Any reads and writes of pages of known and unknown contents: every counter of every pair of sizes."""
    trace = table(rows)
    assert same_as_replayed(tr.double_paging_surface(trace, guests, hosts, jit=False), trace)


OTHERS = [(page, READ, None) for page in (1, 2, 3)]
UNTRACED = {
    "what was written becomes known": [(0, WRITE, None), *OTHERS, (0, READ, 1), *OTHERS, (0, READ, 1)],
    "and changes then": [(0, WRITE, None), *OTHERS, (0, READ, 1), (0, READ, 2), *OTHERS, (0, READ, 2)],
    "zeros change in memory": [(0, READ, 0), *OTHERS, (0, READ, None), (0, READ, 5), *OTHERS, (0, READ, 5)],
    "zeros change out of memory": [(0, READ, 0), *OTHERS, (0, READ, 5), *OTHERS, (0, READ, 5)],
    "a file's page changes": [(0, READ, 5), *OTHERS, (0, READ, 5), (0, READ, 0), *OTHERS, (0, READ, 0)],
}


@pytest.mark.parametrize("case", UNTRACED)
def test_untraced_writes(case):
    """Reads that show a write that nobody traced count as one, in the memories that held the page then."""
    trace, sizes = table(UNTRACED[case]), [1, 3, 4, 5]
    assert same_as_replayed(tr.double_paging_surface(trace, sizes, sizes, jit=False), trace)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(rows=ROWS, piece=st.integers(1, 9))
def test_rows_in_pieces(rows, piece):
    """Any pieces, during which more and more pages become known, count the same as all rows at once."""
    sizes = np.array([1, 2, 4], np.int64)
    columns = [
        np.array([page for page, _, _ in rows], np.int32),
        np.array([op for _, op, _ in rows], np.uint8),
        np.array([content or 0 for _, _, content in rows], np.uint64),
        np.array([content is not None for _, _, content in rows]),
    ]
    pieces, whole = (TwoLevels(sizes, sizes, jit=False) for _ in range(2))
    for first in range(0, len(rows), piece):
        part = [column[first : first + piece] for column in columns]
        pieces.touch(part, int(columns[0][: first + piece].max()) + 1)
    whole.touch(columns, 7)
    found, expected = pieces.counts(), whole.counts()
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("jit", [False, True])
def test_closed_form(jit):
    """Pages that come from files and are written at every use: what devices do follows from M(k) and D alone.

    g ≤ h: 2M(g) − min(g, D).  g > h: 2M(g) + 2M(h) − 2 min(g, D) − h.
    """
    pages = (np.random.default_rng(1).random(400) ** 2 * 12).astype(np.uint64)
    distances = stack_distances(pages)
    n_pages = len(np.unique(pages))
    trace = table([row for page in pages.tolist() for row in ((page, READ, 1), (page, WRITE, 1))])
    sizes = list(range(1, 15))
    surface = tr.double_paging_surface(trace, sizes, sizes, jit=jit)
    expected = []
    for g in sizes:
        for h in sizes:
            m_g, m_h = (int(((distances >= k) | (distances < 0)).sum()) for k in (g, h))
            pages_out = g > h and h < n_pages
            expected.append(
                2 * m_g + 2 * m_h - 2 * min(g, n_pages) - h if pages_out else 2 * m_g - min(g, n_pages)
            )
    assert surface["total_io"].tolist() == expected


def test_frees_are_left_out():
    """A trace counts as if its FREE rows were not there, and says how many they are."""
    rows = [(0, WRITE, 1), (1, READ, 2), (0, FREE, None), (2, WRITE, None), (3, FREE, None), (0, READ, 1)]
    freed = tr.double_paging_surface(table(rows), [1, 2, 3], [1, 2], jit=False)
    other = tr.double_paging_surface(
        table([row for row in rows if row[1] != FREE]), [1, 2, 3], [1, 2], jit=False
    )
    assert freed.to_dict() == other.to_dict()
    assert freed.attrs == other.attrs | {
        "frees_left_out": 2,
        "warnings": ["<table>: 2 FREE rows are left out, as if no page was freed"],
    }


def test_sizes():
    """Pages, bytes and shares of the footprint, in any order, more than once, or one; of one of two VMs."""
    rows = {"page": range(20), "vm": [0] * 10 + [1] * 10}
    said = Metadata(vms=(VMInfo("web"), VMInfo("db")))
    trace = pa.table(rows).replace_schema_metadata({METADATA_KEY: said.to_json()})
    surface = tr.double_paging_surface(trace, ["50%", "16KiB", 7, 7], "3, 1", vm="db", jit=False)
    pairs = list(zip(surface["guest_pages"], surface["host_pages"], strict=True))
    assert pairs == [(g, h) for g in (4, 5, 7) for h in (1, 3)]
    assert (surface.attrs["vm"], surface.attrs["footprint_pages"], surface.attrs["accesses"]) == (
        "db",
        10,
        10,
    )
    one = tr.double_paging_surface(trace, 4, "50%", vm="db", jit=False)
    assert one[["guest_pages", "host_pages"]].to_numpy().tolist() == [[4, 5]]


def test_sizes_where_none_are_given():
    """Hosts from a sixteenth of the footprint to all of it; guests of these sizes and, below, a page more."""
    surface = tr.double_paging_surface({"page": np.arange(3200)})
    hosts, guests = (np.unique(surface[f"{level}_pages"]) for level in ("host", "guest"))
    assert (len(hosts), hosts[0], hosts[-1]) == (40, 200, 3200)
    ratios = hosts[1:] / hosts[:-1]
    assert ratios.max() / ratios.min() < 1.01
    assert guests.tolist() == sorted({*hosts, *(hosts[:-1] + 1)})
    huge = tr.double_paging_surface({"page": [1, 2]}, host_sizes=[2**63 - 1], jit=False)
    assert huge["guest_pages"].tolist() == [1, 2, 2**63 - 1]


def test_reduced_traces():
    """The sizes begin where the trace is exact; smaller ones that are asked for are warned of."""
    path = trace_path("gzip")
    exact_above = tr.open_trace(path).metadata.exact_above
    surface = tr.double_paging_surface(path)
    assert (surface["guest_pages"].min(), surface["host_pages"].min()) == (exact_above, exact_above)
    assert surface.attrs["warnings"] == []
    (warning,) = tr.double_paging_surface(path, [exact_above], [exact_above - 1]).attrs["warnings"]
    assert "exact for memories of 64 pages or more" in warning


def test_pages_taken_for_empty():
    """Much of what the smallest guest does: said once, as of its replay; with contents there is none."""
    rows = {"page": [*range(60)] * 5}
    said = tr.double_paging_surface(rows, [30, 40, 60], [20]).attrs["warnings"]
    run = tr.replay(
        {"host": {"memory": 20, "policy": "lru"}, "vm": [{"trace": "a", "memory": 30}]}, {"a": rows}
    )
    assert said == [f"a guest of 30 pages: {run.warnings[0]}"]
    assert said[0].startswith("a guest of 30 pages: VM vm0: at least 240 of 300 guest faults")
    assert tr.double_paging_surface(rows, [60], [20]).attrs["warnings"] == []
    known = {**rows, "content": [7] * 300}
    assert tr.double_paging_surface(known, [30], [20]).attrs["warnings"] == []


def test_samples():
    """What is said speaks of their rows."""
    sample = tr.sample_trace({"page": list(range(100)) * 2}, "50%").read_all()
    (warning,) = tr.double_paging_surface(sample, jit=False).attrs["warnings"]
    assert warning == "<table>: a sample of 0.5 of the pages: sizes and counts are of the rows kept"


def test_compiled():
    """A real trace gives the same compiled and not."""
    found = (
        tr.double_paging_surface(trace_path("gzip"), [70, 100, 200], [64, 90], jit=jit) for jit in (0, 1)
    )
    assert len({str(surface.to_dict()) for surface in found}) == 1


BAD = {
    "no VM": ({}, 'vm: found nothing, and 2 VMs in the trace; expected one of "vm0", "vm1"'),
    "wrong VM": (
        {"vm": "vm2"},
        'vm: found "vm2"; expected an index below 2, or one of "vm0", "vm1"; did you mean "vm1"?',
    ),
    "no sizes": (
        {"vm": 0, "guest_sizes": []},
        "guest_sizes: found no size; expected one or more",
    ),
    "too many sizes": (
        {"vm": 0, "guest_sizes": range(1, 4001), "host_sizes": range(1, 4001)},
        "surface: found 4,000 sizes of the guest and 4,000 of the host; expected at most 65,535 of each and "
        "2,097,152 pairs",
    ),
    "no page": ({"vm": 0, "host_sizes": [4, "1KiB"]}, 'host_sizes: found "1KiB"; expected at least one page'),
    "no unit": (
        {"vm": 0, "host_sizes": ["4M"]},
        'host_sizes: found "4M"; expected a size such as "64MiB", a percentage such as "75%" or an integer '
        'number of pages, with a unit that says whether it is binary or decimal; did you mean "4MiB"?',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_words_that_do_not_fit(case):
    """One message that says what was found and what was expected."""
    options, message = BAD[case]
    with pytest.raises(UsageError) as error:
        tr.double_paging_surface({"page": [1, 2], "vm": [0, 1]}, **options)
    assert str(error.value) == message


def test_anomaly_by_hand():
    """On two frames the guest of 4 reads 5 more than the one of 2; on four frames nothing fits worse."""
    columns = {"guest_pages": [1, 2, 3, 4] * 2, "host_pages": [2] * 4 + [4] * 4}
    reads = [30, 20, 24, 25, 30, 20, 18, 17]
    assert anomaly(pd.DataFrame(columns | {"device_reads": reads})) == Anomaly(2, 2, 4, 20, 25)
    assert anomaly(pd.DataFrame(columns | {"device_reads": [30, 20, 20, 19] * 2})) is None
    assert anomaly(pd.DataFrame({"guest_pages": [3], "host_pages": [2], "device_reads": [9]})) is None
