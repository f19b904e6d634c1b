"""The main job, whole: scenarios in every form, tables of every kind, clocks, and captured programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import reference

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import ScenarioError, TraceError
from tracereplay.scenario import Scenario

PAGES = np.array([1, 2, 3, 1, 4, 2, 5, 1, 6, 3, 2, 2, 9, 1, 4, 4], np.int64) * 1_000_003
SMALL = {"tick": 0, "host": {"memory": 3}, "vm": [{"trace": "a", "memory": 4}]}
GZIP = str(trace_path("gzip"))


def outcome(result: tr.Result) -> dict[str, int]:
    """The totals that are not zero."""
    return {name: value for name, value in result.totals.items() if value}


# ---- Forms of a scenario and of a trace ----------------------------------------------------------


def test_a_scenario_may_be_toml_dict_or_scenario(tmp_path):
    """The same thing said three ways; a file's traces are relative to the file."""
    (tmp_path / "sub").mkdir()
    tr.write_trace(tmp_path / "sub" / "a", {"page": PAGES})
    toml = tmp_path / "sub" / "s.toml"
    toml.write_text('tick = 0\n[host]\nmemory = 3\n[[vm]]\ntrace = "a"\nmemory = 4\n')
    results = [
        tr.replay(toml, jit=False),
        tr.replay(str(toml), jit=False),
        tr.replay(SMALL, {"a": tmp_path / "sub" / "a"}, jit=False),
        tr.replay(Scenario.load(SMALL), {"a": {"page": PAGES}}, jit=False),
        tr.replay(toml, {"a": {"page": PAGES}}, jit=False),
    ]
    assert [r.totals for r in results] == [results[0].totals] * 5
    assert results[0].totals["accesses"] == 16
    assert results[0].totals["guest_minor_faults"] == 11  # LRU misses with 4 pages
    assert results[0].machine["vms"][0]["trace"] == str(toml.parent / "a")


def _parquet(tmp_path, table: Any) -> Any:
    table.to_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def _polars(tmp_path):
    return pytest.importorskip("polars").DataFrame({"page": PAGES})


