"""Memory that holds each content once: against lists, by hand, and of real guests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracereplay as tr
from tracereplay.analysis import content_memory
from tracereplay.analysis.content_curve import groups
from tracereplay.analysis.content_memory import ContentMemory
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, VMInfo, open_trace
from tracereplay.trace.schema import METADATA_KEY

READ, WRITE, FREE, FETCH = range(4)
UNKNOWN = None
SIZES = range(1, 14)


def table(rows: list[tuple], vms: int = 2) -> pa.Table:
    """Rows (vm, page, op, content)."""
    vm, page, op, content = zip(*rows, strict=True)
    columns = {"vm": vm, "page": page, "op": op, "content": pa.array(content, pa.uint64())}
    metadata = Metadata(vms=tuple(VMInfo(f"vm{i}") for i in range(vms)))
    return pa.table(columns).replace_schema_metadata({METADATA_KEY: metadata.to_json()})


class Memories:
    """What each page holds, and LRU memories of some sizes as lists of contents, the most recent first."""

    def __init__(self, sizes: Iterable[int] = SIZES) -> None:
        self.held: dict[tuple[int, int], object] = {}
        self.memories: dict[int, list[object]] = {size: [] for size in sizes}
        self.misses = dict.fromkeys(self.memories, 0)
        self.most_pages = self.most_contents = 0

    def row(self, vm: int, page: int, op: int, content: int | None) -> None:
        key = vm, page
        before = self.held.get(key)
        if op == FREE:
            self.held.pop(key, None)
            return self.forget(before)
        after = self.after(key, op, content)
        self.touch(after if before is None else before, counted=True)
        self.held[key] = after
        if before not in (None, after):
            self.forget(before)
            self.touch(after, counted=False)
        self.most_pages = max(self.most_pages, len(self.held))
        self.most_contents = max(self.most_contents, len(set(self.held.values())))
        return None

    def after(self, key: tuple[int, int], op: int, content: int | None) -> object:
        """What the page holds after a row; pages of unknown content hold themselves."""
        if content is not UNKNOWN:
            return content
        return key if op == WRITE else self.held.get(key, 0)

    def touch(self, content: object, *, counted: bool) -> None:
        """Put a content on top of every memory; a memory that is full and has it not evicts its last one."""
        for size, memory in self.memories.items():
            self.misses[size] += counted and content not in memory
            memory[:] = [content, *(other for other in memory if other != content)][:size]

    def forget(self, content: object) -> None:
        """A content that no page holds leaves a free frame."""
        if content not in self.held.values():
            for memory in self.memories.values():
                memory[:] = [other for other in memory if other != content]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 5),
        st.sampled_from([READ, READ, WRITE, WRITE, FREE, FETCH]),
        st.sampled_from([UNKNOWN, UNKNOWN, 0, 1, 2, 3]),
    ),
    min_size=1,
    max_size=40,
)


def check(rows: list[tuple], piece: int, *, jit: bool) -> None:
    """Misses of memories of every size, and what is held at most, are those of the lists."""
    naive, memory = Memories(), ContentMemory(2, jit=jit)
    for row in rows:
        naive.row(*row)
    for batch in open_trace(table(rows)).batches(batch_rows=piece):
        memory.touch(batch)
    assert memory.misses(len(SIZES)).tolist() == list(naive.misses.values())
    assert (memory.held, memory.pages) == (naive.most_contents, naive.most_pages)
    assert memory.held <= memory.pages


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ROWS, st.integers(1, 20))
def test_every_size_by_lists(rows, piece):
    """Any rows of two VMs in any batches."""
    check(rows, piece, jit=False)


@pytest.mark.parametrize("jit", [False, True])
def test_ids_are_given_out_again(jit, monkeypatch):
    """So do many rows, compiled or not, while ids of contents that nobody holds go to others."""
    monkeypatch.setattr(content_memory, "_RECYCLE_FROM", 8)
    rng = np.random.default_rng(2)
    rows = [
        (int(vm), int(page), int(op), None if content < 5 else int(content) % 40)
        for vm, page, op, content in rng.integers(0, (2, 6, 4, 60), (250, 4))
    ]
    check(rows, 16, jit=jit)


def test_by_hand():
    """Two pages with one content share a frame until one is written; a freed page's frame is used again."""
    rows = [
        (0, 1, WRITE, 7),  # misses everywhere
        (0, 2, WRITE, 7),  # another page of what is there
        (0, 1, READ, UNKNOWN),
        (0, 2, WRITE, 8),  # 8 on top of 7
        (0, 1, READ, UNKNOWN),  # 7 has left a memory of one frame
        (0, 2, READ, UNKNOWN),  # and 8 has
        (0, 2, FREE, UNKNOWN),
        (0, 3, WRITE, 9),  # misses everywhere, takes the frame of 8
        (0, 1, READ, 7),  # 7 has stayed in a memory of two
        (0, 1, READ, 5),  # somebody wrote: an access to 7, and 5 in its place
        (0, 4, READ, 5),
        (0, 5, READ, UNKNOWN),  # zeros: misses everywhere
        (0, 6, FETCH, 0),
    ]
    found = tr.content_curves(table(rows, vms=1))
    assert found.contents["vm0",].misses.tolist() == [6, 3, 3]
    assert found.footprints.to_dict("records") == [
        {"vms": "vm0", "pages": 5, "contents_alone": 3, "contents": 3, "shared": 0}
    ]


