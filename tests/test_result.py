"""What a run comes to and what is kept of it: sums, timeline, run directories that survive and stay equal."""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from runs import SCENARIO, STABLE, TABLES, bytes_of

import tracereplay as tr
from tracereplay import result as home
from tracereplay import run_directory
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.core.invariants import LAWS
from tracereplay.errors import ResultError
from tracereplay.machine import resolve
from tracereplay.provenance import Provenance, Stopwatch
from tracereplay.run import Run, open_traces
from tracereplay.scenario import Scenario
from tracereplay.trace.feed import Feed

FILES = ["provenance.json", *STABLE]


@pytest.fixture(scope="module")
def run() -> tr.Result:
    """Two VMs with guest paging, host paging, a balloon and sharing."""
    return tr.replay(SCENARIO, TABLES, jit=False)


def test_the_example_does_what_it_is_for(run):
    """The tests below would prove little of a run in which nothing happens."""
    for name in ("guest_major_faults", "double_faults", "stale_reads", "cow_breaks", "pages_merged", "frees"):
        assert run.totals[name] > 0, name
    assert set(run.timeline["ballooned"]) >= {0, 8}


def test_totals_are_the_sums_of_the_vms(run):
    """Every counter and gauge of the model, by its name, in the order in which it is listed."""
    assert list(run.totals) == [*COUNTER_NAMES, *GAUGE_NAMES]
    assert run.totals == {name: sum(run.vms[name].tolist()) for name in run.totals}
    assert all(type(value) is int for value in run.totals.values())
    assert list(run.vms) == ["memory_pages", "footprint_pages", *run.totals, "estimated_ns"]
    assert list(run.vms.index) == ["one", "two"]
    assert run.totals["accesses"] == 1200


def test_causes_and_kinds_add_up(run):
    """What is split in reports is split without a rest."""
    t = run.totals
    assert t["host_major_faults"] == sum(
        t[n] for n in ("demand_faults", "double_faults", "stale_reads", "false_reads")
    )
    assert t["reclaimed"] == t["shared"] - t["shared_frames"] + t["zero_mapped"]
    split = ("reclaimed_zero", "reclaimed_self", "reclaimed_inter_vm", "reclaimed_cross_family")
    assert t["reclaimed"] == sum(t[n] for n in split)


def test_timeline_tells_of_every_vm_at_every_sample(run):
    """Columns, order, times at ticks, the last row at the end of the run."""
    line = run.timeline
    assert list(line) == ["time", "vm", *COUNTER_NAMES, *GAUGE_NAMES, "free", "balloon_target"]
    times = line["time"].unique().tolist()
    assert times == [*range(1 + 100, 1798, 100), 599 * 3 + 2]
    assert line["vm"].tolist() == ["one", "two"] * len(times)
    assert line["time"].tolist() == [t for t in times for _ in range(2)]
    frames = run.machine["host"]["frames"]
    in_use = line.groupby("time")["frames_in_use"].sum()
    assert (line.groupby("time")["free"].first() == frames - in_use).all()


def test_counters_never_fall_and_end_as_the_totals(run):
    """The timeline is cumulative; its last row of each VM is that VM's row of the result."""
    for name, rows in run.timeline.groupby("vm"):
        assert (rows[list(COUNTER_NAMES)].diff().iloc[1:] >= 0).all(axis=None)
        last = rows.iloc[-1][[*COUNTER_NAMES, *GAUGE_NAMES]]
        assert last.tolist() == run.vms.loc[name, [*COUNTER_NAMES, *GAUGE_NAMES]].tolist()


def test_a_saved_run_comes_back_whole(run, tmp_path):
    """Files, and every part of the result after loading."""
    path = run.save(tmp_path / "deep" / "run")
    assert sorted(p.name for p in path.iterdir()) == FILES
    assert [p.name for p in path.parent.iterdir()] == ["run"]
    assert path.stat().st_mode & 0o777 == 0o755
    back = tr.load_run(path)
    pd.testing.assert_frame_equal(back.vms, run.vms)
    pd.testing.assert_frame_equal(back.timeline, run.timeline)
    assert back.totals == run.totals
    assert (back.warnings, back.laws) == (run.warnings, run.laws)
    assert back.machine == json.loads(json.dumps(run.machine))
    assert back.provenance == json.loads(json.dumps(run.provenance))
    assert back.summary() == json.loads((path / "summary.json").read_text())
    assert bytes_of(back.save(tmp_path / "again")) == bytes_of(path)