def _polars_file(tmp_path):
    _polars(tmp_path).write_parquet(tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def _duckdb(tmp_path):
    return _duckdb_relation(tmp_path).to_arrow_table()


def _duckdb_relation(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    return duckdb.sql("SELECT unnest($pages) AS page", params={"pages": PAGES.tolist()})


def _duckdb_file(tmp_path):
    _duckdb_relation(tmp_path).write_parquet(str(tmp_path / "t.parquet"))
    return tmp_path / "t.parquet"


TABLES = {
    "dict": lambda tmp_path: {"page": PAGES},
    "arrow": lambda tmp_path: pa.table({"page": PAGES}),
    "arrow batch": lambda tmp_path: pa.record_batch({"page": PAGES}),
    "arrow int16": lambda tmp_path: pa.table({"page": (PAGES // 1_000_003).astype(np.int16)}),
    "pandas": lambda tmp_path: pd.DataFrame({"page": PAGES}),
    "pandas with more columns": lambda tmp_path: pd.DataFrame({"page": PAGES, "who": "me"}),
    "pandas file": lambda tmp_path: _parquet(tmp_path, pd.DataFrame({"page": PAGES})),
    "trace": lambda tmp_path: tr.open_trace({"page": PAGES}),
    "polars": _polars,
    "polars file": _polars_file,
    "duckdb table": _duckdb,
    "duckdb relation": _duckdb_relation,
    "duckdb file": _duckdb_file,
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_with_only_a_page_column_replays(tmp_path, kind):
    """Whatever made it, in memory or as a file: the same pages give the same run."""
    expected = tr.replay(SMALL, {"a": pa.table({"page": PAGES})}, jit=False)
    found = tr.replay(SMALL, {"a": TABLES[kind](tmp_path)}, jit=False)
    assert found.totals == expected.totals
    assert outcome(found)["accesses"] == 16


def test_the_default_scenario():
    """Nothing said: every VM of every trace, all of its footprint, host 75 %, lru below random, no more."""
    rows = {"page": PAGES, "vm": np.arange(16, dtype=np.uint16) % 2}
    r = tr.replay({}, {"a": rows, "b": {"page": PAGES}}, jit=False)
    m = r.machine
    assert list(r.vms.index) == ["a-vm0", "vm1", "b"]
    assert r.vms["memory_pages"].tolist() == r.vms["footprint_pages"].tolist() == [7, 4, 7]
    assert m["host"]["frames"] == 18 * 75 // 100
    assert ([vm["policy"] for vm in m["vms"]], m["host"]["policy"]) == (["lru"] * 3, "random")
    assert (m["balloon"]["controller"], m["sharing"]["mode"], m["seed"]) == ("none", "none", 0)
    assert r.totals["guest_major_faults"] == 0
    assert r.warnings == ()


def test_traces_and_vms_must_belong_together():
    """A table that no VM names and a VM whose trace is not there are refused by name."""
    with pytest.raises(ScenarioError, match=r"traces: found b, which no \[\[vm\]\] names; expected only a"):
        tr.replay(SMALL, {"a": {"page": PAGES}, "b": {"page": PAGES}})
    with pytest.raises(TraceError, match="a: no such file; check the path"):
        tr.replay(SMALL)
    two = r"^no1: no such file; check the path\nno2: no such file; check the path$"
    with pytest.raises(TraceError, match=two):
        tr.replay({"vm": [{"trace": "no1"}, {"trace": "a"}, {"trace": "no2"}]}, {"a": {"page": PAGES}})
    with pytest.raises(ScenarioError, match="vm: found no VM and no trace"):
        tr.replay({})


def test_a_part_of_a_traces_vms_may_run():
    """``trace_vm`` takes one VM of a file and leaves the rows of the others out."""
    rows = {"page": PAGES, "vm": np.arange(16, dtype=np.uint16) % 2}
    said = {"tick": 0, "host": {"memory": 3}, "vm": [{"trace": "a", "trace_vm": 1, "memory": 4}]}
    one = tr.replay(said, {"a": rows}, jit=False)
    alone = tr.replay(SMALL, {"a": {"page": PAGES[1::2]}}, jit=False)
    assert one.totals == alone.totals


# ---- Clocks ---------------------------------------------------------------------------------------


def test_two_files_are_merged_by_time():
    """The same as one file that holds both VMs in order of time; at equal times the first file first."""
    rng = np.random.default_rng(1)
    time = [np.sort(rng.integers(0, 300, n)).astype(np.uint64) for n in (200, 150)]
    page = [rng.integers(0, 30, n).astype(np.uint64) for n in (200, 150)]
    files = {str(i): pa.table({"time": time[i], "page": page[i]}) for i in (0, 1)}
    vm = np.repeat(np.array([0, 1], np.uint16), [200, 150])
    order = np.argsort(np.concatenate(time), kind="stable")
    both = pa.table(
        {"time": np.concatenate(time)[order], "page": np.concatenate(page)[order], "vm": vm[order]}
    )
    settings = {"tick": 0, "host": {"memory": "50%"}}
    merged = tr.replay(settings, files, jit=False)
    single = tr.replay(settings, {"x": both}, jit=False)
    assert merged.vms.to_numpy().tolist() == single.vms.to_numpy().tolist()
    assert merged.totals["host_major_faults"] > 0
    swapped = tr.replay(settings, dict(reversed(files.items())), jit=False)
    assert swapped.totals != merged.totals


def test_start_shifts_a_vms_clock():
    """A VM that starts after the other has ended runs after it."""
    said = {"tick": 0, "host": {"memory": 4}, "vm": [{"trace": "a"}, {"trace": "a", "start": 100}]}
    r = tr.replay(said, {"a": {"page": PAGES}}, jit=False)
    twice = {"page": np.concatenate([PAGES, PAGES]), "vm": np.repeat(np.array([0, 1], np.uint16), 16)}
    assert r.totals == tr.replay({"tick": 0, "host": {"memory": 4}}, {"a": twice}, jit=False).totals
    assert (r.machine["first_time"], r.machine["last_time"]) == (0, 115)


def test_a_balloon_follows_its_schedule_in_seconds(tmp_path):
    """Times with units on a trace in ns; ticks every second from the first access on."""
    second = 10**9
    time = (np.arange(401) * second // 10 + 7 * second + 5).astype(np.uint64)
    tr.write_trace(
        tmp_path / "t.parquet", {"time": time, "page": np.arange(401) % 20}, time_unit="ns", page_size=4096
    )
    vm = {"trace": str(tmp_path / "t.parquet"), "balloon": [["10s", "16KiB"], ["30s", 0]]}
    said = {"balloon": {"controller": "static", "rate": 3}, "timeline": {"every": "1s"}, "vm": [vm]}
    r = tr.replay(said, jit=False)
    assert r.machine["tick"] == second
    size = dict(
        zip(((r.timeline["time"] - time[0]) // second).tolist(), r.timeline["ballooned"], strict=True)
    )
    expected = {
        t: 0 if t < 10 else 3 if t == 10 else 4 if t < 30 else 1 if t == 30 else 0 for t in range(1, 41)
    }
    assert size == expected


def test_ticks_of_a_trace_without_a_clock():
    """A thousand ticks a run unless said otherwise; durations are refused, counts are not."""
    table = {"a": {"page": np.arange(5_001) % 7}}
    assert tr.replay({"vm": [{"trace": "a"}]}, table, jit=False).machine["tick"] == 5
    assert tr.replay({"tick": "1k", "vm": [{"trace": "a"}]}, table, jit=False).machine["tick"] == 1000
    with pytest.raises(ScenarioError, match='tick: found "1s"; expected an integer number of accesses'):
        tr.replay({"tick": "1s", "vm": [{"trace": "a"}]}, table)


@pytest.mark.parametrize("n", [2, 6, 1001])
def test_rows_at_the_time_of_the_last_tick_are_counted(n):
    """A tick runs before the rows of its time, so the run ends after its last sample."""
    r = tr.replay({"vm": [{"trace": "a"}]}, {"a": {"page": np.arange(n) % 5}}, jit=False)
    assert r.totals["accesses"] == n
    assert r.timeline["accesses"].iloc[-1] == n


# ---- Warnings -------------------------------------------------------------------------------------


def test_warnings_reach_the_result():
    """Runs that work but mislead: a policy that does not suit a reduced trace, a trace without contents."""
    said = {
        "sharing": {"mode": "esx"},
        "vm": [{"trace": GZIP, "memory": 127, "policy": "fifo"}, {"trace": "bare"}],
    }
    r = tr.replay(said, {GZIP: GZIP, "bare": {"page": PAGES}}, jit=False)
    assert len(r.warnings) == 3
    assert r.warnings[0].startswith('sharing.mode: no page contents in "bare": pages of unknown content')
    assert r.warnings[1] == (
        'vm.0.policy: with a reduced trace, exact from 64 pages on, the faults of VM "gzip" of 127 pages are '
        "exact only under lru and opt; under fifo they may be far off"
    )
    assert r.warnings[2].startswith("host.memory: with reduced traces, exact from 64 pages on")
    assert r.summary()["warnings"] == list(r.warnings)
    enough = tr.replay({"host": {"memory": 64}, "vm": [{"trace": GZIP, "memory": 64}]}, jit=False)
    assert enough.warnings == ()
    with pytest.raises(ScenarioError, match='found "esx", but no trace has page contents'):
        tr.replay({"sharing": {"mode": "esx"}}, {"bare": {"page": PAGES}})


def test_metadata_that_lie_about_the_footprint_are_told():
    """Per cent were taken of the number in the file, which the rows do not have."""
    table = pa.table({"page": PAGES}).replace_schema_metadata(
        {"tracereplay": '{"format": 1, "rows": 16, "vms": [{"name": "liar", "pages": 4}]}'}
    )
    r = tr.replay(SMALL, {"a": table}, jit=False)
    assert r.warnings == (
        "VM liar: its trace's metadata says 4 pages, its rows touch 7; "
        "memory given in per cent is of the former",
    )


# ---- Progress -------------------------------------------------------------------------------------


def test_progress_is_told_of_rows():
    """Rows done, of all rows; the last call is the end."""
    told: list[tuple[int, int]] = []
    tr.replay(SMALL, {"a": {"page": PAGES}}, progress=lambda done, of: told.append((done, of)), jit=False)
    assert told == [(16, 16)]


# ---- Captured programs ----------------------------------------------------------------------------

TOLD = (
    "guest_major_faults",
    "guest_swap_writes",
    "host_major_faults",
    "double_faults",
    "stale_reads",
    "false_reads",
    "host_swap_writes",
    "silent_swap_writes",
    "cow_breaks",
    "ballooned",
    "reclaimed",
)

_TWO = {"vm": [{"trace": GZIP, "name": "a", "memory": "75%"}, {"trace": GZIP, "name": "b", "start": 999}]}
_SHARE = {"share_before_swap": True}
GZIPS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "defaults": ({"vm": [{"trace": GZIP}]}, (0, 0, 60, 0, 0, 0, 113, 55, 0, 0, 0)),
    "less of both": (
        {"host": {"memory": "60%"}, "vm": [{"trace": GZIP, "memory": "50%"}]},
        (45, 46, 539, 37, 44, 61, 402, 136, 0, 0, 0),
    ),
    "lru under lru": (
        {"host": {"memory": 90, "policy": "lru"}, "vm": [{"trace": GZIP, "memory": 120}]},
        (50, 49, 271, 49, 57, 71, 242, 131, 0, 0, 0),
    ),
    "fifo over clock": (
        {
            "seed": 9,
            "host": {"memory": 90, "policy": "fifo", "skip_fill_reads": True},
            "vm": [{"trace": GZIP, "memory": 120, "policy": "clock"}],
        },
        (48, 56, 238, 41, 0, 0, 289, 130, 0, 0, 0),
    ),
    "balloons": (
        {
            "tick": "500k",
            "host": {"memory": 150},
            "balloon": {"controller": "static", "rate": 16},
            "vm": [{"trace": GZIP, "policy": "random", "balloon": [[0, 40], ["5M", 120], ["20M", 10]]}],
        },
        (124, 86, 43, 5, 10, 2, 92, 50, 0, 10, 0),
    ),
    "esx": (
        {"tick": "100k", "sharing": {"mode": "esx", "rate": 50, **_SHARE}, **_TWO},
        (8, 10, 18, 1, 1, 1, 31, 24, 422, 0, 149),
    ),
    "ideal between tenants": (
        {"tick": "2M", "sharing": {"mode": "ideal", "domain": "vm"}, **_TWO},
        (8, 10, 132, 1, 8, 12, 217, 113, 9, 0, 11),
    ),
    "ksm": (
        {
            "tick": "250k",
            "host": {"memory": 200, "policy": "lru"},
            "sharing": {"mode": "ksm", "rate": 40, "use_zero_pages": True, **_SHARE},
            **_TWO,
        },
        (8, 10, 166, 10, 12, 48, 262, 190, 101, 0, 75),
    ),
}


def as_reference_takes_it(machine: Any) -> dict[str, Any]:
    """A resolved machine in the words of tests/reference.py."""
    vms = [
        {
            "pages": vm["pages"],
            "policy": vm["policy"],
            "balloon": [list(entry) for entry in vm["balloon_schedule"]],
            "domain": vm["domain"],
        }
        for vm in machine["vms"]
    ]
    return {name: machine[name] for name in ("seed", "tick", "host", "balloon", "sharing")} | {"vms": vms}


def reference_rows(machine: Any) -> list[tuple]:
    """All rows of a machine of VMs with one trace each, in order of time, ties by VM."""
    rows = []
    for index, vm in enumerate(machine["vms"]):
        for batch in tr.open_trace(vm["trace"]).batches():
            columns = (batch.time, batch.page, batch.op, batch.content, batch.known)
            rows += [
                (time + vm["start"], index, page, op, content if known else None)
                for time, page, op, content, known in zip(*(c.tolist() for c in columns), strict=True)
            ]
    return sorted(rows, key=lambda row: row[:2])


@pytest.mark.parametrize("case", GZIPS)
def test_gzip_costs_what_the_reference_model_says(case):
    """Engine = naive model on every counter and gauge of a real program; the numbers are pinned."""
    said, pinned = GZIPS[case]
    r = tr.replay(said, check=case == "esx", jit=False)
    expected = reference.simulate(as_reference_takes_it(r.machine), reference_rows(r.machine))
    for vm, counters in enumerate(expected.counters):
        told = counters | expected.gauges[vm]
        assert r.vms.iloc[vm][list(told)].to_dict() == told
    assert tuple(r.totals[name] for name in TOLD) == pinned


_LESS = {"host": {"memory": "60%"}}
_VM = {"memory": "75%"}
GOLDENS: dict[str, tuple[dict[str, Any], tuple[str, ...], dict[str, Any], tuple[int, ...]]] = {
    "sort": (_LESS, ("sort",), _VM, (24, 12, 685, 8, 27, 62, 610, 138, 0, 0, 0)),
    "sqlite": (_LESS, ("sqlite",), _VM, (6, 14, 642, 8, 75, 40, 598, 434, 0, 0, 0)),
    "cc1": (_LESS, ("cc1",), _VM, (116, 370, 5432, 303, 540, 121, 4323, 2559, 0, 0, 0)),
    "python with a balloon": (
        {**_LESS, "balloon": {"controller": "static"}},
        ("python",),
        {**_VM, "balloon": [[0, "10%"], ["30M", "30%"]]},
        (2075, 1398, 8275, 723, 535, 185, 5949, 1543, 0, 422, 0),
    ),
    "two guests, esx": (
        {"tick": "1M", "sharing": {"mode": "esx", "rate": 500}},
        ("two-guests",),
        {},
        (0, 0, 3505, 0, 0, 0, 2445, 434, 22323, 0, 20295),
    ),
    "four programs, esx": (
        {**_LESS, "sharing": {"mode": "esx", "share_before_swap": True}},
        ("cc1", "gzip", "sort", "sqlite"),
        _VM,
        (154, 406, 3345, 247, 435, 106, 3781, 2105, 385, 0, 61),
    ),
}


@pytest.mark.parametrize("case", GOLDENS)
def test_captured_programs_cost_what_they_did(case):
    """Compiled replays of the bundled captures; a number that moves is a change of the model."""
    settings, programs, vm, pinned = GOLDENS[case]
    paths = [str(trace_path(program)) for program in programs]
    r = tr.replay({**settings, "vm": [{"trace": path, **vm} for path in paths]})
    assert r.totals["accesses"] == sum(tr.open_trace(path).n_rows for path in paths)
    assert r.totals["host_major_faults"] == sum(
        r.totals[name] for name in ("demand_faults", "double_faults", "stale_reads", "false_reads")
    )
    assert tuple(r.totals[name] for name in TOLD) == pinned


def test_a_machine_too_large_for_this_one_is_refused(monkeypatch):
    """Before its tables are made: how much they take, how much there is, what to do."""
    monkeypatch.setattr("os.sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.get)
    with pytest.raises(ScenarioError) as caught:
        tr.replay({"vm": [{"trace": "t", "memory": 163_841}]}, {"t": {"page": [1]}})
    assert list(caught.value.problems) == [
        "vm: found 163,841 pages of memory over all VMs, whose tables take 3.91 MiB or more; expected what "
        "fits into the 3.91 MiB of this computer; simulate smaller memories"
    ]
    tr.replay({"vm": [{"trace": "t", "memory": 163_840}]}, {"t": {"page": [1]}})


LOOP = [*range(60)] * 5
"""Pages that a smaller LRU memory never finds."""


@pytest.mark.parametrize(
    ("columns", "frees", "told"),
    [
        (
            {},
            0,
            "VM vm0: at least 240 of 300 guest faults bring back pages that the guest had dropped as empty",
        ),
        ({"op": [1] * 300}, 0, None),
        ({"content": [7] * 300}, 0, None),
        ({}, 130, "VM vm0: at least 110 of 300 guest faults bring back pages"),
        ({}, 145, None),
    ],
    ids=["read only", "written", "of files", "some freed", "few left"],
)
def test_pages_taken_for_empty_are_told(columns, frees, told):
    """A guest drops what was only read and never said: where that is much of its work, the run warns."""
    rows = {"page": LOOP, **columns}
    if frees:
        rows = {"page": [*LOOP, *(i % 60 for i in range(frees))], "op": [0] * 300 + [2] * frees}
    result = tr.replay({"vm": [{"trace": "t", "memory": 30}], "host": {"memory": 30}}, {"t": rows})
    assert result.totals["guest_minor_faults"] + result.totals["guest_major_faults"] == 300
    assert [text for text in result.warnings if told is None or not text.startswith(told)] == []
    assert len(result.warnings) == (told is not None)
