"""Miss-ratio curves as a table: textbook strings, words, labels, and what must hold between policies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tracereplay as tr
from tracereplay.analysis.mrc import mrc, parse_policies
from tracereplay.bundled import trace_path
from tracereplay.errors import UsageError
from tracereplay.trace.schema import Op

BELADY = {"page": [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]}
"""Belady, Nelson, Shedler 1969; as in textbooks FIFO misses 9 times with three frames and 10 with four."""
MISSES = {"lru": [12, 12, 10, 8, 5], "fifo": [12, 12, 9, 10, 5], "opt": [12, 9, 7, 6, 5]}
TWO = {"page": [1, 2, 1, 1, 7], "vm": [0, 0, 0, 1, 1]}
HUGE = "1000000000000"


def test_lru_at_every_size():
    """Without more words: a row per size up to the footprint, and what is said once of all."""
    table = tr.mrc(BELADY)
    sizes, misses = [1, 2, 3, 4, 5], MISSES["lru"]
    expected = {"size_pages": sizes, "misses": misses, "miss_ratio": [n / 12 for n in misses]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))
    assert table.attrs == {
        "page_size": 4096,
        "policies": ["lru"],
        "sample": None,
        "accesses": {"vm0": 12},
        "exact_above": None,
        "warnings": [],
    }


def test_policies_in_one_table():
    """Belady's anomaly and his optimum beside LRU, each at every size of a small footprint."""
    table = mrc(BELADY, "fifo,opt,lru")
    assert list(table) == ["policy", "size_pages", "misses", "miss_ratio"]
    found = {str(policy): rows["misses"].tolist() for policy, rows in table.groupby("policy", sort=False)}
    assert list(found) == ["fifo", "opt", "lru"]
    assert found == MISSES


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("lru", ["lru"]),
        (["fifo", "lru"], ["fifo", "lru"]),
        (" fifo , clock,fifo,lru: ", ["fifo", "clock", "lru"]),
        (
            "lru,arc:whole_steps=true,fall_to_zero=true,linux:active_ratio=2,arc",
            ["lru", "arc:whole_steps=true,fall_to_zero=true", "linux:active_ratio=2", "arc"],
        ),
    ],
)
def test_words_for_policies(policy, expected):
    """A name, a list, a text with commas, some within a policy; each once, in the order of their naming."""
    assert parse_policies(policy) == expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (3, [3]),
        ("3", [3]),
        ([4, 2, 2], [2, 4]),
        ("1, 8KiB ,50%,20 %", [1, 2]),
        (["60%", 4, HUGE], [3, 4, int(HUGE)]),
        (pd.Series([5, 1]), [1, 5]),
    ],
)
@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_words_for_sizes(policy, sizes, expected):
    """Pages, bytes, shares of the footprint, any of them larger than the footprint."""
    table = mrc(BELADY, policy, sizes=sizes)
    assert table["size_pages"].tolist() == expected
    assert table["misses"].tolist() == [MISSES[policy][min(size, 5) - 1] for size in expected]


def test_labels():
    """VMs have names where there are several and none is chosen; so have traces that come as a list."""
    assert mrc(TWO).to_dict("list") == {
        "vm": ["vm0", "vm0", "vm1", "vm1"],
        "size_pages": [1, 2, 1, 2],
        "misses": [3, 2, 2, 2],
        "miss_ratio": [1.0, 2 / 3, 1.0, 1.0],
    }
    assert list(mrc(TWO, vm=1)) == ["size_pages", "misses", "miss_ratio"]
    assert mrc(TWO, vm="vm1").attrs["accesses"] == {"vm1": 2}
    both = mrc([TWO, trace_path("gzip"), BELADY], ["lru", "fifo"], sizes=100)
    assert list(both)[:4] == ["trace", "vm", "policy", "size_pages"]
    labels = both[["trace", "vm", "policy"]].drop_duplicates().values.tolist()
    vms = [["<table>", "vm0"], ["<table>", "vm1"], ["gzip", "gzip"], ["<table>-2", "vm0"]]
    assert labels == [[*vm, policy] for vm in vms for policy in ("lru", "fifo")]
    assert both.attrs["accesses"] == {
        "<table>": {"vm0": 3, "vm1": 2},
        "gzip": {"gzip": 24_657_933},
        "<table>-2": {"vm0": 12},
    }
    assert both.attrs["exact_above"] == {"<table>": None, "gzip": 64, "<table>-2": None}


