"""The orchestration of a run: rows through the kernels, ticks between them, no algorithm of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tracereplay import checks, control
from tracereplay.analysis.next_use import NextUses
from tracereplay.core.counters import COUNTER_NAMES
from tracereplay.core.invariants import LAWS
from tracereplay.core.simulator import Simulator
from tracereplay.errors import ScenarioError, TraceError
from tracereplay.machine import Machine, resolve
from tracereplay.progress import Progress
from tracereplay.provenance import Provenance, Stopwatch
from tracereplay.result import Result, Sample
from tracereplay.scenario import Scenario
from tracereplay.trace.feed import Feed, Rows, ahead
from tracereplay.trace.ids import read_only
from tracereplay.trace.reader import Trace, open_trace

if TYPE_CHECKING:
    import os

    from tracereplay.core.state import State


def replay(
    scenario: str | os.PathLike[str] | Mapping[str, Any] | Scenario,
    traces: Mapping[str, Any] | None = None,
    *,
    check: bool = False,
    progress: Progress | None = None,
    jit: bool = True,
) -> Result:
    """Replay a scenario and return what it cost.

    ``scenario`` is a TOML file, a dict of the same keys, or a Scenario.  ``traces`` gives tables, open
    traces or paths for the names that its VMs use; a name that is not in it is a path.  ``check``
    verifies the model's laws at every tick and batch of rows.  ``jit=False`` runs the kernels
    uncompiled: the same result, some thousand times slower.
    Raises ScenarioError, TraceError, and InvariantError under ``check``.
    """
    watch = Stopwatch()
    said = Scenario.load(scenario, tables=tuple(traces or ()))
    opened = open_traces(said, traces)
    machine = resolve(said, opened)
    run = Run(machine, Feed(machine.vms, opened), check=check, jit=jit)
    run.to_end(progress)
    provenance = Provenance.of_run(said, opened, watch)
    return run.result(provenance)


def open_traces(said: Scenario, given: Mapping[str, Any] | None) -> dict[str, Trace]:
    """Open every trace that the scenario's VMs name; without VMs, every trace given.

    TraceError tells of all that cannot be opened.
    """
    given = given or {}
    opened, problems = {}, []
    for name in trace_names(said, given):
        try:
            opened[name] = open_trace(given.get(name, name))
        except TraceError as error:
            problems.append(error)
    if len(problems) > 1:
        raise TraceError("\n".join(map(str, problems)))
    if problems:
        raise problems[0]
    return opened


def trace_names(said: Scenario, given: Mapping[str, Any]) -> list[str]:
    """The traces that the scenario's VMs name; without VMs, all that are given.

    ScenarioError when one is given that no VM names.
    """
    wanted = list(said.traces or given)
    unused = [name for name in given if name not in wanted]
    if unused:
        raise ScenarioError(
            f"traces: found {', '.join(unused)}, which no [[vm]] names; expected only {', '.join(wanted)}"
        )
    return wanted


class Run:
    """One run in progress: the simulator, the clock of ticks and the samples taken so far."""

    def __init__(self, machine: Machine, feed: Feed, *, check: bool = False, jit: bool = True) -> None:
        self.machine = machine
        checks.check_room(machine)
        self.simulator = Simulator(machine, jit=jit)
        self._feed = feed
        self._targets = control.targets(machine)
        self._asked: tuple[int, ...] = ()
        self._check = check
        self._first_time: int | None = None
        self._last_time = 0
        self._ticks = 0
        self._samples: list[Sample] = []
        self.seconds = 0.0
        """How long it has taken to advance so far."""

    @property
    def state(self) -> State:
        """The simulation's state arrays."""
        return self.simulator.state

    def to_end(self, progress: Progress | None = None) -> None:
        """Replay all rows."""
        drive([self], self._feed, progress=progress)

    def compile(self) -> None:
        """Have the kernels compiled, by calls that change nothing."""
        vm, page, op, content = (np.zeros(0, kind) for kind in (np.uint16, np.int32, np.uint8, np.int32))
        self.simulator.replay((read_only(vm), page, read_only(op), content), 0, 0)
        self.simulator.resize_balloon(0, 1, 0)
        self.simulator.scan(0)
        self.simulator.measure()

    def advance(self, rows: Rows) -> None:
        """Replay one batch of rows and the ticks that fall before or between them."""
        began = time.perf_counter()
        self.simulator.reserve(rows.n_pages, rows.n_contents)
        if self._first_time is None:
            self._first_time = int(rows.time[0])
            self._resize_balloons(0, None)
        columns = (rows.vm, rows.page, rows.op, rows.content)
        row, n = 0, len(rows.time)
        while row < n:
            while self._next_tick is not None and self._next_tick <= rows.time[row]:
                self._tick(self._next_tick)
            due = self._next_tick
            due_here = due is not None and due <= int(rows.time[-1])
            stop = int(np.searchsorted(rows.time, np.uint64(due or 0))) if due_here else n
            self.simulator.replay(columns, row, stop)
            if self._check:
                self.simulator.check()
            row = stop
        self._last_time = int(rows.time[-1])
        self.seconds += time.perf_counter() - began

    def end(self) -> None:
        """Take the last sample, when all rows are replayed."""
        if self._samples and self._samples[-1].time == self._last_time:
            self._samples.pop()  # a tick's, taken before the rows of its time ran
        self._sample(self._last_time)

    @property
    def _next_tick(self) -> int | None:
        if not self.machine.tick or self._first_time is None:
            return None
        return self._first_time + (self._ticks + 1) * self.machine.tick

    def _tick(self, time: int) -> None:
        """Balloons, then the sharing scan, then the timeline: the order is part of the model."""
        self._ticks += 1
        self._resize_balloons(self._ticks * self.machine.tick, self.machine.balloon.rate)
        self.simulator.scan()
        if self._check:
            self.simulator.check()
        if self._ticks % self.machine.timeline_every == 0:
            self._sample(time)

    def _resize_balloons(self, elapsed: int, rate: int | None) -> None:
        self._asked = tuple(self._targets(elapsed))
        for vm, target in enumerate(self._asked):
            self.simulator.resize_balloon(vm, target, self.machine.vms[vm].pages if rate is None else rate)

    def _sample(self, time: int) -> None:
        simulator = self.simulator
        self._samples.append(
            Sample(time, simulator.counters.copy(), simulator.measure(), simulator.free_frames, self._asked)
        )

    def result(self, provenance: Provenance) -> Result:
        """What the run came to."""
        warnings = list(self.machine.warnings)
        counters = [dict(zip(COUNTER_NAMES, row, strict=True)) for row in self._samples[-1].counters.tolist()]
        for vm, met, counted in zip(self.machine.vms, self._feed.footprints, counters, strict=True):
            warnings += checks.dropped_as_empty(vm.name, int(met), counted)
            if met != vm.footprint:
                warnings.append(
                    f"VM {vm.name}: its trace's metadata says {vm.footprint} pages, its rows touch {met}; "
                    "memory given in per cent is of the former"
                )
        laws = LAWS if self._check else ()
        machine = self._as_it_ran()
        return Result.of_run(machine, self._samples, tuple(warnings), laws, provenance)

    def _as_it_ran(self) -> Machine:
        """The machine, bounded by its first and last row; files may begin before and end after them."""
        assert self._first_time is not None
        return replace(self.machine, first_time=self._first_time, last_time=self._last_time)


def drive(runs: Sequence[Run], feed: Feed, *, jobs: int = 1, progress: Progress | None = None) -> None:
    """Replay all rows of ``feed`` in all ``runs``, ``jobs`` at a time; decoding runs ahead in a thread."""
    done = 0
    with contextlib.ExitStack() as threads:
        future = None
        if any(run.simulator.needs_future for run in runs):
            future = threads.enter_context(NextUses(feed.look_through()))
        batches = threads.enter_context(contextlib.closing(ahead(feed)))
        each = map if jobs == 1 else threads.enter_context(ThreadPoolExecutor(jobs)).map
        for rows in batches:
            if future is not None:
                next_uses = future.take(len(rows.time))
                for run in runs:
                    run.simulator.foresee(rows.vm, rows.op, next_uses)
            slowest_first = sorted(runs, key=lambda run: run.seconds, reverse=True)  # none waits for it alone
            list(each(Run.advance, slowest_first, [rows] * len(runs)))
            if rows.wants_live:
                live = [run.simulator.live_contents(rows.n_contents) for run in runs]
                feed.supply_live(np.logical_or.reduce(live))
            done += len(rows.time)
            if progress is not None:
                progress(done, feed.n_rows)
    for run in runs:
        run.end()
