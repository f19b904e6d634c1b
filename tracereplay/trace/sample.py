"""A part of a trace that stands for it: pages by hash for miss ratios, contents by hash for sharing."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from tracereplay.core import _jit
from tracereplay.errors import TraceError, UsageError
from tracereplay.problems import one_of, problem, shown
from tracereplay.trace.hashing import mixed, page_keys, sampled
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.reader import Batch, Trace, open_trace
from tracereplay.trace.schema import Metadata, Op
from tracereplay.trace.stream import chosen, stream_rows
from tracereplay.units import parse_fraction

WAYS = ("pages", "contents")

_SCOUTS = Fraction(1, 8)
"""Share of the pages on which common contents are looked for."""
_COMMON_SHARE, _COMMON_SAMPLED = 256, 30
"""A content is common from one in so many pages on, if that leaves at least so many in a sample."""

_WRITE, _FREE = int(Op.WRITE), int(Op.FREE)
_NEVER, _OUTSIDE, _INSIDE = 0, 1, 2
_DROP, _KEEP, _KEEP_AS_UNKNOWN = 0, 1, 2


def sample_trace(source: object, rate: object, *, by: str = "pages", salt: int = 0) -> pa.RecordBatchReader:
    """A sample of a trace, as a stream with metadata: for ``write_trace`` or ``replay``.

    ``rate`` is a fraction above 0 and at most 1 (0.1, "10%"); another ``salt`` is another sample.

    ``by="pages"`` keeps all rows of the pages whose hash says so (SHARDS: Waldspurger, Park, Garthwaite and
    Ahmad, FAST 2015).  A memory of rate · S pages misses rate times as often as one of S pages does on
    the whole trace, so a size in per cent of the footprint means the same on both; the miss ratio is misses /
    (rate · rows of the whole trace).  ``exact_above`` shrinks by the rate, too.

    ``by="contents"`` keeps the contents whose hash says so, and the zero page always: with each, every page
    that ever holds it, while it does.  A page that goes on to another content is written once more, with
    a content that is unknown.  So groups of duplicates are whole at any moment, but for contents so common
    that one of them being in or out would decide the estimate (held by one page in 256, and by 30 / rate, or
    more): there the page's hash decides, and a part of the group stands for it.  ``estimated_reclaimed``
    of a replay of the sample estimates what sharing reclaims where VMs and host have room for every page.
    Nothing else of that replay speaks for the whole trace.  The trace is read twice.

    TraceError: a trace that is a sample already, or has no contents for ``by="contents"``.  UsageError: rate,
    salt or ``by`` that are wrong.
    """
    trace = open_trace(source)
    share = _checked(trace, rate, by, salt)
    rows = _by_pages if by == "pages" else _by_contents
    columns = trace.columns | {"time"} | ({"op"} if by == "contents" else set())
    return stream_rows(_nonempty(trace, rows(trace, share, salt)), columns, _metadata(trace, share, by, salt))


def sample_of(metadata: Metadata) -> dict[str, Any] | None:
    """``by``, ``rate`` and ``salt`` of a sampled trace; None of a whole one."""
    return (metadata.provenance or {}).get("sample")


def told_sample(metadata: Metadata) -> str | None:
    """What a sampled trace is, in words; None of a whole one."""
    sample = sample_of(metadata)
    return None if sample is None else f"a sample of {sample['rate']:.3g} of the {sample['by']}"


def estimated_reclaimed(counts: Any, rate: float) -> Any:
    """Pages that sharing reclaims on the whole trace, from the replay of a sample of ``rate`` by contents.

    ``counts`` holds ``reclaimed`` and ``reclaimed_zero``: a result's ``totals`` gives a number, its ``vms``
    or ``timeline`` a column.  What the zero page reclaims is exact; the rest is divided by the rate (Horvitz
    and Thompson 1952): unbiased, with a variance of (1 − rate) / rate · Σ (copies − 1)² over the contents.
    """
    zero = counts["reclaimed_zero"]
    return zero + (counts["reclaimed"] - zero) / rate


def _checked(trace: Trace, rate: object, by: str, salt: int) -> Fraction:
    """The rate as a number; refuses what ``sample_trace`` cannot do."""
    try:
        one_of(by, WAYS)
        share = parse_fraction(rate)
        if not 0 < share <= 1:
            raise ValueError(problem(shown(rate), "a rate above 0 and at most 1"))
    except ValueError as error:
        raise UsageError(f"sample: {error}") from None
    if salt < 0:
        raise UsageError(f"sample: salt: {problem(shown(salt), '0 or more')}")
    if sample_of(trace.metadata) is not None:
        raise TraceError("found a sample; expected a whole trace; sample that at the lower rate", trace.name)
    if by == "contents" and not trace.has_content:
        raise TraceError("found no page contents; expected some to sample by; sample by pages", trace.name)
    return share


def _nonempty(trace: Trace, rows: Iterator[Batch]) -> Iterator[Batch]:
    found = False
    for batch in rows:
        found = found or len(batch.page) > 0
        yield batch
    if not found:
        raise TraceError("no rows in the sample; take a higher rate or another salt", trace.name)


def _by_pages(trace: Trace, rate: Fraction, salt: int) -> Iterator[Batch]:
    for batch in trace.batches():
        yield chosen(batch, sampled(page_keys(batch.page, batch.vm), rate, salt))


def _by_contents(trace: Trace, rate: Fraction, salt: int) -> Iterator[Batch]:
    common = _common_contents(trace, rate, salt)
    ids = Ids(trace.n_vms, expected=sum(vm.pages or 0 for vm in trace.metadata.vms))
    state = np.zeros(0, np.uint8)
    for batch in trace.batches():
        page = ids.encode(batch.page, batch.vm)
        if len(ids) > len(state):
            state = np.concatenate([state, np.zeros(len(ids), np.uint8)])
        keys = np.where(np.isin(batch.content, common), page_keys(batch.page, batch.vm), batch.content)
        inside = batch.known & (sampled(keys, rate, salt) | (batch.content == 0))
        fate = np.empty(len(page), np.uint8)
        _follow()(page, read_only(batch.op), inside, read_only(batch.known), state, fate)
        unknown = fate == _KEEP_AS_UNKNOWN
        op = np.where(unknown, np.uint8(_WRITE), batch.op)
        yield chosen(batch._replace(op=op, known=batch.known & ~unknown), fate != _DROP)


def _common_contents(trace: Trace, rate: Fraction, salt: int) -> np.ndarray:
    """Contents that many pages hold at some time, uint64; zero is none of them.

    Counted on a sample of the pages: memory grows with the contents that those hold over time.
    """
    pairs, found = Ids(), [np.zeros(0, np.uint64)]
    for batch in trace.batches(("vm", "page", "content")):
        keys = page_keys(batch.page, batch.vm)
        scouts = sampled(keys, _SCOUTS, salt) & batch.known & (batch.content != 0)
        contents = batch.content[scouts]
        before = len(pairs)
        numbers = pairs.encode(mixed(keys[scouts]) + contents)
        _, first = np.unique(numbers, return_index=True)
        found.append(contents[first[numbers[first] >= before]])
    contents, pages = np.unique(np.concatenate(found), return_counts=True)
    many = max(sum(trace.footprints()) / _COMMON_SHARE, float(_COMMON_SAMPLED / rate))
    return contents[pages >= many * _SCOUTS]


def follow(page, op, inside, known, state, fate):
    """Write to ``fate`` which rows a sample by contents keeps; ``state`` says what each page holds.

    ``inside`` is True where a row's content is in the sample.  A read of another content tells of a write
    that nobody recorded; one of unknown content tells nothing, save that a page never touched is
    filled with zeros.
    """
    for i in range(page.shape[0]):
        before = state[page[i]]
        if op[i] == _FREE:
            state[page[i]] = _NEVER
            fate[i] = _DROP if before == _NEVER else _KEEP
        elif inside[i] or (before == _NEVER and op[i] != _WRITE and not known[i]):
            state[page[i]] = _INSIDE
            fate[i] = _KEEP
        elif op[i] == _WRITE or known[i]:
            state[page[i]] = _OUTSIDE
            fate[i] = _KEEP_AS_UNKNOWN if before == _INSIDE else _DROP
        else:
            fate[i] = _KEEP if before == _INSIDE else _DROP


@functools.cache
def _follow() -> _jit.Kernel:
    return _jit.specialise(follow)


def _metadata(trace: Trace, rate: Fraction, by: str, salt: int) -> Metadata:
    said = trace.metadata
    reduction = said.reduction
    if by == "pages" and reduction is not None and said.exact_above is not None:
        reduction = {**reduction, "exact_above": math.ceil(said.exact_above * rate)}
    sample = {"by": by, "rate": float(rate), "salt": salt}
    return replace(
        said,
        vms=tuple(replace(vm, pages=None, raw_accesses=None) for vm in said.vms),
        rows=None,
        time_range=None,
        reduction=reduction,
        provenance={**(said.provenance or {}), "sample": sample},
    )
