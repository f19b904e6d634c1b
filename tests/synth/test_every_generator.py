"""What every generator must do, whatever it makes; a new file is tested here by itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from synthetic import table

from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError, UsageError
from tracereplay.trace import info, synth, write_trace
from tracereplay.trace.synth import _draws

every = pytest.mark.parametrize("name", synth.names())
GIVEN = {"accesses": 5_000, "trace": str(trace_path("sort"))}


def small(name: str) -> dict[str, Any]:
    """The defaults, but few accesses where that can be said, and a trace where one is needed."""
    return {key: value for key, value in GIVEN.items() if key in synth.parameters(name)}


@every
def test_it_says_what_it_is(name):
    """A first line, what it stresses, a unit for every parameter, and each of them in the text or plain."""
    module = synth.get(name)
    assert synth.describe(name).endswith(".")
    assert "\n\nStresses " in module.__doc__
    known = synth.parameters(name)
    assert "seed" in known
    assert all(p.kind.unit for p in known.values())
    text = inspect.getdoc(module.generate)
    common = {"pages", "accesses", "writes", "duplicates", "seed"}  # of all generators of one VM
    assert {key for key in known if f"``{key}``" not in text and key not in common} <= {"duration"}


@every
def test_the_file_is_sound(name, tmp_path):
    """Written and read again: healthy, every VM named and touched, the tool and its parameters recorded."""
    path = tmp_path / "t.parquet"
    metadata = write_trace(path, synth.synth(name, **small(name)))
    found = info(path)
    assert found["health"] == "ok"
    assert found["rows"] == metadata.rows == small(name).get("accesses", found["rows"])
    names = [vm["name"] for vm in found["vms"]]
    assert len(set(names)) == len(names) > 0
    assert all(vm["pages"] > 0 for vm in found["vms"])
    assert found["time_unit"] == ("ns" if "duration" in synth.parameters(name) else "accesses")
    assert metadata.source["tool"] == f"tracereplay synth {name}"
    assert metadata.source["parameters"] == small(name)


@every
def test_same_seed_same_bytes(name, tmp_path):
    """Two files of one seed are equal byte for byte, one of another seed is not."""
    for file, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_trace(tmp_path / file, synth.synth(name, **small(name), seed=seed))
    a, b, c = ((tmp_path / file).read_bytes() for file in "abc")
    assert a == b
    assert table(name, **small(name), seed=1) != table(name, **small(name), seed=2)
    assert a != c


@every
def test_batches_do_not_matter(name, monkeypatch):
    """The same rows, made 997 at a time."""
    whole = table(name, **small(name))
    monkeypatch.setattr(_draws, "BATCH_ROWS", 997)
    pieces = table(name, **small(name))
    assert pieces.column(0).num_chunks > 1
    assert pieces == whole


WITH_BOTH = [name for name in synth.names() if {"pages", "accesses"} <= set(synth.parameters(name))]


@pytest.mark.parametrize("name", WITH_BOTH)
def test_rows_are_made_when_they_are_asked_for(name):
    """The first batch of a trillion accesses comes at once: memory does not grow with the length."""
    first = synth.synth(name, accesses=10**12).read_next_batch()
    assert first.num_rows == _draws.BATCH_ROWS


REFUSED = {
    "zipf:pages=0": "pages: found 0; expected at least 1",
    "clones:vms=100000000000": "vms: found 100000000000; expected at least 1 and at most 65536",
    "boot-zeroing:vms=0": "vms: found 0; expected at least 1 and at most 65536",
    "esx-best-case:pages=4294967297": "pages: found 4294967297; expected at least 1 and at most 4294967296",
    "loop:pages=4611686018427387904": "pages: found 4611686018427387904; expected at least 1 and at most 28",
    "uniform:accesses=0": "accesses: found 0; expected at least 1",
    "zipf:alpha=-1": "alpha: found -1.0; expected a number from 0 on",
    "scan-plus-hot-set:pages=10,hot=10": "hot: found 10; expected at least 1 and fewer than the 10 pages",
    "phase-shift:pages=3": "sets: found 4; expected at least 1 and at most the 3 pages",
    "phase-shift:phase=0": "phase: found 0; expected at least 1",
    "working-set-walk:pages=9,window=10": "window: found 10; expected at least 1 and at most the 9 pages",
    "working-set-walk:step=0": "step: found 0; expected at least 1",
    "like": 'found "like"; expected like:trace=…',
    "clones:vms=0": "vms: found 0; expected at least 1 and at most 65536",
    "clones:touches=0": "touches: found 0; expected at least 1",
    "clones:vms=1,inter=0.1": "inter: found 0.1; expected 0, as no two VMs are of one family",
    "clones:cross=0.1": "cross: found 0.1; expected 0, as all VMs are of one family",
    "clones:copies=5": "copies: found 5.0; expected more than 1 and at most 4, the VMs of a family",
    "clones:copies=2:1/9:1": "copies: found 9; expected more than 1 and at most 4, the VMs of a family",
    "clones:copies=2:0": "parameter copies of generator clones: "
    'found "2:0"; expected a number such as 2.5, or the shares of numbers as in "2:70%/5:30%"',
    "clones:copies=2:x": "parameter copies of generator clones: ",
    "clones:copies=:/": "parameter copies of generator clones: ",
    "clones:copies=x": "parameter copies of generator clones: ",
    "clones:pages=100,self=0.6": "zero, self, inter, cross: found shares that need 167 pages in a VM; "
    "expected at most its 100: a page that is given back needs another one that stays",
    "production-host:host=D": "parameter host of generator production-host: "
    'found "D"; expected one of "A", "B", "C"',
    "production-host:scale=0": "scale: found 0.0; expected enough for a page of each VM",
    "consolidation:scale=0.000001": "scale: found 1e-06; expected enough for a page of each VM",
    "boot-zeroing:duration=0": "duration: found 0; expected more than 0",
    "loop:pages=1.5": "parameter pages of generator loop: "
    'found "1.5"; expected a number of pages such as 1000 or "100k", or a size such as "64MiB"',
    "loop:pages=75%": "parameter pages of generator loop: "
    'found "75%"; expected a number of pages such as 1000 or "100k", or a size such as "64MiB"',
    "loop:pages=-1": "parameter pages of generator loop: "
    'found "-1"; expected a number of pages such as 1000 or "100k", or a size such as "64MiB"',
    "loop:pages=5,seed=1,pages=6": 'found "pages=6"; expected each parameter once',
    "sawtoth": 'found "sawtoth"; expected one of ',
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_refused(kind):
    """What was found, what was expected."""
    with pytest.raises(UsageError) as caught:
        synth.synth(kind)
    message = f"synth: {REFUSED[kind]}"
    assert str(caught.value)[: len(message)] == message


def test_a_trace_to_be_like_must_be_one(tmp_path):
    """The error of any unreadable trace; a VM that it lacks and no rows are usage errors."""
    with pytest.raises(TraceError, match="no such file"):
        synth.synth("like", trace=str(tmp_path / "none.parquet"))
    with pytest.raises(UsageError, match="vm: found 1; expected an index below 1, the VMs of "):
        synth.synth("like", trace=GIVEN["trace"], vm=1)
    with pytest.raises(UsageError, match="accesses: found 0; expected at least 1"):
        synth.synth("like", trace=GIVEN["trace"], accesses=0)