def test_without_equal_contents_it_is_lru_over_pages():
    """Pages of unknown content, or each of its own, freed now and then: the curve of pages at every size."""
    rng = np.random.default_rng(7)
    rows, alive = [], set()
    for vm, page, op in rng.integers(0, (2, 30, 12), (3000, 3)).tolist():
        free = op == 0 and (vm, page) in alive
        first = (vm, page) not in alive
        (alive.discard if free else alive.add)((vm, page))
        own = 1000 * vm + page + 1 if page < 10 else UNKNOWN
        rows.append((vm, page, FREE if free else WRITE if first or op < 6 else READ, own))
    trace = open_trace(table(rows))
    found = tr.content_curves(trace)
    for vm, curve in lru_curve(trace).items():
        for other in (found.pages[f"vm{vm}"], found.contents[f"vm{vm}",]):
            assert (other.accesses, other.misses.tolist()) == (curve.accesses, curve.misses.tolist())
    assert found.footprints["shared"].tolist() == [0, 0, 0]


TOY = ("ZZABC??Z", "ZABDD?Z?", "ZAEDF???")
"""Three VMs of eight pages: zeros, contents that several have, and some that nobody else has."""


def test_footprints_of_three_vms():
    """Ten of 24 pages are reclaimed, four of them inside VMs and six between them (by hand)."""
    contents = {letter: i for i, letter in enumerate("ZABCDEF")}
    rows = [
        (vm, page, WRITE, contents.get(letter, UNKNOWN))
        for vm, pages in enumerate(TOY)
        for page, letter in enumerate(pages)
    ]
    found = tr.content_curves(table(rows, vms=3))
    expected = pd.DataFrame(
        {
            "vms": ["vm0", "vm1", "vm2", "vm0, vm1", "vm0, vm2", "vm1, vm2", "vm0, vm1, vm2"],
            "pages": [8, 8, 8, 16, 16, 16, 24],
            "contents_alone": [6, 6, 8, 12, 14, 14, 20],
            "contents": [6, 6, 8, 9, 12, 11, 14],
            "shared": [0, 0, 0, 3, 2, 3, 6],
        }
    )
    pd.testing.assert_frame_equal(found.footprints, expected)
    assert found.contents["vm0", "vm1", "vm2"].misses[-1] == 14
    assert found.table([24]).to_dict("records") == [
        {
            "size_pages": 24,
            "misses_pages": 24,
            "misses_contents_alone": 20,
            "misses_contents_together": 14,
            "same_misses": 1,
        }
    ]


def test_what_two_vms_need():
    """Two VMs that loop over the same three contents: each needs three frames, both together no more."""
    rows = [(vm, page, WRITE, 10 + page) for _ in range(10) for page in range(3) for vm in range(2)]
    found = tr.content_curves(table(rows))
    assert found.table([2, 3, 4, 6]).to_dict("list") == {
        "size_pages": [2, 3, 4, 6],
        "misses_pages": [60, 60, 33, 6],
        "misses_contents_alone": [60, 60, 33, 6],
        # the second VM finds what the first has just touched
        "misses_contents_together": [30, 3, 3, 3],
        "same_misses": [1, 1, 1, 3],
    }
    needed = found.needed([0.04, 0.05, 0.1, 0.5, 1])
    assert needed.astype(object).where(needed.notna(), None).to_dict("list") == {
        "miss_ratio": [0.04, 0.05, 0.1, 0.5, 1],
        "pages": [None, None, 6, 6, 2],
        "contents_alone": [None, None, 6, 6, 2],
        "contents_together": [None, 3, 3, 1, 1],
    }