def test_summary_holds_no_times_and_no_machine(run, tmp_path):
    """What differs between machines stands in the provenance alone."""
    text = (run.save(tmp_path / "r") / "summary.json").read_text()
    for value in (run.provenance["started"], run.provenance["host"]["system"], str(tmp_path)):
        assert value not in text
    assert list(json.loads(text)) == [
        "format",
        "totals",
        "estimated_ns",
        "vms",
        "warnings",
        "laws_checked",
        "scenario",
    ]


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    """Once more; however the rows are cut into batches; from tables as from files."""
    expected = bytes_of(run.save(tmp_path / "first"))
    assert bytes_of(tr.replay(SCENARIO, TABLES, jit=False).save(tmp_path / "second")) == expected
    said = Scenario.load(SCENARIO)
    for batch_rows in (1, 7, 250):
        opened = open_traces(said, TABLES)
        machine = resolve(said, opened)
        again = Run(machine, Feed(machine.vms, opened, batch_rows=batch_rows), jit=False)
        again.to_end()
        found = again.result(Provenance.of_run(said, opened, Stopwatch()))
        assert bytes_of(found.save(tmp_path / str(batch_rows))) == expected
    paths = {}
    for name, rows in TABLES.items():
        paths[name] = tmp_path / f"{name}.parquet"
        tr.write_trace(paths[name], rows)
    assert bytes_of(tr.replay(SCENARIO, paths, jit=False).save(tmp_path / "files")) == expected


def test_another_seed_gives_another_run(run):
    """The equality above is not that of a constant."""
    other = tr.replay({**SCENARIO, "seed": 4}, TABLES, jit=False)
    assert other.totals != run.totals


def test_check_is_recorded_and_changes_nothing_else(run):
    """``laws`` names what was proved."""
    checked = tr.replay(SCENARIO, TABLES, check=True, jit=False)
    assert checked.laws == tuple(LAWS)
    assert checked.laws
    assert run.laws == ()
    assert checked.totals == run.totals
    assert {**checked.summary(), "laws_checked": []} == run.summary()


