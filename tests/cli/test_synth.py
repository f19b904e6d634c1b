"""``tracereplay synth``: what there is, what it writes, what it refuses."""

from __future__ import annotations

import json

import pytest

from tracereplay.trace import info, open_trace, synth


def test_the_list_fits_a_terminal(command):
    """In 80 columns: every generator on a line of its own, what it makes, its parameters with their units."""
    done = command("synth", "--list")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if not line.startswith(" ")] == list(synth.names())
    text = " ".join(done.out.split())
    for name in synth.names():
        assert synth.describe(name) in text
        assert synth.stresses(name) in text
        assert all(p.kind.unit for p in synth.parameters(name).values())
    assert "relation=same-image (same-image, same-family, other-family), aslr=false (true or false)" in text
    assert "trace=… (text), vm=0 (count), accesses (accesses), duplicates=0.2 (fraction)" in text
    assert "duration=60s (time)" in text


def test_the_list_for_programs(command):
    """Every generator with its parameters: unit, and default as it would be typed, an ellipsis if needed."""
    found = {row["generator"]: row for row in json.loads(command("synth", "--list", "--json").out)}
    assert list(found) == list(synth.names())
    assert found["loop"]["makes"] == synth.describe("loop")
    assert found["sawtooth"]["stresses"].startswith("Stresses the difference between recency and age: ")
    assert found["uniform"]["meaning"] == "Every access goes to any of `pages` pages with equal probability."
    assert found["like"]["parameters"]["trace"] == {"default": "…", "unit": "text"}
    assert found["boot-zeroing"]["parameters"] == {
        "vms": {"default": "4", "unit": "count"},
        "pages": {"default": "16384", "unit": "pages"},
        "used": {"default": "0.4", "unit": "fraction"},
        "duration": {"default": "60s", "unit": "time"},
        "seed": {"default": "0", "unit": "count"},
    }


def test_one_generator(command):
    """What its parameters mean and where its numbers are from, in 80 columns; its parameters may follow."""
    for kind in ("consolidation", "consolidation:scale=1"):
        done = command("synth", kind, "--list")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert max(map(len, lines)) <= 80
        assert [line for line in lines if not line.startswith(" ")] == ["consolidation"]
        text = " ".join(done.out.split())
        assert "Boot with `scale` of the memory; `touches` above 1 add random reads" in text
        assert "Source: Waldspurger" in text
        assert text.count("Stresses share-before-swap") == 1
    (row,) = json.loads(command("synth", "loop", "--list", "--json").out)
    assert row["generator"] == "loop"


def test_a_trace_is_written(command, files, tmp_path):
    """With parameters as texts; talk goes to standard error, metadata to standard output if asked for."""
    done = command(
        "synth", "boot-zeroing:vms=2,pages=1MiB,used=50%,duration=1s,seed=7", "-o", "t.parquet", "--json"
    )
    assert (done.code, done.err) == (0, "768 rows of 2 VMs written to t.parquet\n")
    assert files() == {"t.parquet"}
    assert json.loads(done.out) == open_trace("t.parquet").metadata.to_dict()
    assert json.loads(done.out)["source"]["parameters"] == {
        "vms": 2, "pages": 256, "used": 0.5, "duration": 10**9, "seed": 7,
    }  # fmt: skip
    assert info("t.parquet")["health"] == "ok"


def test_one_trace_like_another(command):
    """A trace that a generator wrote is a model for the next."""
    assert command("synth", "zipf:pages=100,accesses=5k", "-o", "a.parquet", "-q").err == ""
    assert command("synth", "like:trace=a.parquet,accesses=10k", "-o", "b.parquet", "-q").code == 0
    assert open_trace("b.parquet").n_rows == 10_000


REFUSED = {
    (): (2, "synth: expected a generator and -o FILE, as in: synth zipf:pages=10k -o t.parquet\n"),
    ("zipf",): (2, "synth: expected a generator and -o FILE, as in: synth zipf:pages=10k -o t.parquet\n"),
    ("zpif", "-o", "t"): (2, 'synth: found "zpif"; expected one of "boot-zeroing", '),
    ("zpif", "--list"): (2, 'synth: found "zpif"; expected one of "boot-zeroing", '),
    ("loop:page=3", "-o", "t"): (2, 'synth: found "page"; expected one of "pages", '),
    ("loop:pages", "-o", "t"): (
        2,
        'synth: found "pages"; expected parameter=value; the parameters of loop: pages',
    ),
    ("loop:pages=0", "-o", "t"): (
        2,
        "synth: pages: found 0; expected at least 1 and at most 281474976710656\n",
    ),
    ("loop", "-o", "no/t"): (3, "no/t: no directory no to write to"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals(command, files, words):
    """One message, the exit code of its kind, and no file."""
    code, message = REFUSED[words]
    done = command("synth", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert files() == set()


def test_nothing_is_overwritten_unasked(command, tmp_path):
    """An existing file stays as it is, unless --force is given."""
    (tmp_path / "t").write_text("mine")
    assert command("synth", "loop:accesses=10", "-o", "t").code == 3
    assert (tmp_path / "t").read_text() == "mine"
    assert command("synth", "loop:accesses=10", "-o", "t", "--force", "-q").code == 0
    assert open_trace("t").n_rows == 10