def test_groups():
    """Each VM, pairs of not too many, all; none twice."""
    assert groups(1) == [(0,)]
    assert groups(2) == [(0,), (1,), (0, 1)]
    assert len(groups(8)) == 8 + 28 + 1
    assert groups(9) == [*((vm,) for vm in range(9)), tuple(range(9))]


def test_a_real_program_twice():
    """gzip twice, one later: misses at four sizes, and what is held at most, row by row by the lists."""
    trace = open_trace(tr.merge([trace_path("gzip"), trace_path("gzip")], starts=[0, 10**6]))
    naive = Memories([64, 150, 234, 250])
    for batch in trace.batches():
        columns = (batch.vm, batch.page, batch.op, batch.content, batch.known)
        for vm, page, op, content, known in zip(*(column.tolist() for column in columns), strict=True):
            naive.row(vm, page, op, content if known else UNKNOWN)
    found = tr.content_curves(trace)
    together = found.contents[found.vms]
    at = np.searchsorted(together.sizes, list(naive.misses), "right") - 1
    assert together.misses[at].tolist() == list(naive.misses.values())
    assert found.footprints[["pages", "contents"]].iloc[-1].tolist() == [
        naive.most_pages,
        naive.most_contents,
    ]


# ---- Samples -------------------------------------------------------------------------------------


def test_a_sample_estimates():
    """A tenth of what two guests hold: curves within 0.003 of their accesses, footprints within 3 %."""
    exact = tr.content_curves(trace_path("two-guests"))
    found = tr.content_curves(trace_path("two-guests"), sample="rate=10%,salts=4")
    for group, curve in exact.contents.items():
        estimate = found.contents[group]
        at = np.searchsorted(curve.sizes, estimate.sizes, "right") - 1
        off = np.abs(estimate.misses - curve.misses[at]) / curve.accesses
        assert off.mean() < 0.003
        assert (estimate.low <= estimate.misses).all()
        assert (estimate.misses <= estimate.high).all()
        assert estimate.accesses == curve.accesses
    assert found.footprints["pages"].tolist() == exact.footprints["pages"].tolist()
    assert found.footprints["contents"].tolist() == pytest.approx(
        exact.footprints["contents"].tolist(), rel=0.03
    )
    for key in ("contents_alone", "contents", "shared"):
        ends = found.footprints[f"{key}_low"], found.footprints[f"{key}_high"]
        assert found.footprints[key].between(*ends).all()
    assert found.footprints["shared"].iloc[-1] == pytest.approx(exact.footprints["shared"].iloc[-1], rel=0.03)
    assert {"low", "high"} < set(found.table([20_000]))


def test_the_zero_page_is_in_every_sample():
    """Pages of zeros alone: nothing is left to estimate."""
    found = tr.content_curves(
        table([(0, page, READ, 0) for page in range(100)], vms=1), sample="rate=2%,salts=9"
    )
    curve = found.contents["vm0",]
    assert [line.tolist() for line in (curve.sizes, curve.misses, curve.low, curve.high)] == [[1]] * 4
    assert found.footprints["contents"].tolist() == [1]


def test_zeros_that_are_only_written_count_for_themselves():
    """They are in the sample although no access finds them there."""
    memory = ContentMemory(1, Fraction(1, 2), jit=False)
    rows = [(0, 1, WRITE, 7), (0, 1, WRITE, 0), (0, 1, FREE, None)]
    (batch,) = open_trace(table(rows, vms=1)).batches()
    memory.touch(batch)
    assert memory.frames(1) == 1