def test_saving_refuses_what_is_there(run, tmp_path):
    """A run is replaced only with ``force``; what is not a run never."""
    path = run.save(tmp_path / "run")
    with pytest.raises(ResultError, match=r"run: exists already; choose another directory or .* --force"):
        run.save(path)
    other = replace(run, warnings=("another",))
    (path / "mine.txt").write_text("x")
    other.save(path, force=True)
    assert tr.load_run(path).warnings == ("another",)
    assert sorted(p.name for p in path.iterdir()) == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    run.save(tmp_path / "folder", force=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    for name in ("file", "full"):
        with pytest.raises(ResultError, match=f"{name}: exists and is not a run directory"):
            run.save(tmp_path / name, force=True)
    with pytest.raises(ResultError, match=r"file/run: cannot be written: .*file is not a directory; choose"):
        run.save(tmp_path / "file" / "run")


class Crash(BaseException):
    """Like KeyboardInterrupt: no handler of errors sees it."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("x"), Crash()])
@pytest.mark.parametrize("step", ["write_json", "pq.write_table", "_put_in_place"])
def test_a_crash_while_saving_leaves_nothing(run, tmp_path, monkeypatch, step, error):
    """At any step, for any reason: no draft stays, and the run that was there is whole."""

    def fail(*args, **options):
        raise error

    old = replace(run, warnings=("old",)).save(tmp_path / "old")
    before = bytes_of(old)
    owner = {"write_json": home, "pq.write_table": home.pq, "_put_in_place": run_directory}[step]
    monkeypatch.setattr(owner, step.rpartition(".")[2], fail)
    expected = ResultError if isinstance(error, OSError) else type(error)
    for target, force in ((tmp_path / "new", False), (old, True)):
        with pytest.raises(
            expected, match="cannot be written: No space" if expected is ResultError else None
        ):
            run.save(target, force=force)
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert bytes_of(old) == before


def test_a_crash_between_the_two_renames_keeps_the_old_run(run, tmp_path, monkeypatch):
    """Replacing a run takes two steps; the first is undone when the second fails."""
    old = replace(run, warnings=("old",)).save(tmp_path / "old")
    rename, done = Path.replace, []

    def second_fails(self, target):
        done.append(target)
        if len(done) == 2:
            raise Crash
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(Crash):
        run.save(old, force=True)
    assert tr.load_run(old).warnings == ("old",)
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("force", [False, True])
def test_another_run_may_come_first(run, tmp_path, monkeypatch, force):
    """Saved to the same directory meanwhile: it stays, unless ``force``; nothing else is left."""
    path, other = tmp_path / "run", replace(run, warnings=("other",))
    write, done = home.write_json, []

    def other_saves_meanwhile(file, data):
        write(file, data)
        if not done:
            done.append(True)
            other.save(path)

    monkeypatch.setattr(home, "write_json", other_saves_meanwhile)
    if force:
        run.save(path, force=True)
    else:
        with pytest.raises(ResultError, match=r"run: exists already; choose another directory"):
            run.save(path)
    assert tr.load_run(path).warnings == (run.warnings if force else ("other",))
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_runs_that_replace_one_another_leave_the_last(run, tmp_path, monkeypatch):
    """Another takes the place between the two renames: it is replaced in its turn."""
    path = replace(run, warnings=("first",)).save(tmp_path / "run")
    rename, done = Path.replace, []

    def other_is_faster(self, target):
        done.append(target)
        if len(done) == 2:
            replace(run, warnings=("second",)).save(path)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", other_is_faster)
    replace(run, warnings=("third",)).save(path, force=True)
    assert tr.load_run(path).warnings == ("third",)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_written_through(run, tmp_path, there):
    """What it points to is replaced, or made; the link stays one."""
    real, link = tmp_path / "real", tmp_path / "link"
    if there:
        replace(run, warnings=("old",)).save(real)
    link.symlink_to(real)
    assert run.save(link, force=there) == link
    assert link.is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "real"]
    assert tr.load_run(real).warnings == run.warnings


def test_a_name_that_no_file_system_takes(run, tmp_path):
    """An error of ours; and a file is not taken for a run because of its name."""
    with pytest.raises(ResultError, match="cannot be written: File name too long; choose another directory"):
        run.save(tmp_path / ("x" * 300))
    (tmp_path / "summary.json").write_text("{}")
    with pytest.raises(ResultError, match="exists and is not a run directory"):
        run.save(tmp_path / "summary.json", force=True)


def _set(file: str, key: str, value: object):
    """A damage to a JSON file: a value by its dotted key, None removes the key."""

    def damage(path: Path) -> None:
        data = inner = json.loads((path / file).read_text())
        *above, last = (int(name) if name.isdigit() else name for name in key.split("."))
        for name in above:
            inner = inner[name]
        inner[last] = value
        if value is None:
            del inner[last]
        (path / file).write_text(json.dumps(data))

    return damage


def _summary(key: str, value: object):
    return _set("summary.json", key, value)


def _write(name: str, text: bytes):
    return lambda path: (path / name).write_bytes(text)


def _cut(name: str):
    """The second half of a file is lost."""
    return lambda path: os.truncate(path / name, (path / name).stat().st_size // 2)


def _timeline(change):
    """Another table in place of the timeline."""

    def damage(path: Path) -> None:
        table = change(pd.read_parquet(path / "timeline.parquet"))
        table.to_parquet(path / "timeline.parquet")

    return damage


AGAIN = "; replay the scenario again"
SUMMARY, TIMELINE, PROVENANCE = "summary.json: ", "timeline.parquet: ", "provenance.json: "
COUNT = "expected an integer from 0 to 9223372036854775807"
NO_RUN = "not found; expected a run directory that `tracereplay replay -o` wrote"
DAMAGES = {
    "no summary": (lambda path: (path / "summary.json").unlink(), SUMMARY + NO_RUN),
    "no provenance": (lambda path: (path / "provenance.json").unlink(), PROVENANCE + NO_RUN),
    "no timeline": (
        lambda path: (path / "timeline.parquet").unlink(),
        TIMELINE + NO_RUN,
    ),
    "a summary cut short": (_cut("summary.json"), f"{SUMMARY}cannot be read: "),
    "a provenance cut short": (_cut("provenance.json"), f"{PROVENANCE}cannot be read: "),
    "a timeline cut short": (_cut("timeline.parquet"), f"{TIMELINE}cannot be read: Parquet magic bytes not"),
    "an empty summary": (_write("summary.json", b""), f"{SUMMARY}cannot be read: Expecting value"),
    "an empty timeline": (_write("timeline.parquet", b""), f"{TIMELINE}cannot be read: Parquet file size"),
    "text for Parquet": (_write("timeline.parquet", b"text" * 9), f"{TIMELINE}cannot be read: Parquet magic"),
    "not UTF-8": (_write("summary.json", b"\xff{}"), f"{SUMMARY}cannot be read: 'utf-8' codec"),
    "nested without end": (_write("summary.json", b"[" * 10**5), f"{SUMMARY}cannot be read: "),
    "a list": (_write("summary.json", b"[1]"), f"{SUMMARY}found list; expected a JSON object{AGAIN}"),
    "a provenance that is a list": (
        _write("provenance.json", b"[]"),
        f"{PROVENANCE}found list; expected a JSON object{AGAIN}",
    ),
    "a later format": (
        _summary("format", 2),
        f"{SUMMARY}found format 2; expected 1; read it with the version of tracereplay that wrote it",
    ),
    "no format": (_summary("format", None), f"{SUMMARY}found format None; expected 1; read it with"),
    "no totals": (_summary("totals", None), f"{SUMMARY}totals: found nothing; expected an object{AGAIN}"),
    "a total less": (
        _summary("totals.frees", None),
        f"{SUMMARY}totals.frees: found nothing; {COUNT}{AGAIN}",
    ),
    "a total of half": (
        _summary("totals.frees", 1.5),
        f"{SUMMARY}totals.frees: found 1.5; {COUNT}{AGAIN}",
    ),
    "no VMs": (_summary("vms", None), f"{SUMMARY}vms: found nothing; expected a list{AGAIN}"),
    "VMs a number": (_summary("vms", 3), f"{SUMMARY}vms: found 3; expected a list{AGAIN}"),
    "a VM that is a text": (
        _summary("vms.0", "one"),
        f'{SUMMARY}vms[0]: found "one"; expected an object{AGAIN}',
    ),
    "a VM without a name": (
        _summary("vms.1.vm", None),
        f"{SUMMARY}vms[1].vm: found nothing; expected a text{AGAIN}",
    ),
    "a count in words": (
        _summary("vms.1.reads", "many"),
        f'{SUMMARY}vms[1].reads: found "many"; {COUNT}{AGAIN}',
    ),
    "a count that is true": (
        _summary("vms.1.reads", True),
        f"{SUMMARY}vms[1].reads: found true; {COUNT}{AGAIN}",
    ),
    "laws a number": (_summary("laws_checked", 3), f"{SUMMARY}laws_checked: found 3; expected a list{AGAIN}"),
    "a warning that is a number": (
        _summary("warnings", [3]),
        f"{SUMMARY}warnings[0]: found 3; expected a text{AGAIN}",
    ),
    "no scenario": (
        _summary("scenario", None),
        f"{SUMMARY}scenario: found nothing; expected an object{AGAIN}",
    ),
    "no costs": (
        _summary("scenario.costs.swap_read", None),
        f"{SUMMARY}scenario.costs.swap_read: found nothing; {COUNT}{AGAIN}",
    ),
    "no frames": (
        _summary("scenario.host.frames", 0),
        f"{SUMMARY}scenario.host.frames: found 0; {COUNT.replace('0', '1', 1)}{AGAIN}",
    ),
    "a count beyond 64 bits": (
        _summary("vms.0.reads", 2**63),
        f"{SUMMARY}vms[0].reads: found 9223372036854775808; {COUNT}{AGAIN}",
    ),
    "totals that are not the sums": (
        _summary("totals.reads", 1),
        f"{SUMMARY}totals.reads: found 1; expected ",
    ),
    "an estimate that is not the sum": (
        _summary("estimated_ns", 1),
        f"{SUMMARY}estimated_ns: found 1; expected ",
    ),
    "no estimate": (_summary("estimated_ns", None), f"{SUMMARY}estimated_ns: found nothing; {COUNT}{AGAIN}"),
    "no VM at all": (
        _summary("vms", []),
        f"{SUMMARY}vms: found none; expected one, two as in scenario.vms{AGAIN}",
    ),
    "another VM": (
        _summary("vms.0.vm", "uno"),
        f"{SUMMARY}vms: found uno, two; expected one, two as in scenario.vms{AGAIN}",
    ),
    "a timeline without a column": (
        _timeline(lambda table: table.drop(columns=["free", "reads"])),
        f"{TIMELINE}reads: found nothing; expected integers{AGAIN}",
    ),
    "a timeline of another type": (
        _timeline(lambda table: table.astype({"reads": float})),
        f"{TIMELINE}reads: found float64; expected integers{AGAIN}",
    ),
    "a timeline of other VMs": (
        _timeline(lambda table: table.replace({"vm": {"two": "tre"}})),
        f"{TIMELINE}vm: found one, tre; expected one, two as in summary.json{AGAIN}",
    ),
    "a timeline that ends elsewhere": (
        _timeline(lambda table: table.assign(cow_breaks=7)),
        f"{TIMELINE}cow_breaks: found [7, 7] at the end; expected [",
    ),
    "a timeline cut off": (
        _timeline(lambda table: table.iloc[:-2]),
        f"{TIMELINE}accesses: found [",
    ),
    "a timeline without rows": (
        _timeline(lambda table: table.iloc[:0]),
        f"{TIMELINE}vm: found none; expected one, two as in summary.json{AGAIN}",
    ),
    "no scenario in the record": (
        _set("provenance.json", "scenario", None),
        f"{PROVENANCE}scenario: found nothing; expected an object{AGAIN}",
    ),
    "no inputs": (
        _set("provenance.json", "inputs", None),
        f"{PROVENANCE}inputs: found nothing; expected an object{AGAIN}",
    ),
    "an input without rows": (
        _set("provenance.json", "inputs.a.rows", None),
        f"{PROVENANCE}inputs.a.rows: found nothing; {COUNT}{AGAIN}",
    ),
    "a path that is a number": (
        _set("provenance.json", "inputs.a.path", 3),
        f"{PROVENANCE}inputs.a.path: found 3; expected a text or null{AGAIN}",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory) -> Path:
    """The run as a directory, to be copied."""
    return run.save(tmp_path_factory.mktemp("saved") / "run")


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_run_is_refused(saved, tmp_path, case):
    """Each names the file, what was found, what was expected and what to do, and nothing else is raised."""
    damage, message = DAMAGES[case]
    path = Path(shutil.copytree(saved, tmp_path / "run"))
    damage(path)
    with pytest.raises(ResultError) as caught:
        tr.load_run(path)
    text = str(caught.value)
    assert text.startswith(f"{path}/{message}")
    assert "; re" in text or NO_RUN in text
    assert "\n" not in text
    assert caught.value.exit_code == 3


def test_what_is_more_than_needed_is_read(saved, run, tmp_path):
    """Keys of later versions do no harm, and runs of earlier ones have no balloon targets."""
    path = Path(shutil.copytree(saved, tmp_path / "run"))
    for damage in (
        _summary("more", 1),
        _summary("scenario.more", 1),
        _set("provenance.json", "more", 1),
        _timeline(lambda table: table.drop(columns="balloon_target").assign(more="x")),
    ):
        damage(path)
    assert tr.load_run(path).totals == run.totals


def test_a_flipped_bit_in_the_timeline_is_found(run, tmp_path):
    """Pages carry checksums: any one damaged byte before the footer is refused or harmless."""
    path = run.save(tmp_path / "run")
    good = (path / "timeline.parquet").read_bytes()
    body = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    dice, refused = random.Random(1), 0
    for _ in range(60):
        data = bytearray(good)
        data[dice.randrange(4, body)] ^= 1 << dice.randrange(8)
        (path / "timeline.parquet").write_bytes(data)
        try:
            pd.testing.assert_frame_equal(tr.load_run(path).timeline, run.timeline)
        except ResultError:
            refused += 1
    assert refused > 20


def test_what_is_no_run_is_refused(tmp_path):
    """A directory of something else, and none at all."""
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ResultError, match=r"summary.json: not found; expected a run directory"):
            tr.load_run(path)


def test_estimated_time_by_hand():
    """Three writes to two pages in one page of memory: every event times its cost."""
    said = {"tick": 0, "host": {"memory": 1}, "vm": [{"trace": "a", "memory": 1}]}
    rows = {"page": [1, 2, 1], "op": np.array([1, 1, 1], np.uint8)}
    r = tr.replay(said, {"a": rows}, jit=False)
    counted = {name: r.totals[name] for name in r.totals if "swap" in name or "minor" in name}
    assert {name: n for name, n in counted.items() if n} == {
        "guest_minor_faults": 2,
        "host_minor_faults": 1,
        "guest_swap_reads": 1,
        "guest_swap_writes": 2,
    }
    assert r.estimated_ns == 3 * 100 + 2 * 1_500 + 1 * 2_500 + 1 * 90_000 + 2 * 20_000
    costs = {"access": 1, "guest_minor": 10, "zero_fill": 100, "swap_read": 1000, "swap_write": "10us"}
    assert tr.replay({**said, "costs": costs}, {"a": rows}, jit=False).estimated_ns == 3 + 20 + 100 + 21_000
    hdd = tr.replay({**said, "costs": {"preset": "hdd"}}, {"a": rows}, jit=False)
    assert hdd.estimated_ns == 300 + 3_000 + 2_500 + 12_670_000 + 2 * 13_670_000


def test_estimated_time_counts_cow_breaks(run):
    """The whole formula over the rich example, per VM and summed."""
    v = run.vms
    expected = (
        100 * v["accesses"]
        + 1_500 * v["guest_minor_faults"]
        + 2_500 * v["host_minor_faults"]
        + 20_000 * v["cow_breaks"]
        + 90_000 * (v["guest_swap_reads"] + v["host_swap_reads"])
        + 20_000 * (v["guest_swap_writes"] + v["host_swap_writes"])
    )
    assert v["estimated_ns"].tolist() == expected.tolist()
    assert run.estimated_ns == sum(expected)


def test_html_shows_the_table_and_escapes_texts(run):
    """Names and warnings come from files; they must not become markup."""
    names = pd.Index(["<i>&one", "two"], name="vm")
    html = replace(run, vms=run.vms.set_axis(names), warnings=("a <script> & b",))._repr_html_()
    assert "&lt;i&gt;&amp;one" in html
    assert "<p>a &lt;script&gt; &amp; b</p>" in html
    assert "<i>" not in html
    assert "<script>" not in html
    assert "host_major_faults" in html
    assert "zero_mapped" not in html  # nothing of it happened
    assert "2 VMs, 1,200 accesses" in repr(run)


def test_html_of_many_vms_is_cut(run):
    """A notebook is not flooded: the first and last VMs, and all together."""
    vms = pd.concat([run.vms.iloc[:1]] * 1000).set_axis(pd.Index([f"v{i}" for i in range(1000)], name="vm"))
    many = replace(run, vms=vms, timeline=run.timeline.drop(columns="balloon_target"))
    html = many._repr_html_()
    assert html.count("<tr>") < 70
    for shown in ("<th>v0</th>", "<th>v999</th>", "<th>all VMs</th>", "<th>...</th>"):
        assert shown in html
    assert "<th>v500</th>" not in html


def test_every_column_is_documented(run):
    """Where it is, its unit, what it means; those of the model are told as the model's."""
    columns = run.columns
    assert list(columns) == ["in", "unit", "meaning"]
    for table, names in (("vms", {"vm", *run.vms}), ("timeline", set(run.timeline))):
        assert {name for name, where in columns["in"].items() if table in where.split(", ")} == names
    assert columns["meaning"].str.len().min() > 5
    assert columns.loc["time", "unit"] == run.machine["time_unit"] == "accesses"
    assert columns.loc["pages_merged"].tolist() == [
        "vms, timeline",
        "pages",
        "pages that gave up their frame for an equal one; in timeline: so far",
    ]


def test_arrow_takes_the_timeline(run):
    """All of it, with its types, whatever reads the stream."""
    table = pa.table(run)
    pd.testing.assert_frame_equal(table.to_pandas(), run.timeline)
    types = {field.name: str(field.type) for field in table.schema}
    assert types.pop("time") == "uint64"
    assert types.pop("vm") in ("string", "large_string")
    assert set(types.values()) == {"int64"}
    assert pa.RecordBatchReader.from_stream(run).read_all().equals(table)


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_others_take_the_timeline(run, reader):
    """As the README says."""
    library = pytest.importorskip(reader)
    ends = run.vms["reads"].to_dict()
    if reader == "polars":
        frame = library.DataFrame(run)
        assert frame.shape == run.timeline.shape
        assert dict(frame.group_by("vm").agg(library.col("reads").max()).iter_rows()) == ends
    else:
        assert dict(library.sql("select vm, max(reads) from run group by vm").fetchall()) == ends


def test_a_result_can_be_copied_and_sent(run, tmp_path):
    """Pickled or copied, it is the same run, to the byte."""
    expected = bytes_of(run.save(tmp_path / "run"))
    for name, other in {"sent": pickle.loads(pickle.dumps(run)), "copied": copy.deepcopy(run)}.items():
        assert bytes_of(other.save(tmp_path / name)) == expected
        assert dir(other.plot) == dir(run.plot)


def test_a_result_does_not_change(run):
    """Frozen, so that a saved run is the run."""
    with pytest.raises(AttributeError):
        run.totals = {}
