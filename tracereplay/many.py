"""One trace, many machines: the rows are decoded once and go through every machine in turn."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from tracereplay.errors import ScenarioError, UsageError
from tracereplay.machine import Machine, resolve
from tracereplay.problems import problem, shown
from tracereplay.progress import Progress, part
from tracereplay.provenance import Provenance, Stopwatch
from tracereplay.result import Result
from tracereplay.run import Run, drive, trace_names
from tracereplay.scenario import Scenario
from tracereplay.trace.feed import Feed
from tracereplay.trace.reader import Trace, open_trace

_Rows: TypeAlias = tuple[tuple[str, int, int, int], ...]


class _Plan(NamedTuple):
    """What to run: one of the scenarios, its traces, and the machine that it describes."""

    said: Scenario
    traces: dict[str, Trace]
    machine: Machine

    @property
    def rows(self) -> _Rows:
        """What the rows of the run, and their dense ids, depend on; ``traces`` are the same in all plans."""
        return tuple((vm.trace, vm.trace_vm, vm.start, vm.domain) for vm in self.machine.vms)


def replay_many(
    traces: Any,
    scenarios: Iterable[str | os.PathLike[str] | Mapping[str, Any] | Scenario],
    *,
    jobs: int = 2,
    check: bool = False,
    progress: Progress | None = None,
    jit: bool = True,
) -> list[Result]:
    """Replay many scenarios and return what each cost, in order: what ``replay`` returns for it.

    ``traces`` is a mapping as for ``replay``, one path or several, or one table or open trace (called
    "trace"), for scenarios that name no VM.  Scenarios whose VMs read the same rows, with the same start
    and sharing domains, share one decoding; others follow after them.  ``jobs`` machines run at a time, in
    threads; the results do not depend on it.  Memory is that of all machines together that share a decoding.

    ScenarioError tells all problems of all scenarios, each with its index, before anything runs.  Else as
    ``replay``.  UsageError: jobs below 1, or traces that are none of these.
    """
    watch = Stopwatch()
    if jobs < 1:
        raise UsageError(f"replay_many: jobs: {problem(shown(jobs), 'at least 1')}")
    plans = _plans(_named(traces), scenarios)
    groups: dict[_Rows, list[int]] = {}
    for index, plan in enumerate(plans):
        groups.setdefault(plan.rows, []).append(index)
    found: dict[int, Result] = {}
    for number, members in enumerate(groups.values()):
        told = part(progress, number, len(groups))
        shared = [plans[index] for index in members]
        runs = _run(shared, jobs=jobs, check=check, progress=told, jit=jit)
        record = Provenance.of_run(shared[0].said, shared[0].traces, watch)  # once: it reads all files
        for index, plan, run in zip(members, shared, runs, strict=True):
            found[index] = run.result(replace(record, scenario=plan.said.to_dict(), seed=plan.said.seed))
    return [found[index] for index in range(len(plans))]


def _run(
    plans: Sequence[_Plan], *, jobs: int, check: bool, progress: Progress | None, jit: bool
) -> list[Run]:
    """The runs of plans that share their rows, at their end."""
    feed = Feed(plans[0].machine.vms, plans[0].traces)
    jobs = min(jobs, len(plans))
    with ThreadPoolExecutor(jobs) as threads:
        made = [threads.submit(Run, plan.machine, feed, check=check, jit=jit) for plan in plans]
    runs = [future.result() for future in made]
    if jobs > 1:
        for run in runs:  # one by one: only one thread can compile at a time, and the others would wait
            run.compile()
    drive(runs, feed, jobs=jobs, progress=progress)
    return runs


def _named(traces: Any) -> dict[str, Any]:
    """Traces by name."""
    if traces is None or isinstance(traces, Mapping):
        return dict(traces or {})
    if isinstance(traces, str | os.PathLike):
        traces = [traces]
    if not isinstance(traces, list | tuple):
        return {"trace": traces}
    for path in traces:
        if not isinstance(path, str | os.PathLike):
            found = f"a {type(path).__name__} in a list"
            expected = "traces first, then scenarios: paths in a list, tables in a mapping with their names"
            raise UsageError(f"replay_many: traces: {problem(found, expected)}")
    return {os.fspath(path): path for path in traces}


def _plans(given: Mapping[str, Any], scenarios: Iterable[Any]) -> list[_Plan]:
    """Every scenario with its traces, each opened once; ScenarioError with the problems of all."""
    opened = {name: open_trace(source) for name, source in given.items()}
    plans, problems = [], []
    for index, scenario in enumerate(scenarios):
        try:
            said = Scenario.load(scenario, tables=tuple(given))
            names = trace_names(said, given)
            opened |= {name: open_trace(name) for name in names if name not in opened}
            traces = {name: opened[name] for name in names}
            plans.append(_Plan(said, traces, resolve(said, traces)))
        except ScenarioError as error:
            problems += [f"scenario {index}: {text}" for text in error.problems]
    if problems:
        raise ScenarioError(problems)
    return plans
