"""Many machines on one decoding: each result is that of a replay of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import ScenarioError, TraceError, UsageError
from tracereplay.machine import resolve
from tracereplay.run import Run, drive
from tracereplay.scenario import Scenario
from tracereplay.trace import Batch, Trace
from tracereplay.trace.feed import Feed

SORT, GZIP = str(trace_path("sort")), str(trace_path("gzip"))


def table(seed: int, n: int = 900) -> pa.Table:
    """Rows of two VMs of every kind, with contents, most of which never come again."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "time": np.arange(n, dtype=np.uint64),
            "vm": rng.integers(0, 2, n).astype(np.uint16),
            "page": rng.zipf(1.4, n).astype(np.uint64) % 40,
            "op": rng.choice(4, n, p=[0.4, 0.4, 0.05, 0.15]).astype(np.uint8),
            "content": np.where(rng.random(n) < 0.3, rng.integers(0, 6, n), np.arange(n)).astype(np.uint64),
        }
    )


SAME_ROWS: list[dict[str, Any]] = [
    {"tick": 50, "host": {"memory": "50%"}},
    {"tick": 20, "sharing": {"mode": "ksm", "rate": 30, "use_zero_pages": True}, "seed": 5},
    {
        "tick": 30,
        "sharing": {"mode": "esx", "rate": 20, "share_before_swap": True},
        "host": {"memory": "40%"},
    },
    {"tick": 70, "host": {"policy": "clock"}, "sharing": {"mode": "ideal"}},
]
SCENARIOS: list[dict[str, Any]] = [
    SAME_ROWS[0],
    {"tick": 40, "sharing": {"mode": "esx", "rate": 9, "domain": "vm"}},
    {
        "tick": 25,
        "balloon": {"controller": "static", "rate": 2},
        "vm": [
            {"trace": "a", "trace_vm": 1, "balloon": [[100, 9], [500, 1]]},
            {"trace": "a", "trace_vm": 1, "policy": "random", "start": 40},
        ],
    },
    *SAME_ROWS[1:],
]


def told(result: tr.Result) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """All of a result that is the same whenever it is run."""
    varying = ("started", "wall_seconds", "cpu_seconds")
    record = {key: value for key, value in result.provenance.items() if key not in varying}
    return result.summary(), result.timeline.to_dict("list"), record


@pytest.mark.parametrize("jobs", [1, 2, 9])
def test_each_result_is_that_of_a_replay(jobs):
    """Policies, balloons, sharing modes and domains, one group or its own; provenance and laws included."""
    traces = {"a": table(1)}
    expected = [told(tr.replay(said, traces, check=True, jit=False)) for said in SCENARIOS]
    found = tr.replay_many(traces, SCENARIOS, jobs=jobs, check=True, jit=False)
    assert [told(result) for result in found] == expected


@pytest.mark.parametrize("jobs", [1, 2])
def test_contents_are_forgotten_when_no_machine_names_them(jobs):
    """Content ids are given out again every few batches, and no machine takes one for another."""
    traces = {"a": tr.open_trace(table(2, 300))}
    saids = [Scenario.load(said) for said in SAME_ROWS]
    machines = [resolve(said, traces) for said in saids]

    def feed() -> Feed:
        return Feed(machines[0].vms, traces, batch_rows=16, recycle_from=20)

    assert sum(rows.wants_live for rows in _answered(feed())) > 5
    together = feed()
    runs = [Run(machine, together, check=True, jit=False) for machine in machines]
    drive(runs, together, jobs=jobs)
    for said, run in zip(saids, runs, strict=True):
        alone = tr.replay(said, traces, jit=False).vms
        assert run.simulator.counters.tolist() == alone[list(COUNTER_NAMES)].to_numpy().tolist()
        assert run.simulator.measure().tolist() == alone[list(GAUGE_NAMES)].to_numpy().tolist()


def _answered(feed: Feed) -> Iterator[Any]:
    """The rows of a feed whose consumer names nothing but the newest contents."""
    for rows in feed:
        yield rows
        if rows.wants_live:
            live = np.zeros(rows.n_contents, np.bool_)
            live[rows.content[rows.content >= 0]] = True
            feed.supply_live(live)


