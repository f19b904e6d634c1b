"""What to know of a trace before its numbers are believed: is it valid, what does it lack, what is odd.

A check is a function of the trace and the survey of its rows.  Its name, with hyphens, is the finding's;
its docstring says in the first line what it looks for, then what to do about what is not ok.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tracereplay.errors import TraceError
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import sample_of
from tracereplay.trace.schema import COLUMNS, Metadata, Op
from tracereplay.trace.survey import (
    EMPTY_READS,
    FILE_FILLS,
    FIRST_TOUCHES,
    READS_AFTER_FREE,
    UNTRACED_WRITES,
    Seen,
    Survey,
    survey,
)
from tracereplay.units import format_count, format_duration_ns, shown_number

Level = Literal["ok", "note", "warning", "error"]
"""Nothing to mind; worth knowing; may mislead; not a valid trace."""

_TICK_NS = 10**9
_MANY_FIRST_TOUCHES, _MANY_EMPTY_READS, _MANY_UNTRACED_WRITES, _HOT_PAGE, _LONG_GAP = 0.5, 0.1, 0.1, 0.5, 0.1
_UNSEEN = {
    "tracereplay capture, writes": "writes alone, no reads: tells contents and sharing; not working sets, "
    "miss ratios or paging",
    "tracereplay import damon": "regions looked at now and then, no single accesses: tells working sets and "
    "their change; not counts of accesses, miss ratios or paging",
    "tracereplay import memory-snapshot": "pages that changed between snapshots, no accesses: tells contents "
    "and sharing; not working sets, miss ratios or paging",
    "page faults": "page faults alone, no other accesses: tells footprints and their growth; not working "
    "sets, miss ratios or paging",
    "samples": "some of the accesses: tells which pages are hot; not footprints, miss ratios or paging",
}
"""How the tool or fidelity of a source begins → what its recorder saw, what that tells and what not."""
_ONE = {"accesses": "access", "instructions": "instruction"}
_ADDRESS_BITS = {"guest-virtual": 64, "guest-physical": 52}


@dataclass(frozen=True)
class Finding:
    """What a check found: ``count`` of what its text is about, the first of them in ``row``.

    ``advice`` says what to do, or what a replay does, about a note or a warning.
    """

    name: str
    level: Level
    text: str
    count: int = 0
    row: int | None = None
    advice: str = ""


class Verdict(NamedTuple):
    """A finding without the name of its check."""

    level: Level
    text: str
    number: int = 0
    row: int | None = None


Check = Callable[[Trace, Survey], Verdict]


def check_trace(source: object) -> tuple[Finding, ...]:
    """Every finding about a trace (anything ``open_trace`` takes), good ones too, in the order of CHECKS.

    All rows are read, checksums included.  Where some are invalid the first bad one of each column is told
    (level "error", names ``column-…``), and nothing else.  TraceError: a trace that cannot be opened.
    """
    trace = open_trace(source)
    try:
        found = survey(trace)
    except TraceError:
        return tuple(_column(trace, name) for name in COLUMNS if name in trace.columns)
    return tuple(_finding(name, check(trace, found)) for name, check in CHECKS.items())


def describe(name: str) -> str:
    """What the check ``name`` looks for."""
    return _said(name)[0]


def advise(name: str) -> str:
    """What to do about a note or a warning of the check ``name``; nothing where there is none."""
    return " ".join(" ".join(_said(name)[1:]).split())


def _said(name: str) -> list[str]:
    return (CHECKS[name].__doc__ or "").splitlines()


def _finding(name: str, verdict: Verdict) -> Finding:
    return Finding(name, *verdict, advice=advise(name) if verdict.level in ("note", "warning") else "")


def _column(trace: Trace, name: str) -> Finding:
    """The first invalid row of one column."""
    try:
        for _ in trace.batches((name,)):
            pass
    except TraceError as error:
        return Finding(f"column-{name}", "error", str(error), 1, error.row)
    return Finding(f"column-{name}", "ok", "every row is valid")


def rows(trace: Trace, found: Survey) -> Verdict:
    """Rows that can be read and are valid: times that never fall, known VMs and operations, no nulls."""
    ops = ", ".join(f"{op.name.lower()} {found.ops[op]:,}" for op in Op if found.ops[op])
    return Verdict("ok", f"{trace.n_rows:,} rows: {ops}", trace.n_rows)


def metadata(trace: Trace, found: Survey) -> Verdict:
    """Metadata that contradict the rows (an error), were written for other rows, or are missing.

    Where that is wrong write the trace again: write_trace counts anew, and takes page_size and time_unit.
    """
    for index, (vm, pages) in enumerate(zip(trace.metadata.vms, found.footprints, strict=False)):
        if vm.pages not in (None, pages):
            return _contradiction(trace, f"vms[{index}].pages", vm.pages, f"{pages} as counted")
    times = (found.first_time, found.last_time)
    if trace.metadata.time_range not in (None, times):
        return _contradiction(trace, "time_range", list(trace.metadata.time_range or ()), f"{list(times)}")
    if not trace.has_metadata:
        size, unit = trace.metadata.page_size, trace.metadata.time_unit
        return Verdict("note", f"none; taken for granted: pages of {size} bytes, time in {unit}")
    texts = [(part.metadata_json, part.rows) for part in trace.source.parts if part.metadata_json is not None]
    others = sum(Metadata.from_json(text).rows not in (None, n) for text, n in texts)
    if others:
        return Verdict("warning", "written for another number of rows; its counts are ignored", others)
    return Verdict("ok", "agree with the rows")


def _contradiction(trace: Trace, key: str, said: object, counted: str) -> Verdict:
    message = f"metadata: {key}: found {said}; expected {counted}; write the trace again"
    return Verdict("error", str(TraceError(message, trace.name)), 1)


def reduced(trace: Trace, found: Survey) -> Verdict:
    """A recorder that left rows out: faults are exact from so many pages of memory on, not below.

    Give VMs at least so much memory; a replay refuses less.
    """
    above = trace.metadata.exact_above
    if above is None:
        return Verdict("ok", "no: faults are exact for memory of any size")
    return Verdict("note", f"faults are exact for VMs of {above:,} pages or more, not below", above)


def sampled(trace: Trace, found: Survey) -> Verdict:
    """A sample: its counts are those of the whole trace times the rate.

    By pages: say memory in per cent of the footprint.  By contents: estimated_reclaimed is all that it
    tells.
    """
    sample = sample_of(trace.metadata)
    if sample is None:
        return Verdict("ok", "no: the whole trace")
    return Verdict("note", "a sample of {rate:.3g} of the {by}, salt {salt}".format(**sample))


def recorder(trace: Trace, found: Survey) -> Verdict:
    """Recorders that do not see every access, and what therefore cannot be learned.

    Ask it only for what it tells; capture without options sees every access.
    """
    unseen = list(dict.fromkeys(_unseen(trace.metadata.source or {})))
    if not unseen:
        return Verdict("ok", "says of no accesses that it has not seen")
    return Verdict("warning", "; ".join(unseen), len(unseen))


def _unseen(source: Mapping[str, Any]) -> Iterator[str]:
    """What was seen in place of every access, by the source of a trace or of those merged into it."""
    tool = str(source.get("tool"))
    for origin in source["traces"] if tool == "tracereplay merge" else ():
        yield from _unseen(origin["source"] or {})
    said = (tool, *str(source.get("fidelity")).split("; "))
    yield from (text for sign, text in _UNSEEN.items() if any(word.startswith(sign) for word in said))


def idle_vms(trace: Trace, found: Survey) -> Verdict:
    """VMs that are listed and have no rows.

    A replay gives each of them one page: leave them out with slice --vms.
    """
    idle = [i for i, n in enumerate(found.rows_of_vm) if not n]
    if not idle:
        return Verdict("ok", f"none of {len(found.rows_of_vm):,}")
    return Verdict(
        "warning", f"{len(idle):,} of {len(found.rows_of_vm):,}, the first is VM {idle[0]}", len(idle)
    )


def clock(trace: Trace, found: Survey) -> Verdict:
    """Times too short for ticks, at which sharing and balloons act.

    Set a shorter tick; where times are not known leave them out, then rows are counted.
    """
    span, unit = found.last_time - found.first_time, trace.metadata.time_unit
    if span == 0:
        return Verdict("warning", "all rows have one time: no tick falls between them")
    if unit == "ns" and span < _TICK_NS:
        return Verdict("warning", f"{_span(span, unit)}: shorter than the default tick of 1 s; set tick")
    return Verdict("ok", f"{_span(span, unit)} from {found.first_time:,} to {found.last_time:,}")


def time_gaps(trace: Trace, found: Survey) -> Verdict:
    """The longest time without a row, if it is more than a tenth of the trace.

    Nothing happened, or nothing was recorded; slice --time leaves it out.
    """
    span, unit = found.last_time - found.first_time, trace.metadata.time_unit
    text = f"the longest time without a row is {_span(found.longest_gap, unit)}"
    if found.longest_gap <= _LONG_GAP * span:
        return Verdict("ok", text)
    return Verdict("note", f"{text}, {_percent(found.longest_gap, span)} of the trace", 1, found.gap_row)


def first_touches(trace: Trace, found: Survey) -> Verdict:
    """Cold start: rows that touch a page for the first time, if they are more than half.

    Most faults are cold whatever the memory: a longer trace tells more.
    """
    seen = found.events[FIRST_TOUCHES]
    level: Level = "note" if seen.number > _MANY_FIRST_TOUCHES * trace.n_rows else "ok"
    return _counted(level, seen, trace.n_rows, "rows", "touch a page for the first time")


def hot_page(trace: Trace, found: Survey) -> Verdict:
    """One page that gets more than half of all rows.

    If it stands for all that was not known, leave it out; else most accesses hit in any memory.
    """
    hottest = found.hottest_page_rows
    level: Level = "note" if hottest > _HOT_PAGE * trace.n_rows else "ok"
    return _counted(level, Seen(hottest, None), trace.n_rows, "rows", "touch the hottest page")


def page_numbers(trace: Trace, found: Survey) -> Verdict:
    """Page numbers that cannot be: beyond the address space, or addresses not divided by the page size.

    A page is an address divided by the page size; numbers that only name pages do no harm.
    """
    size, space = trace.metadata.page_size, trace.metadata.page_space
    text = f"0x{found.lowest_page:x} to 0x{found.highest_page:x}"
    if found.highest_page >= size and found.page_bits % size == 0:
        return Verdict("warning", f"{text}: all are multiples of {size}, as addresses are; divide them by it")
    if found.highest_page * size >= 2 ** _ADDRESS_BITS[space]:
        return Verdict("warning", f"{text}: beyond {_ADDRESS_BITS[space]} bits of {space} addresses")
    return Verdict("ok", text)


def contents(trace: Trace, found: Survey) -> Verdict:
    """Rows that know their page's content; without any, page sharing cannot be replayed.

    For sharing, record with capture or import a column of contents.
    """
    if not found.known:
        return Verdict("note", "none: page sharing cannot be replayed")
    return _counted("ok", Seen(found.known, None), trace.n_rows, "rows", "know their page's content")


def zero_pages(trace: Trace, found: Survey) -> Verdict:
    """Known contents that are the zero page."""
    return _counted("ok", Seen(found.zero, None), found.known, "known contents", "are the zero page")


def file_fills(trace: Trace, found: Survey) -> Verdict:
    """First touches that read a content, which a replay takes to come from a file."""
    touches = found.events[FIRST_TOUCHES].number
    return _counted("ok", found.events[FILE_FILLS], touches, "first touches", "read a page of a file")


def empty_reads(trace: Trace, found: Survey) -> Verdict:
    """First touches that read what is not known, which a replay takes to be empty and a guest drops.

    Where such pages come from files, give these rows a content.
    """
    seen, touches = found.events[EMPTY_READS], found.events[FIRST_TOUCHES].number
    level: Level = "ok" if not seen.number else "note"
    if seen.number > _MANY_EMPTY_READS * touches:
        level = "warning"
    return _counted(
        level, seen, touches, "first touches", "read an unknown page, taken as empty: give contents"
    )


def untraced_writes(trace: Trace, found: Survey) -> Verdict:
    """Reads that find another content than the page had: a write that the recorder did not see.

    A replay takes each for a write, as late as it was read.
    """
    seen = found.events[UNTRACED_WRITES]
    level: Level = "ok" if not seen.number else "note"
    if seen.number > _MANY_UNTRACED_WRITES * trace.n_rows:
        level = "warning"
    return _counted(level, seen, trace.n_rows, "rows", "read what no row wrote")


def reads_after_free(trace: Trace, found: Survey) -> Verdict:
    """Reads of a page after its FREE and before anything wrote it.

    A replay fills the page with zeros anew, as if it had never been touched.
    """
    seen = found.events[READS_AFTER_FREE]
    return _counted("note" if seen.number else "ok", seen, trace.n_rows, "rows", "read a freed page")


def _counted(level: Level, seen: Seen, of: int, noun: str, what: str) -> Verdict:
    many = f"{seen.number:,} {noun} ({_percent(seen.number, of)})" if seen.number else f"no {noun}"
    return Verdict(level, f"{many} {what}", seen.number, seen.row)


def _percent(part: int, whole: int) -> str:
    return f"{shown_number(100 * part / whole if whole else 0)} %"


def _span(time: int, unit: str) -> str:
    if unit == "ns":
        return format_duration_ns(time)
    return f"{format_count(time)} {_ONE[unit] if time == 1 else unit}"


_IN_ORDER: tuple[Check, ...] = (
    rows,
    metadata,
    reduced,
    sampled,
    recorder,
    idle_vms,
    clock,
    time_gaps,
    first_touches,
    hot_page,
    page_numbers,
    contents,
    zero_pages,
    file_fills,
    empty_reads,
    untraced_writes,
    reads_after_free,
)
CHECKS = {check.__name__.replace("_", "-"): check for check in _IN_ORDER}
"""Every check by the name of its finding."""
