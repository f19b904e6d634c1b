"""``tracereplay compat``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Json, Quiet, print_json, say, warn
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    from tracereplay.trace import Trace

MEMSIM = """\
total memory frames:  {frames}
events in trace:      {events}
total disk reads:     {disk_reads}
total disk writes:    {disk_writes}
page fault rate:      {page_fault_rate:.4f}"""


def compat(
    simulator: str,
    trace: str,
    frames: str,
    policy: str,
    /,
    *,
    set_on_load: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print what another simulator prints, so that the two can be compared.

    memsim: one memory for all VMs of a trace. Disk reads are the page faults, first touches included;
    disk writes are the pages that had to leave after they were written.

    Parameters
    ----------
    simulator
        Whose output: memsim.
    trace
        A trace, or memsim's own text.
    frames
        Page frames of the memory.
    policy
        lru, fifo, clock, random, or another of `tracereplay policies`.
    set_on_load
        clock: set the reference bit of a page that is brought in, as memsim does; here it is clear.
    seed
        Of policies that draw.
    """
    from tracereplay import policies
    from tracereplay.analysis.one_level import count_traffic
    from tracereplay.problems import one_of, wrong
    from tracereplay.units import parse_count

    try:
        one_of(simulator, ("memsim",))
        memory = parse_count(frames)
        if memory < 1:
            raise wrong(frames, "at least 1 frame")
        name, _ = policies.parse(policy)
    except ValueError as error:
        raise UsageError(f"compat: {error}") from None
    with _opened(trace) as rows:
        # no memory of more frames than rows fills up
        used = min(memory, rows.n_rows)
        traffic = count_traffic(rows, policy, used, seed=seed, hit_on_load=set_on_load, heed_frees=False)
        warnings = list(_warnings(rows, name, memory))
    found = {
        "frames": memory,
        "events": traffic.accesses,
        "disk_reads": traffic.misses,
        "disk_writes": traffic.write_backs,
        "page_fault_rate": traffic.misses / max(traffic.accesses, 1),
    }
    if json:
        print_json(found)
    else:
        print(MEMSIM.format(**found))
    warn([f"{trace}: {text}" for text in warnings])
    if traffic.frees:
        say(f"left out: {traffic.frees:,} FREE rows, which memsim has not", quiet=quiet)
    if name == "clock" and not set_on_load:
        say("clock: the reference bit is clear on load; memsim sets it, as --set-on-load does", quiet=quiet)


def _warnings(trace: Trace, policy: str, frames: int) -> Iterator[str]:
    """What changes the meaning of the numbers."""
    from tracereplay import policies
    from tracereplay.trace.sample import told_sample

    above, sample = trace.metadata.exact_above, told_sample(trace.metadata)
    if above is not None:
        yield "a reduced trace: events and page fault rate are of the accesses kept"
        if policy not in policies.EXACT_WHEN_REDUCED:
            yield f"reduced, it is exact under LRU and OPT alone: what {policy} reads and writes is not"
        elif trace.n_vms > 1:
            yield "reduced, it is exact for each VM alone: what one memory for all reads and writes is not"
        elif frames < above:
            yield f"reduced, it is exact from {above:,} frames on: what {frames:,} read and write is not"
    if sample is not None:
        yield f"{sample}: all numbers are of the rows kept"


@contextmanager
def _opened(trace: str) -> Iterator[Trace]:
    """A trace, or memsim's text as one, in a file that is there as long as it is needed."""
    from tracereplay.trace import open_trace
    from tracereplay.trace.convert import import_trace

    if not _is_text(trace):
        yield open_trace(trace)
        return
    with TemporaryDirectory() as folder:
        imported = Path(folder) / "memsim.parquet"
        import_trace("memsim", trace, imported)
        yield open_trace(imported)


def _is_text(trace: str) -> bool:
    from tracereplay.trace import formats
    from tracereplay.trace.formats._source import STANDARD_INPUT, Source

    if trace in STANDARD_INPUT:
        return True
    return Path(trace).is_file() and formats.get("memsim").looks_like(Source(trace).head())