def test_opt_is_the_floor():
    """At fifty sizes of a real program no policy misses less; all miss the same where all pages fit."""
    table = mrc(trace_path("sort"), "lru,fifo,clock,opt", jobs=2)
    misses = table.pivot(index="size_pages", columns="policy", values="misses")
    assert len(misses) == 50
    assert misses.index[[0, -1]].tolist() == [64, 431]
    assert misses.le(misses["opt"] - 1, axis=0).sum().sum() == 0
    assert misses.iloc[-1].tolist() == [431] * 4
    every = mrc(trace_path("sort")).set_index("size_pages")["misses"]
    assert misses["lru"].tolist() == every[misses.index].tolist()


@pytest.mark.parametrize("policy", ["lru", "fifo", "clock", "opt"])
def test_a_guest_misses_as_much(policy):
    """The faults of each of two guests that free pages are their curves at the size of their memory."""
    rng = np.random.default_rng(2)
    rows = {"vm": rng.integers(0, 2, 600), "page": (30 * rng.random(600) ** 2).astype(int)}
    rows["op"] = rng.choice(4, 600, p=[0.4, 0.3, 0.2, 0.1])
    guests = [{"trace": "a", "trace_vm": vm, "memory": 9, "policy": policy} for vm in (0, 1)]
    run = tr.replay({"host": {"memory": "100%"}, "vm": guests}, {"a": rows}, jit=False)
    faults = run.vms["guest_minor_faults"] + run.vms["guest_major_faults"]
    assert faults.tolist() == mrc(rows, policy, sizes=9)["misses"].tolist()


@pytest.mark.parametrize(
    ("words", "passes"), [({}, 1), ({"policy": "fifo,lru"}, 3), ({"policy": "fifo", "sample": "100%"}, 2)]
)
def test_progress(words, passes):
    """Of LRU's pass over all VMs and the others' over each, of two traces, as of one long one."""
    told = []
    mrc([TWO, TWO], **words, progress=lambda *rows: told.append(rows))
    n = len(TWO["page"]) * passes * 2
    assert {total for _, total in told} == {n}
    assert told == sorted(told)
    assert told[-1] == (n, n)


def test_samples_have_bands():
    """An estimate of each policy and the ends of its band, in order; a sample of all pages is exact."""
    table = mrc(trace_path("sort"), "lru,fifo", sample="50%")
    assert list(table)[-4:] == ["misses_low", "misses_high", "miss_ratio_low", "miss_ratio_high"]
    assert (table["misses_low"] <= table["misses"]).all()
    assert (table["misses"] <= table["misses_high"]).all()
    assert (table["miss_ratio_high"] * 21_080_126 - table["misses_high"]).abs().max() < 1e-6
    assert table.attrs["sample"] == {"rate": 0.5, "pages": None, "salts": 8}
    whole = mrc(trace_path("sort"), "lru,fifo", sample=1.0, sizes=[100, 200])
    exact = mrc(trace_path("sort"), "lru,fifo", sizes=[100, 200])["misses"].tolist()
    assert [whole[f"misses{end}"].tolist() for end in ("", "_low", "_high")] == [exact] * 3


