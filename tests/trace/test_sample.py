"""Samples: what is kept, and how well it stands for the whole."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.analysis.one_level import count_misses
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import Metadata, open_trace
from tracereplay.trace.schema import METADATA_KEY

SALTS = range(6)


def tuples(source):
    """The rows (time, vm, page, op, content) of a trace, None where the content is unknown."""
    found = []
    for batch in open_trace(source).batches():
        columns = [column.tolist() for column in batch[1:]]
        found += [(t, v, p, o, c if k else None) for t, v, p, o, c, k in zip(*columns, strict=True)]
    return found


def table(rows):
    """Rows (vm, page, op, content) at times 0, 1, 2, …"""
    vm, page, op, content = zip(*rows, strict=True)
    return pa.table(
        {
            "time": range(len(rows)),
            "vm": vm,
            "page": page,
            "op": op,
            "content": pa.array(content, pa.uint64()),
        }
    )


def random_rows(seed, n=3000):
    """Every kind of row, of two VMs with few pages, and contents that some of them share."""
    rng = random.Random(seed)
    contents = [None] * 60 + [0] * 60 + [*range(1, 301)]
    return [
        (rng.randrange(2), rng.randrange(30), rng.choice([0, 0, 1, 1, 2, 3]), rng.choice(contents))
        for _ in range(n)
    ]


# ---- By pages ------------------------------------------------------------------------------------


def test_a_page_is_kept_whole_or_not_at_all():
    """With its rows, times and contents as they were; the same page number in another VM decides anew."""
    rows = table(random_rows(1))
    whole, kept = tuples(rows), tuples(tr.sample_trace(rows, 0.3))
    inside = {row[1:3] for row in kept}
    assert kept == [row for row in whole if row[1:3] in inside]
    assert 5 <= len(inside) <= 35
    assert {page for vm, page in inside if vm == 0} != {page for vm, page in inside if vm == 1}


def test_rates_and_salts():
    """So many pages as the rate says, those of a lower rate among those of a higher one; salts are unlike."""
    pages = pa.table({"page": np.arange(100_000)})
    samples = {
        (rate, salt): set(tr.sample_trace(pages, rate, salt=salt).read_all()["page"].to_pylist())
        for rate in (0.01, "10%", 1)
        for salt in (0, 1)
    }
    for (rate, _), kept in samples.items():
        share = 0.1 if rate == "10%" else rate
        # five standard deviations of a binomial draw
        assert abs(len(kept) - share * 100_000) <= 5 * np.sqrt(100_000 * share * (1 - share))
    assert samples[0.01, 0] < samples["10%", 0] < samples[1, 0]
    assert abs(len(samples["10%", 0] & samples["10%", 1]) - 1000) < 160


def test_what_the_metadata_say():
    """Way, rate and salt; exactness from a memory that shrinks as the sample does; footprints anew."""
    said = Metadata(vms=tr.open_trace(trace_path("cc1")).metadata.vms, reduction={"exact_above": 256})
    rows = pa.table({"page": range(5000)}).replace_schema_metadata({METADATA_KEY: said.to_json()})
    metadata = open_trace(tr.sample_trace(rows, 0.01, salt=4)).metadata
    assert metadata.provenance == {"sample": {"by": "pages", "rate": 0.01, "salt": 4}}
    assert metadata.exact_above == 3
    assert (metadata.vms[0].name, metadata.vms[0].family, metadata.vms[0].pages) == ("cc1", "linux", None)


@pytest.mark.parametrize("salt", SALTS)
def test_lru_misses_scale(salt):
    """Miss ratios of two guests at a tenth of pages and memory: near those of the whole.

    Within 0.01 where the sample has 500 frames or more, within 0.03 with 200.
    """
    trace = open_trace(trace_path("two-guests"))
    small = open_trace(tr.sample_trace(trace, 0.1, salt=salt))
    for frames, bound in ((2_000, 0.03), (5_000, 0.01), (10_000, 0.01), (20_000, 0.01)):
        whole = count_misses(trace, "lru", frames) / trace.n_rows
        part = count_misses(small, "lru", frames // 10) / (0.1 * trace.n_rows)
        assert part == pytest.approx(whole, abs=bound)


# ---- By contents ---------------------------------------------------------------------------------


def held(rows):
    """After each time, what every page is known to hold, by the definition of the model without eviction."""
    pages: dict[tuple[int, int], int | None] = {}
    states = {}
    for time, vm, page, op, content in rows:
        key = vm, page
        if op == 2:
            pages.pop(key, None)
        elif op == 1 or content is not None:
            pages[key] = content
        else:
            pages.setdefault(key, 0)
        states[time] = {key: c for key, c in pages.items() if c is not None}
    return states


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_whole_at_every_moment(seed):
    """Of a content in the sample every page that holds it, of the zero page too; of others none."""
    rows = table(random_rows(seed))
    whole, kept = held(tuples(rows)), held(tuples(tr.sample_trace(rows, 0.5, by="contents", salt=seed)))
    inside = {c for state in kept.values() for c in state.values()}
    assert 0 in inside
    assert 100 < len(inside) < 200
    now: dict[tuple[int, int], int] = {}
    for time, state in whole.items():
        now = kept.get(time, now)
        assert now == {key: c for key, c in state.items() if c in inside}


def test_what_leaves_a_group_by_hand():
    """A write or a read of another content becomes a write of an unknown one; what tells nothing new goes."""
    # of the contents 1 … 9 at this rate and salt, some are in; find one of each kind
    probe = table([(0, c, 1, c) for c in range(1, 10)])
    inside = {row[4] for row in tuples(tr.sample_trace(probe, 0.5, by="contents"))}
    a, b = min(inside), min({*range(1, 10)} - inside)
    rows = table(
        [
            (0, 5, 1, a),  # in
            (0, 5, 0, None),  # read while in: kept
            (0, 5, 0, b),  # somebody wrote
            (0, 5, 1, b),  # still out: goes
            (0, 5, 0, a),  # in again
            (0, 5, 1, b),  # out
            (0, 5, 2, None),  # freed
            (0, 5, 0, None),  # zero-filled: in
            (0, 6, 3, b),  # another page, out
            (0, 6, 0, None),  # out
            (0, 7, 2, None),  # never touched
        ]
    )
    assert [row[:1] + row[3:] for row in tuples(tr.sample_trace(rows, 0.5, by="contents"))] == [
        (0, 1, a),
        (1, 0, None),
        (2, 1, None),
        (4, 0, a),
        (5, 1, None),
        (6, 2, None),
        (7, 0, None),
    ]


def replayed(source):
    """A replay with room for all pages and every equal page shared."""
    said = {
        "tick": 5_000_000,
        "host": {"memory": "100%"},
        "sharing": {"mode": "ideal"},
        "vm": [{"trace": "t"}],
    }
    return tr.replay(said, {"t": source})


@pytest.fixture(scope="module")
def two_guests():
    """What sharing reclaims of two real guests."""
    return replayed(trace_path("two-guests"))


def test_reclaimed_is_estimated(two_guests):
    """A tenth of the contents of two guests: each of six estimates within 8 %, their mean within 3 %; the
    zero page to the page.  Pages sampled at that rate see less than three quarters."""
    whole = two_guests.totals
    by_contents, by_pages = [], []
    for salt in SALTS:
        part = replayed(tr.sample_trace(trace_path("two-guests"), 0.1, by="contents", salt=salt)).totals
        assert part["reclaimed_zero"] == whole["reclaimed_zero"]
        by_contents.append(tr.estimated_reclaimed(part, 0.1) / whole["reclaimed"])
        part = replayed(tr.sample_trace(trace_path("two-guests"), 0.1, salt=salt)).totals
        by_pages.append(part["reclaimed"] / 0.1 / whole["reclaimed"])
    assert by_contents == pytest.approx([1] * len(SALTS), abs=0.08)
    assert np.mean(by_contents) == pytest.approx(1, abs=0.03)
    assert max(by_pages) < 0.75


def test_estimates_of_columns(two_guests):
    """A result's table of VMs, or its timeline, gives a column; at rate 1 nothing is left to estimate."""
    result = replayed(tr.sample_trace(trace_path("two-guests"), 1, by="contents"))
    assert tr.estimated_reclaimed(result.vms, 1).tolist() == two_guests.vms["reclaimed"].tolist()


