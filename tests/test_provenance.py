"""What ran on what is written down, and is enough to run it again to the same bytes."""

from __future__ import annotations

import datetime
import json
import sys

import pyarrow as pa
import pytest
import xxhash
from runs import STABLE, TABLES, bytes_of

import tracereplay as tr
from tracereplay.errors import ResultError
from tracereplay.provenance import Provenance, Stopwatch, digest, local_path
from tracereplay.run import open_traces
from tracereplay.scenario import Scenario

SAID = {"seed": 5, "host": {"memory": "60%"}, "vm": [{"trace": "t.parquet", "memory": "80%"}]}


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A run of a file that the scenario names by a relative path, and its directory."""
    monkeypatch.chdir(tmp_path)
    tr.write_trace("t.parquet", TABLES["a"])
    return tr.replay(SAID).save(tmp_path / "run")


def test_the_record_names_versions_inputs_seed_command_and_host(saved, tmp_path):
    """Enough to repeat the run and to say where it came from."""
    record = json.loads((saved / "provenance.json").read_text())
    assert record == tr.load_run(saved).provenance
    data = (tmp_path / "t.parquet").read_bytes()
    assert record["inputs"] == {
        "t.parquet": {
            "path": str(tmp_path / "t.parquet"),
            "rows": 600,
            "xxh3_128": {"t.parquet": xxhash.xxh3_128_hexdigest(data)},
        }
    }
    assert record["scenario"] == SAID
    assert (record["seed"], record["check"], record["command"]) == (5, False, sys.argv)
    assert record["versions"]["tracereplay"] == tr.__version__
    assert set(record["versions"]) >= {"python", "numpy", "numba", "pandas", "pyarrow"}
    assert datetime.datetime.fromisoformat(record["started"]).tzinfo is not None
    assert record["wall_seconds"] >= 0
    assert record["cpu_seconds"] >= 0
    assert set(record["host"]) == {"system", "machine", "cpus"}


@pytest.mark.parametrize("given", ["directory", "file", "mapping", "text"])
def test_rerun_gives_the_same_bytes(saved, tmp_path, monkeypatch, given):
    """From any form of the record, and from another working directory."""
    record = {
        "directory": saved,
        "file": saved / "provenance.json",
        "mapping": tr.load_run(saved).provenance,
        "text": str(saved),
    }[given]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert bytes_of(tr.rerun(record).save("again")) == bytes_of(saved)


def test_rerun_checks_again_what_was_checked(tmp_path):
    """The laws stand in summary.json, so a run with ``check`` is run with it again."""
    path = tmp_path / "t.parquet"
    tr.write_trace(path, TABLES["a"])
    first = tr.replay({"vm": [{"trace": str(path), "memory": "80%"}]}, check=True)
    assert first.laws
    assert bytes_of(tr.rerun(first.provenance).save(tmp_path / "b")) == bytes_of(first.save(tmp_path / "a"))


def test_rerun_takes_a_record_that_was_never_saved(tmp_path):
    """A Provenance itself will do."""
    path = tmp_path / "t.parquet"
    tr.write_trace(path, TABLES["a"])
    said = Scenario.from_traces(path, {"vm.*.memory": "80%"})
    record = Provenance.of_run(said, open_traces(said, None), Stopwatch())
    assert tr.rerun(record).totals == tr.replay(said).totals


def test_rerun_refuses_an_input_that_has_changed(saved, tmp_path):
    """Another content, and none, are told apart; the message names the file and what to do."""
    path = tmp_path / "t.parquet"
    tr.write_trace(path, TABLES["a"].slice(1), force=True)
    with pytest.raises(ResultError) as caught:
        tr.rerun(saved)
    message = f"input t.parquet: {path} has changed: digest {digest(path)}, expected "
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("; restore the file that the run read")
    path.unlink()
    with pytest.raises(ResultError, match=r"input t\.parquet: .*t\.parquet is gone; restore"):
        tr.rerun(saved)


def test_rerun_refuses_tables_that_lived_in_memory():
    """They are not written down; the message says how to make such runs repeatable."""
    r = tr.replay({"vm": [{"trace": "a"}]}, {"a": TABLES["a"]}, jit=False)
    assert r.provenance["inputs"] == {"a": {"path": None, "rows": 600, "xxh3_128": {}}}
    with pytest.raises(ResultError, match="input a was a table in memory; save it with write_trace"):
        tr.rerun(r.provenance)


def test_a_table_is_not_taken_for_a_file_of_its_name(tmp_path, monkeypatch):
    """A file that happens to have the name Arrow tables go by changes nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "<table>").write_text("x")
    r = tr.replay({"vm": [{"trace": "a"}]}, {"a": TABLES["a"]}, jit=False)
    assert r.provenance["inputs"]["a"]["path"] is None


