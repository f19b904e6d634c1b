"""``tracereplay rerun``: a saved run once more, and whether it is the same."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from runs import TABLES, bytes_of

import tracereplay as tr


@pytest.fixture
def run(command, tmp_path) -> Path:
    """A run directory and its trace."""
    tr.write_trace(tmp_path / "t.parquet", TABLES["a"])
    said = {"tick": 50, "host": {"memory": "60%"}, "vm": [{"trace": "t.parquet", "memory": "80%"}]}
    return tr.replay(said).save(tmp_path / "run")


def edit(file: Path, **values: object) -> None:
    """Other values of a JSON file's object."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values, indent=1, ensure_ascii=False) + "\n")


def test_a_run_comes_out_the_same(command, run, files):
    """It is said, as text and as JSON; nothing is written."""
    before = files()
    done = command("rerun", "run", "-q")
    assert done == (0, "run: reproduced, byte for byte: summary.json, timeline.parquet\n", "")
    done = command("rerun", "run", "-q", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"run": "run", "reproduced": True, "differences": []}
    assert files() == before


def test_what_came_out_is_kept_on_request(command, run, tmp_path):
    """A run directory of the same bytes; never over another unasked."""
    done = command("rerun", "run", "-o", "again")
    assert (done.code, done.err) == (0, "run written to again\n")
    assert bytes_of(tmp_path / "again") == bytes_of(run)
    done = command("rerun", "run", "-o", "again", "-q")
    assert (done.code, done.out) == (3, "")
    assert "again: exists already" in done.err
    assert command("rerun", "run", "-o", "again", "-q", "--force").code == 0


def timeline(run: Path, change) -> None:
    """Another timeline in place of the run's."""
    change(pd.read_parquet(run / "timeline.parquet")).to_parquet(run / "timeline.parquet", index=False)


def first_value(table: pd.DataFrame, **values: int) -> pd.DataFrame:
    """The table with other values in its first row."""
    for name, value in values.items():
        table.loc[0, name] = value
    return table


CHANGES = {
    "a value of the summary": (
        lambda run: edit(run / "summary.json", warnings=["odd"]),
        ['summary.json: warnings.0: "odd", now nothing'],
    ),
    "many values": (
        lambda run: edit(run / "summary.json", warnings=list("abcdefg")),
        [
            *(f'summary.json: warnings.{i}: "{text}", now nothing' for i, text in enumerate("abcde")),
            "summary.json: 2 more values",
        ],
    ),
    "bytes alone": (
        lambda run: (run / "summary.json").write_text((run / "summary.json").read_text() + "\n"),
        ["summary.json: the same values in other bytes"],
    ),
    "values of the timeline": (
        lambda run: timeline(run, lambda table: first_value(table, reads=99, free=77)),
        ["timeline.parquet: column reads", "timeline.parquet: column free"],
    ),
    "rows of the timeline": (
        lambda run: timeline(run, lambda table: table.iloc[1:]),
        ["timeline.parquet: 23 rows of 41 columns, now 24 rows of 41 columns"],
    ),
    "the encoding, by another version": (
        lambda run: (
            timeline(run, lambda table: table),
            edit(run / "provenance.json", versions={"tracereplay": tr.__version__, "pyarrow": "1.2"}),
        ),
        ["timeline.parquet: the same values in other bytes", "it was made with pyarrow 1.2, here "],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_run_that_comes_out_otherwise(command, run, case):
    """Exit code 1, and what differs."""
    change, expected = CHANGES[case]
    change(run)
    done = command("rerun", "run", "-q")
    assert (done.code, done.out) == (1, "")
    first, *found = done.err.splitlines()
    assert first == "tracereplay: run: not reproduced"
    assert len(found) == len(expected)
    assert all(text.startswith(said) for text, said in zip(found, expected, strict=True))
    again = json.loads(command("rerun", "run", "-q", "--json").out)
    assert again == {"run": "run", "reproduced": False, "differences": found}


REFUSES = {
    "a trace": ("t.parquet", lambda run: None, "t.parquet/summary.json: not found; expected a run directory"),
    "nothing": ("gone", lambda run: None, "gone/summary.json: not found; expected a run directory"),
    "no record": ("run", lambda run: (run / "provenance.json").unlink(), "run/provenance.json: not found"),
    "a record without a scenario": (
        "run",
        lambda run: edit(run / "provenance.json", scenario=None),
        "run/provenance.json: scenario: found nothing; expected an object",
    ),
    "a damaged summary": (
        "run",
        lambda run: edit(run / "summary.json", estimated_ns=0),
        "run/summary.json: estimated_ns: found 0; expected ",
    ),
    "a trace that is gone": ("run", lambda run: run.with_name("t.parquet").unlink(), "t.parquet is gone"),
}


@pytest.mark.parametrize("case", REFUSES)
def test_rerun_refuses(command, run, case):
    """One line, exit code 3."""
    name, change, message = REFUSES[case]
    change(run)
    done = command("rerun", name, "-q")
    assert (done.code, done.out) == (3, "")
    assert message in done.err
    assert done.err.count("\n") == 1