def test_a_common_content_is_sampled_by_page():
    """9,000 pages of one content, which a sample of contents would see whole or not at all."""
    rows = table([(0, p, 1, 77) for p in range(9000)] + [(0, 10_000 + p, 1, 100 + p) for p in range(1000)])
    for salt in SALTS:
        kept = tuples(tr.sample_trace(rows, 0.1, by="contents", salt=salt))
        assert sum(row[4] == 77 for row in kept) == pytest.approx(900, abs=150)


# ---- What is refused -----------------------------------------------------------------------------

CONTENTS = table([(0, 1, 1, 5)])
WRONG = {
    "sample: found 0; expected a rate above 0 and at most 1": (CONTENTS, {"rate": 0}),
    'sample: found "200%"; expected a rate above 0 and at most 1': (CONTENTS, {"rate": "200%"}),
    'sample: found "page"; expected one of "pages", "contents"; did you mean "pages"?': (
        CONTENTS,
        {"rate": 1, "by": "page"},
    ),
    "sample: salt: found -1; expected 0 or more": (CONTENTS, {"rate": 1, "salt": -1}),
    "<table>: found no page contents; expected some to sample by; sample by pages": (
        {"page": [1]},
        {"rate": 1, "by": "contents"},
    ),
    "<table>: no rows in the sample; take a higher rate or another salt": (CONTENTS, {"rate": 1e-9}),
}


@pytest.mark.parametrize("message", WRONG)
def test_words_that_do_not_fit(message):
    """Found, expected, what to do."""
    source, options = WRONG[message]
    with pytest.raises((UsageError, TraceError)) as caught:
        tr.sample_trace(source, **options)
    assert str(caught.value) == message


def test_a_sample_is_not_sampled():
    """Its rate would no longer be what it says."""
    with pytest.raises(TraceError, match="found a sample; expected a whole trace"):
        tr.sample_trace(tr.sample_trace(CONTENTS, 1), 0.5)