def test_a_sample_of_everything_is_exact():
    """Whatever the salt."""
    rng = np.random.default_rng(3)
    rows = [
        (int(vm), int(page), int(op), int(content) or UNKNOWN)
        for vm, page, op, content in rng.integers(0, (2, 40, 4, 30), (2000, 4))
    ]
    exact, found = tr.content_curves(table(rows)), tr.content_curves(table(rows), sample="100%")
    for group, curve in exact.contents.items():
        for line in (found.contents[group].misses, found.contents[group].low, found.contents[group].high):
            assert line.tolist() == curve.misses.tolist()
    assert found.footprints["contents"].tolist() == exact.footprints["contents"].tolist()


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "sample", "message"),
    [
        (
            {"page": [1]},
            None,
            "<table>: found no page contents; expected some to tell equal pages by; record the trace with "
            "contents (capture does)",
        ),
        (
            table([(0, 1, WRITE, 5)]),
            8192,
            'sample: found 8192 pages; expected a rate such as "10%", as contents are sampled by',
        ),
        (
            table([(0, page, WRITE, 5) for page in range(1000)], vms=1),
            "2%",
            '<table>: found no content of VM "vm0" in a sample; expected some; take a higher rate',
        ),
        (table([(0, 1, WRITE, 5)]), "200%", "sample: found rate 2.0; expected a rate above 0 and at most 1"),
    ],
)
def test_what_does_not_fit(rows, sample, message):
    """Found, expected, what to do."""
    with pytest.raises((TraceError, UsageError)) as caught:
        tr.content_curves(rows, sample=sample)
    assert str(caught.value) == message


def test_words_for_sizes_and_ratios():
    """Texts, lists and single numbers; what cannot be read is refused."""
    found = tr.content_curves(table([(0, page, WRITE, page + 1) for page in range(8)], vms=1))
    for sizes in ("25%,16KiB", ["25%", 4], (2, "4")):
        assert found.table(sizes)["size_pages"].tolist() == [2, 4]
    assert found.table(np.int64(3))["size_pages"].tolist() == [3]
    assert found.table()["size_pages"].tolist() == found.sizes() == list(range(1, 9))
    assert found.sizes(3) == [1, 3, 8]
    for ratios in ("5%,1", ["5%", 1.0], (0.05, 1)):
        assert found.needed(ratios)["miss_ratio"].tolist() == [0.05, 1]
    with pytest.raises(UsageError, match='memory: found "3x"; expected a size'):
        found.table("3x")
    with pytest.raises(UsageError, match='miss ratio: found "x"; expected a fraction'):
        found.needed("x")


def test_a_memory_too_small_to_split():
    """Each VM needs a page, if it makes accesses."""
    found = tr.content_curves(table([(0, 1, WRITE, 5), (1, 1, WRITE, 5)]))
    with pytest.raises(UsageError, match="memory: found 1 pages; expected at least 2, which its VMs need"):
        found.table([1])
    idle = tr.content_curves(table([(0, 1, WRITE, 5), (1, 1, FREE, None)]))
    assert idle.table([1])["misses_pages"].tolist() == [1]
    assert idle.needed(1).iloc[0].tolist() == [1, 1, 1, 1]


def test_vms_of_one_name():
    """Each has a name of its own, as tables and curves are by name."""
    rows = table([(0, 1, WRITE, 5), (1, 1, WRITE, 6)]).replace_schema_metadata(
        {METADATA_KEY: Metadata(vms=(VMInfo("web"), VMInfo("web"))).to_json()}
    )
    found = tr.content_curves(rows)
    assert len(set(found.vms)) == len(found.pages) == 2
    assert len(found.contents) == 3


def test_a_notebook_shows_footprints_misses_and_warnings():
    """Numbers as text, what no memory does as a dash; the repr is one line."""
    A, B, C = 7, 8, 9
    found = tr.content_curves(table([(0, 1, WRITE, A), (0, 2, WRITE, B), (1, 1, WRITE, A), (1, 2, WRITE, C)]))
    assert repr(found) == "<ContentCurves: 2 VMs, 4 pages, 3 contents>"
    html = replace(found, warnings=("<odd>",))._repr_html_()
    of_all = html.partition("<th>vm0, vm1</th>")[2].partition("</tr>")[0]
    assert re.findall("<td>(.*?)</td>", of_all) == ["4", "4", "3", "1"]
    misses = found.table()
    last = re.findall("<td>(.*?)</td>", html.partition(f"<th>{misses['size_pages'].iloc[-1]}</th>")[2])
    assert [int(cell) for cell in last] == misses.iloc[-1, 1:].tolist()
    assert html.endswith("<p>&lt;odd&gt;</p>")
