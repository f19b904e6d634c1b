"""How fast replays are on this machine, and beside libcachesim, the nearest other simulator.

Everything is timed in one process, in turns, so that a drift of the machine's speed meets all alike;
the best of the rounds counts.  Before the first round all kernels are compiled.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tracereplay import policies
from tracereplay.analysis.lru_curve import lru_curve
from tracereplay.analysis.next_use import NextUses
from tracereplay.analysis.one_level import OneLevel, count_misses, dense_rows
from tracereplay.errors import UsageError
from tracereplay.machine import MOST_PAGES, MOST_TIME
from tracereplay.many import replay_many
from tracereplay.run import replay
from tracereplay.trace import open_trace, write_trace
from tracereplay.trace.convert import export_trace
from tracereplay.trace.synth import synth

RIVAL = "libcachesim"
THEIR_NAMES = {
    "lru": "LRU",
    "fifo": "FIFO",
    "clock": "Clock",
    "random": "Random",
    "arc": "ARC",
    "lfu": "LFU",
    "lirs": "LIRS",
    "s3fifo": "S3FIFO",
    "sieve": "Sieve",
    "two_q": "TwoQ",
}
"""Policies that both have, by our name, with the rival's."""
EQUAL_MISSES = ("lru", "fifo", "clock", "lfu", "sieve", "two_q")
"""Policies whose misses must agree: random ones draw from other streams, others have variants."""
MACHINES = 8
"""How many machines one call replays at once."""