class Counting(Trace):
    """A trace that counts how often its rows are asked for."""

    asked = 0

    def batches(self, *arguments: Any, **options: Any) -> Iterator[Batch]:
        Counting.asked += 1
        return super().batches(*arguments, **options)


def test_rows_are_decoded_once_for_each_group(tmp_path):
    """Four machines on the same rows read the file once; a machine with another start reads it again."""
    tr.write_trace(tmp_path / "t", table(3))
    trace = tr.open_trace(tmp_path / "t")
    fields = {name: getattr(trace, name) for name in Trace.__dataclass_fields__}
    for scenarios, times in ((SAME_ROWS, 1), ([*SAME_ROWS, {"vm": [{"trace": "a", "start": 3}]}], 2)):
        Counting.asked = 0
        assert trace.footprints()
        tr.replay_many({"a": Counting(**fields)}, scenarios, jit=False)
        assert Counting.asked == times


def test_compiled_in_threads():
    """Real programs, kernels compiled: the totals of single replays."""
    scenarios = [{"host": {"memory": size}, "tick": 0} for size in ("60%", "75%", "90%")]
    found = tr.replay_many([GZIP, SORT], scenarios)
    paths = {GZIP: GZIP, SORT: SORT}
    assert [told(result) for result in found] == [told(tr.replay(said, paths)) for said in scenarios]


TRACES = {
    "a path": (GZIP, {GZIP: GZIP}),
    "paths": ([GZIP, trace_path("sort")], {GZIP: GZIP, SORT: SORT}),
    "a table": (table(4), {"trace": table(4)}),
    "an open trace": (tr.open_trace(table(4)), {"trace": table(4)}),
}


@pytest.mark.parametrize("kind", TRACES)
def test_traces_for_scenarios_without_vms(kind):
    """One path, several, or one table, as a mapping would give them."""
    given, as_mapping = TRACES[kind]
    (found,) = tr.replay_many(given, [{"tick": 0}], jit=False)
    assert told(found) == told(tr.replay({"tick": 0}, as_mapping, jit=False))


def test_paths_in_scenarios_need_no_traces():
    """As with ``replay``; no scenario gives no result."""
    (found,) = tr.replay_many(None, [{"tick": 0, "vm": [{"trace": GZIP}]}], jit=False)
    assert found.totals["accesses"] == tr.open_trace(GZIP).n_rows
    assert tr.replay_many(GZIP, []) == []


def test_bad_scenarios_are_all_told_before_anything_runs():
    """With their indices, problems of form and of fit together."""
    calls: list[tuple[int, int]] = []
    bad = [
        {"tick": 0},
        {"seed": -1, "sed": 1},
        {"vm": [{"trace": "b"}]},
        {"host": {"memory": 0}, "vm": [{"trace": "a", "trace_vm": 1, "memory": 0}]},
    ]
    with pytest.raises(ScenarioError) as caught:
        tr.replay_many({"a": table(1)}, bad, progress=lambda *told: calls.append(told))
    starts = [text[: text.index(":", 12)] for text in caught.value.problems]
    assert starts == [
        "scenario 1: seed",
        "scenario 1: sed",
        "scenario 2: traces",
        "scenario 3: vm.0.memory",
        "scenario 3: host.memory",
    ]
    assert calls == []


def test_words_that_do_not_fit():
    """Jobs below one, arguments the wrong way round, a file that is not there."""
    with pytest.raises(UsageError, match=r"^replay_many: jobs: found 0; expected at least 1$"):
        tr.replay_many(GZIP, [{}], jobs=0)
    with pytest.raises(UsageError, match=r"found a dict in a list; expected traces first, then scenarios"):
        tr.replay_many([{}, {"seed": 1}], GZIP)
    with pytest.raises(TraceError, match=r"^none\.parquet: no such file"):
        tr.replay_many("none.parquet", [{}])


def test_progress_counts_the_rows_of_every_group():
    """From the first group's to the last one's end; all rows of a trace count, though one VM takes part."""
    calls: list[tuple[int, int]] = []
    other = {"vm": [{"trace": "a", "trace_vm": 0, "start": 7}]}
    tr.replay_many(
        {"a": table(1)}, [{}, {"seed": 1}, other], progress=lambda *told: calls.append(told), jit=False
    )
    assert calls == [(900, 1800), (900 + table(1)["vm"].to_pylist().count(0), 1800)]