def test_every_part_of_a_directory_is_checked(tmp_path):
    """A part that changed and a part that came are both refused."""
    parts = tmp_path / "parts"
    parts.mkdir()
    for i, rows in enumerate((TABLES["a"].slice(0, 300), TABLES["a"].slice(300))):
        tr.write_trace(parts / f"{i}.parquet", rows)
    first = tr.replay({"vm": [{"trace": str(parts), "memory": "80%"}]})
    assert list(first.provenance["inputs"][str(parts)]["xxh3_128"]) == ["0.parquet", "1.parquet"]
    assert tr.rerun(first.provenance).totals == first.totals
    late = pa.table({name: TABLES["a"][name].slice(599) for name in TABLES["a"].column_names})
    tr.write_trace(parts / "2.parquet", late)
    with pytest.raises(ResultError, match=r"parts has new parts: 2\.parquet; restore what the run read"):
        tr.rerun(first.provenance)
    (parts / "2.parquet").unlink()
    tr.write_trace(parts / "1.parquet", late, force=True)
    with pytest.raises(ResultError, match=r"1\.parquet has changed"):
        tr.rerun(first.provenance)


def test_a_file_given_as_a_uri_can_be_run_again(tmp_path):
    """file:// is a local file, whose digest is known."""
    path = tmp_path / "with space.parquet"
    tr.write_trace(path, TABLES["a"])
    first = tr.replay({"vm": [{"trace": path.as_uri(), "memory": "80%"}]})
    assert first.provenance["inputs"][path.as_uri()]["path"] == str(path)
    assert tr.rerun(first.provenance).totals == first.totals
    assert local_path("s3://bucket/a%20b") == "s3://bucket/a%20b"


@pytest.mark.parametrize(
    "key", ["versions", "scenario", "seed", "inputs", "command", "started", "wall_seconds"]
)
def test_a_record_that_lacks_something_is_refused(saved, key):
    """As a mapping and as a file: what is missing, not a KeyError."""
    file = saved / "provenance.json"
    record = json.loads(file.read_text())
    del record[key]
    with pytest.raises(ResultError, match=f"^{key}: found nothing; expected .*; replay the scenario again$"):
        tr.rerun(record)
    file.write_text(json.dumps(record))
    for given in (file, saved):
        with pytest.raises(ResultError) as caught:
            tr.rerun(given)
        assert str(caught.value).startswith(f"{file}: {key}: found nothing; expected ")


def test_a_record_that_is_none_is_refused(tmp_path):
    """A path without a record says what was expected."""
    with pytest.raises(ResultError, match=r"provenance\.json: not found; expected a run directory"):
        tr.rerun(tmp_path)


def test_only_the_record_differs_between_two_runs(saved, tmp_path):
    """The other files hold no time and no place."""
    again = tr.rerun(saved).save(tmp_path / "again")
    assert sorted(p.name for p in again.iterdir()) == ["provenance.json", *STABLE]
    assert bytes_of(again) == bytes_of(saved)