@dataclass(frozen=True)
class Workload:
    """The trace that all contestants replay, and the memory they have."""

    accesses: int = 20_000_000
    pages: int = 1_000_000
    alpha: float = 1.0
    frames: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("accesses", MOST_TIME), ("pages", MOST_PAGES), ("frames", MOST_PAGES)):
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"--{name}: found {getattr(self, name)}; expected a number from 1 to {most}")
        if not 0 <= self.alpha < math.inf:
            raise UsageError(f"--alpha: found {self.alpha}; expected a number from 0 on")

    def scenario(self, trace: str) -> dict[str, Any]:
        """The two-level replay: a guest with room for all pages, a host with 75 % of that, ESX sharing.

        Two hundred scans of 1,000 pages: more a memory access than any hypervisor does.
        """
        return {
            "tick": max(self.accesses // 200, 1),
            "sharing": {"mode": "esx", "rate": 1000},
            "vm": [{"trace": trace}],
        }

    def machines(self, trace: str) -> list[dict[str, Any]]:
        """MACHINES such replays that differ in their hosts' memory."""
        said = self.scenario(trace)
        return [said | {"host": {"memory": f"{90 - 5 * i}%"}} for i in range(MACHINES)]


class Contestant(NamedTuple):
    """Something to be timed; ``run`` returns its misses, or None where they mean something else.

    ``passes`` is how many times it replays the trace.
    """

    name: str
    policy: str
    run: Callable[[], int | None]
    passes: int = 1


def bench(
    workload: Workload,
    directory: Path,
    *,
    rounds: int = 3,
    against: str | None = None,
    chosen: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Time everything; ``directory`` takes the trace files (24 + 5 bytes an access with a rival).

    ``chosen`` are the policies to time, None = all; LRU, which all is compared with, is always among them.

    Returns ``workload``, ``compile_seconds``, ``results`` (per contestant: accesses_per_second, seconds,
    misses, and with a rival ``ratio``, to its LRU), ``memory`` (peak of a two-level replay in a process of
    its own) and, with a rival, ``misses_agree``.  Raises UsageError when the rival is not installed.
    """
    if rounds < 1:
        raise UsageError(f"--rounds: found {rounds}; expected at least 1")
    rival = None if against is None else _rival(against)
    timed = ["lru", *(name for name in (policies.names() if chosen is None else chosen) if name != "lru")]
    say("writing the trace")
    trace = directory / "zipf.parquet"
    rows = synth(
        "zipf", pages=workload.pages, accesses=workload.accesses, alpha=workload.alpha, seed=workload.seed
    )
    write_trace(trace, rows)
    contestants = [*_ours(workload, trace, timed)]
    if rival is not None:
        contestants += _theirs(workload, trace, directory, rival, timed)
    say("compiling the kernels")
    compile_seconds = _compile(directory, timed)
    seconds: dict[str, list[float]] = {c.name: [] for c in contestants}
    misses: dict[str, int | None] = {}
    for turn in range(rounds):
        for contestant in contestants:
            say(f"round {turn + 1} of {rounds}: {contestant.name}")
            began = time.perf_counter()
            misses[contestant.name] = contestant.run()
            seconds[contestant.name].append(time.perf_counter() - began)
    say("measuring memory")
    found = _report(workload, contestants, seconds, misses)
    memory = _memory(workload, trace)
    return {"workload": vars(workload), "compile_seconds": compile_seconds, **found, "memory": memory}


def _ours(workload: Workload, trace: Path, timed: Sequence[str]) -> Iterator[Contestant]:
    pages = np.concatenate([rows.pages for rows in dense_rows(open_trace(trace))])
    n_pages = int(pages.max()) + 1
    next_uses = None
    if any(map(policies.needs_future, timed)):
        with NextUses([(pages, n_pages, None)]) as future:
            next_uses = future.take(len(pages))

    def kernel(policy: str) -> Callable[[], int]:
        known = next_uses if policies.needs_future(policy) else None

        def run() -> int:
            memory = OneLevel(policy, workload.frames)
            memory.touch(pages, n_pages, next_uses=known)
            return memory.misses

        return run

    def every_size() -> int:
        curve = lru_curve(open_trace(trace), [0])[0]
        return int(curve.at(np.array([workload.frames])).misses[0])

    def two_levels() -> None:
        replay(workload.scenario(str(trace)))

    def many() -> None:
        replay_many({}, workload.machines(str(trace)), jobs=2)

    yield Contestant("lru, every size in one pass, from Parquet", "lru", every_size)
    yield Contestant(
        "one level, lru, from Parquet", "lru", lambda: count_misses(open_trace(trace), "lru", workload.frames)
    )
    for policy in timed:
        yield Contestant(f"one level, {policy}, kernel only", policy, kernel(policy))
    yield Contestant("two levels, lru + random, esx sharing, from Parquet", "", two_levels)
    yield Contestant(f"the same for {MACHINES} machines in one call, two jobs", "", many, MACHINES)


def _rival(name: str) -> Any:
    if name != RIVAL:
        raise UsageError(f"--against: found {name!r}; expected {RIVAL}")
    try:
        import libcachesim
    except ImportError:
        raise UsageError(
            f"--against {RIVAL}: not installed here; expected the package {RIVAL}: pip install {RIVAL}"
        ) from None
    return libcachesim


def _theirs(
    workload: Workload, trace: Path, directory: Path, rival: Any, timed: Sequence[str]
) -> Iterator[Contestant]:
    """The rival's policies on its own binary format, the loop in C; opening the file is not timed."""
    path = directory / "zipf.oracleGeneral.bin"
    export_trace("oracleGeneral", trace, path)
    options = rival.ReaderInitParam(ignore_obj_size=True)
    reader = rival.TraceReader(str(path), rival.TraceType.ORACLE_GENERAL_TRACE, options)

    def simulate(name: str) -> Callable[[], int]:
        def run() -> int:
            reader.reset()
            cache = getattr(rival, name)(workload.frames)
            ratio, _ = cache.process_trace(reader)
            return round(ratio * workload.accesses)

        return run

    for policy, name in THEIR_NAMES.items():
        if policy in timed:
            yield Contestant(f"{RIVAL} {name}", policy, simulate(name))


def _compile(directory: Path, timed: Sequence[str]) -> float:
    """Seconds until every kernel is ready, from this machine's cache or by compiling."""
    began = time.perf_counter()
    small = Workload(accesses=2_000, pages=100, frames=10)
    trace = directory / "small.parquet"
    write_trace(trace, synth("zipf", pages=small.pages, accesses=small.accesses))
    for contestant in _ours(small, trace, timed):
        contestant.run()
    return time.perf_counter() - began


def _report(
    workload: Workload,
    contestants: list[Contestant],
    seconds: Mapping[str, list[float]],
    misses: Mapping[str, int | None],
) -> dict[str, Any]:
    reference = f"{RIVAL} {THEIR_NAMES['lru']}"
    results = {}
    for contestant in contestants:
        best = min(seconds[contestant.name])
        row: dict[str, Any] = {
            "accesses_per_second": round(workload.accesses * contestant.passes / best),
            "seconds": [round(s, 3) for s in seconds[contestant.name]],
            "misses": misses[contestant.name],
        }
        if reference in seconds:
            row["ratio"] = round(contestant.passes * min(seconds[reference]) / best, 2)
        results[contestant.name] = row
    found: dict[str, Any] = {"results": results}
    if reference in seconds:
        compared = [policy for policy in EQUAL_MISSES if any(c.policy == policy for c in contestants)]
        by_policy = {p: {misses[c.name] for c in contestants if c.policy == p} for p in compared}
        found["misses_agree"] = {policy: len(counts) == 1 for policy, counts in by_policy.items()}
    return found


_CHILD = """
import json, resource, sys
from tracereplay.run import replay
replay(json.loads(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
try:  # Linux: what this program had, without what the process that started it had before
    peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
except OSError:
    pass
print(peak)
"""


def _memory(workload: Workload, trace: Path) -> dict[str, Any]:
    """Peak resident memory of the two-level replay in a fresh process, and its wall time, kernels warm."""
    command = [sys.executable, "-c", _CHILD, json.dumps(workload.scenario(str(trace)))]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    pages = open_trace(trace).footprints()[0]
    return {
        "wall_seconds": round(time.perf_counter() - began, 2),
        "peak_bytes": int(done.stdout),
        "distinct_pages": pages,
        "allowed_bytes": 64 * pages + 400_000_000,
    }