def test_what_changes_the_meaning_is_said():
    """A reduced trace, frames of a guest, and rows that free pages, of the VMs that are asked for."""
    (text,) = mrc(trace_path("sort"), "lru,opt,fifo", sizes="50%").attrs["warnings"]
    assert text.endswith(
        "sort.parquet: a reduced trace, exact for memories of 64 pages or more: smaller ones are left out; "
        "fifo: not exact at any size; miss ratios are of all 21,080,126 accesses, those left out included"
    )
    (text,) = mrc({"page": [*range(400)] * 2}, "opt,fifo", sample="50%").attrs["warnings"]
    assert text.startswith("<table>: opt: its estimates are too high where few pages are sampled, by some 0.")
    assert mrc({"page": [*range(400)] * 2}, "fifo", sample="50%").attrs["warnings"] == []
    (text,) = mrc(tr.sample_trace(BELADY, 1)).attrs["warnings"]
    assert text == "<table>: a sample of 1 of the pages: sizes, misses and miss ratios are of the rows kept"
    (first, second) = mrc(trace_path("two-guests"), vm=0).attrs["warnings"]
    assert first.endswith("smaller ones are left out; miss ratios are of the accesses kept")
    assert "recorded below the guest's own paging" in second
    freeing = {**TWO, "op": [0, int(Op.FREE), 0, 0, 0]}
    (text,) = mrc(freeing).attrs["warnings"]
    assert text == (
        "<table>: some rows free pages: they are no accesses, and the next access to such a page misses at "
        "every size"
    )
    assert mrc(freeing, vm=1).attrs["warnings"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"policy": "lru,fif"}, 'policy: found "fif"; expected one of'),
        ({"policy": []}, 'policy: found []; expected a name such as "lru", or several: "lru,opt"'),
        ({"policy": ["lru", None]}, 'policy: found ["lru", null]; expected a name such as "lru", or several'),
        ({"policy": "lru:x=1"}, 'policy: found parameter "x"; expected none: policy lru has no parameters'),
        ({"sizes": 0}, "sizes: found 0; expected at least one page"),
        ({"sizes": []}, "sizes: found no size; expected one or more"),
        ({"sizes": "half"}, 'sizes: found "half"; expected a size such as "64MiB"'),
        ({"jobs": 0}, "jobs: found 0; expected 1 or more"),
        ({"vm": "vm9"}, 'vm: found "vm9"; expected an index below 1, or one of "vm0"'),
        ({"sample": "0%"}, "sample: found rate 0.0; expected a rate above 0 and at most 1"),
    ],
)
def test_words_that_cannot_be_read(words, message):
    """What was found, what was expected."""
    with pytest.raises(UsageError) as error:
        mrc(BELADY, **words)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"sizes": "1,63"}, "expected 64 pages or more, as the trace is reduced and not exact below"),
        ({"sizes": 99, "sample": 0.01}, "expected larger ones, or a larger sample"),
        ({"policy": "fifo", "sample": "5%"}, "expected larger ones, or a larger sample"),
    ],
)
def test_sizes_of_which_none_is_left(words, message):
    """Below where a reduced trace is exact, and below what a sample can tell, LRU's or a miniature's."""
    with pytest.raises(UsageError) as error:
        mrc(trace_path("sort"), **words)
    assert str(error.value).endswith(f"sort.parquet: sizes: found none that is large enough; {message}")


def test_a_vm_too_small_for_a_sample():
    """It is left out under the policies concerned, and that is said; so is one without rows."""
    rows = {"vm": [0] * 2000 + [2] * 5, "page": [*range(1000), *range(1000), *range(5)]}
    table = mrc(rows, "lru,fifo", sample="20%")
    kept = table[["vm", "policy"]].drop_duplicates().values.tolist()
    assert kept == [["vm0", "lru"], ["vm0", "fifo"], ["vm1", "lru"], ["vm2", "lru"]]
    assert table.dtypes.astype(str).tolist() == ["str", "str", "int64", *["float64"] * 6]
    (text,) = table.attrs["warnings"]
    assert text == "<table>: left out, as no size is large enough: vm1 under fifo, vm2 under fifo"


def test_several_traces_or_none():
    """At least one, all with pages of one size."""
    with pytest.raises(UsageError, match="mrc: found no trace; expected one or more"):
        mrc([])
    large = pa.table({"page": [1]}).replace_schema_metadata(
        {"tracereplay": '{"format": 1, "page_size": 8192}'}
    )
    with pytest.raises(
        UsageError, match="mrc: found page sizes 4096, 8192; expected traces of one page size"
    ):
        mrc([BELADY, large])
