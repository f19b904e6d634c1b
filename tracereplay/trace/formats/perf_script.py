"""perf script of page faults or of memory samples (perf mem): every process is a VM of its own.

Made by ``perf record -e page-faults -c 1 -d CMD`` (or ``perf mem record CMD``), then
``perf script -F comm,pid,tid,time,event,addr,ip``.  The fields before the address may also be those that
perf script shows by itself; what follows the address is not kept.  Of ``perf mem``, loads read and stores
write; with ``-F +phys_addr`` at the end, ``perf-script:physical=true`` takes the physical address.

A page fault is no access: only the first touches of pages are seen.  Samples of memory accesses are some
of the accesses.  ``source["fidelity"]`` says which of the two there are.  A process that starts another
program is another VM from there on, since its memory is new; threads belong to their process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tracereplay.catalog import Flag
from tracereplay.trace.formats import _matches
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source, all_match

SAMPLE = "ls  6688/6688   2612.368131: page-faults:     558f0a6d85c0 ffffffff817554ea"

_FAULTS = "page faults, not accesses: first touches"
_SAMPLES = "samples of the accesses"

_PREFIX = (
    r"[ \t]*+(\S++(?:[ \t]++\S++)*?)[ \t]++"  # comm, which may hold blanks
    r"(\d{1,10})(?:/(\d{1,10}))?[ \t]+(?:\[\d+\][ \t]+)?"  # pid/tid [cpu]
    r"(\d{1,10})\.(\d{9}|\d{6}):[ \t]+(?:\d+[ \t]+)?"  # time: period
)
_EVENT = r"(\S*(?:fault|load|store)\S*):[ \t]+"
# alone, or before that of the instruction; one before the name of a function is the instruction's
_VIRTUAL = r"([0-9a-f]{1,16})(?:[ \t]+|[ \t](?:.*?[ \t])??[0-9a-f]{1,16}(?:[ \t].*)?)?"
_PHYSICAL = r"[0-9a-f]{1,16}[ \t](?:.*[ \t])?([0-9a-f]{1,16})[ \t]*"
_OTHER = r"(?!\S*(?:fault|load|store))(\S+):.*"
_NOT_A_SAMPLE = r"[ \t]*(#).*"

_LINE = re.compile(f"{_PREFIX}{_EVENT}{_VIRTUAL}|{_NOT_A_SAMPLE}".encode())


def looks_like(head: bytes) -> bool:
    """Whether the first lines are samples with an address, or comments, and some are samples."""
    return b": " in head and all_match(head, _LINE)


def read(sources: Sequence[Source], findings: Findings, *, physical: Flag = False) -> Iterator[Records]:
    """One access per page fault or memory sample; other events are left out."""
    findings.time_unit = "ns"
    findings.page_space = "guest-physical" if physical else "guest-virtual"
    processes: dict[str, int] = {}
    fidelity: list[str] = []

    def record(
        comm: str,
        pid: str,
        tid: str,
        seconds: str,
        rest: str,
        event: str,
        address: str,
        other: str,
        remark: str,
    ) -> tuple[int, ...] | None:
        if event is None:
            findings.skip("lines that begin with #" if remark else f"{other} events")
            return None
        fault = "fault" in event
        if not fault and int(address, 16) == 0:
            findings.skip("samples without an address")
            return None
        if (kind := _FAULTS if fault else _SAMPLES) not in fidelity:
            fidelity.append(kind)
            findings.said["fidelity"] = "; ".join(fidelity)
        if pid not in processes or tid in (None, pid):
            processes[pid] = findings.vm(f"{comm}-{pid}")
        time = int(seconds) * 10**9 + int(rest.ljust(9, "0"))
        return time, processes[pid], int(address, 16), "store" in event

    form = _PREFIX + f"(?:{_EVENT}{_PHYSICAL if physical else _VIRTUAL}|{_OTHER})|{_NOT_A_SAMPLE}"
    expected = (
        f"comm, pid/tid, time, event, address and instruction in hexadecimal, such as {SAMPLE}; "
        "record with -d, then perf script -F comm,pid,tid,time,event,addr,ip"
    )
    columns = ("time", "vm", "address", "op")
    yield from _matches.records(sources, re.compile(form), record, columns, expected)
