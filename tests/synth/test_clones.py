"""Clones, more or less alike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from synthetic import SHARED, columns, ideally_shared, table, within

from tracereplay.bundled import trace_path
from tracereplay.trace import open_trace, write_trace
from tracereplay.trace.synth._sharing import fitted_shares, last_contents

ONE_PAGE = 1 / (4 * 4096)

BY_RELATION = {
    ("same-image", "false"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.29, "cross_family": 0},
    ("same-image", "true"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.261, "cross_family": 0},
    ("same-family", "false"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.02, "cross_family": 0},
    ("same-family", "true"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.018, "cross_family": 0},
    ("other-family", "false"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.02, "cross_family": 0.01},
    ("other-family", "true"): {"zero": 0.07, "self": 0.13, "inter_vm": 0.018, "cross_family": 0.009},
}


@pytest.mark.parametrize(("relation", "aslr"), BY_RELATION)
def test_relations(relation, aslr):
    """Ideal sharing gives back what each relation stands for, less a tenth between VMs with randomisation."""
    made = table("clones", pages=4096, relation=relation, aslr=aslr)
    families = ["linux", "windows"] * 2 if relation == "other-family" else ["linux"] * 4
    assert [vm.family for vm in open_trace(made).metadata.vms] == families
    assert within(ideally_shared(made), BY_RELATION[relation, aslr], 4 * ONE_PAGE)


ASKED = {
    "nothing": {"vms": 3, "zero": 0, "self": 0, "inter": 0, "cross": 0},
    "zero alone": {"vms": 3, "zero": 0.5, "self": 0, "inter": 0},
    "copies": {"vms": 6, "inter": 0.3, "copies": 2.4},
    "two families of two and three": {
        "vms": 5, "relation": "other-family", "zero": 0.1, "self": 0.05, "inter": 0.08, "cross": 0.03,
        "copies": 2.5,
    },
    "two families of one": {"vms": 2, "relation": "other-family", "cross": 0.2},
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_the_split_asked_for(case):
    """All four kinds, whatever the number of VMs and families."""
    asked = ASKED[case]
    found = ideally_shared(table("clones", pages=3000, **asked))
    names = {"zero": "zero", "self": "self", "inter": "inter_vm", "cross": "cross_family"}
    assert within(found, {names[key]: asked[key] for key in names if key in asked}, 0.0005)


def copies_between_vms(**params) -> dict[int, int]:
    """How many contents are in how many VMs, where that is more than one."""
    rows = columns("clones", **params)
    keep = rows.known & (rows.content != 0)
    pairs = np.unique(np.stack([rows.content[keep], rows.vm[keep]]), axis=1)
    counts = np.unique(np.unique(pairs[0], return_counts=True)[1], return_counts=True)
    return {int(copies): int(n) for copies, n in zip(*counts, strict=True) if copies > 1}


def test_copies():
    """A mean of 2.5 is as many contents in two VMs as in three; by default shared contents are in all VMs."""
    asked = {"vms": 6, "pages": 1000, "inter": 0.3}
    assert copies_between_vms(**asked, copies=2.5) == {2: 600, 3: 600}
    assert copies_between_vms(**asked) == {6: 360}


DISTRIBUTED = ["2:50%/3:30%/6:20%", {2: 5, 3: 3, 6: 2}, [[2, 0.5], [3, 0.3], [6, 0.2]]]


@pytest.mark.parametrize("copies", DISTRIBUTED, ids=str)
def test_copies_as_distributed(copies):
    """Of 857 contents half are in two VMs, three tenths in three, a fifth in six: 2.1 pages given back."""
    asked = {"vms": 6, "pages": 1000, "inter": 0.3, "copies": copies}
    assert copies_between_vms(**asked) == {2: 429, 3: 257, 6: 171}
    found = ideally_shared(table("clones", **asked))
    assert within(found, {"zero": 0.07, "self": 0.13, "inter_vm": 0.3}, 0.0005)


def test_copies_in_families_of_two_sizes():
    """Three VMs of one family, two of the other: what would be in three is in two where there are no more."""
    asked = {"vms": 5, "pages": 1000, "inter": 0.2, "cross": 0, "copies": "2:1/3:1"}
    asked["relation"] = "other-family"
    found = ideally_shared(table("clones", **asked))
    assert within(found, {"inter_vm": 0.2, "cross_family": 0}, 0.0005)
    # 600 pages of three VMs: 200 contents with one copy too many, 200 with two; 400 of two: 400 with one
    assert copies_between_vms(**asked) == {2: 600, 3: 200}


@pytest.mark.parametrize("aslr", ["false", "true"])
def test_randomised_addresses(aslr):
    """Equal pages lie at equal places in all VMs, or at another distance in each."""
    rows = columns("clones", vms=2, pages=2000, zero=0, self=0, inter=0.4, aslr=aslr, touches=1)
    by_place = [
        dict(zip(rows.page[rows.vm == vm], rows.content[rows.vm == vm], strict=True)) for vm in (0, 1)
    ]
    equal = sum(by_place[1][page] == content for page, content in by_place[0].items())
    assert len(set(by_place[0].values()) & set(by_place[1].values())) == 1600
    assert equal == (1600 if aslr == "false" else 0)


def test_like_a_trace():
    """Two clones of the bundled guests share what these share, in all kinds."""
    path = str(trace_path("two-guests"))
    first, last = open_trace(path).time_range()
    model = ideally_shared(path, tick=last - first)
    made = table("clones", like=path, vms=2, pages=20_000)
    assert within(ideally_shared(made), {kind: model[kind] for kind in SHARED[1:]}, 0.0005)


def test_families_like_a_trace(tmp_path):
    """Counted by hand: of families a, b, a; 5 is in VMs 0 and 2, 6 in VMs 0 and 1, 7 twice in VM 1."""
    rows = [(0, 5), (0, 6), (0, 0), (1, 6), (1, 7), (1, 7), (2, 5), (2, 0), (2, 8), (0, 9)]
    vm, content = zip(*rows, strict=True)
    made = {"vm": vm, "page": range(10), "op": [1] * 10, "content": content}
    names = [{"name": f"vm{i}", "family": family} for i, family in enumerate("aba")]
    write_trace(tmp_path / "t", pa.table({key: list(values) for key, values in made.items()}), vms=names)
    found = fitted_shares(open_trace(tmp_path / "t"), ["a", "b", "a"])
    assert found == (0.1, 0.1, 0.1, 0.1, ((2, 1),))
    clones = open_trace(table("clones", like=str(tmp_path / "t"), vms=4, pages=100))
    assert [vm.family for vm in clones.metadata.vms] == ["a", "b", "a", "a"]


def test_copies_like_a_trace(tmp_path):
    """60 contents are in two VMs, 30 in three, 10 in four; with fewer VMs those beyond are in all of them."""
    held = [vms for vms, contents in ((2, 60), (3, 30), (4, 10)) for _ in range(contents)]
    rows = [(vm, content + 1) for content, vms in enumerate(held) for vm in range(vms)]
    rows += [(0, 1000 + own) for own in range(400)]
    vm, content = zip(*rows, strict=True)
    made = {"vm": vm, "page": range(len(rows)), "op": [1] * len(rows), "content": content}
    write_trace(tmp_path / "t", pa.table({key: list(values) for key, values in made.items()}))
    share = 150 / len(rows)
    for vms, expected in ((4, {2: 0.6, 3: 0.3, 4: 0.1}), (3, {2: 0.6, 3: 0.4}), (2, {2: 1.0})):
        asked = {"like": str(tmp_path / "t"), "vms": vms, "pages": 10_000}
        found = copies_between_vms(**asked)
        contents = sum(found.values())
        assert {n: number / contents for n, number in found.items()} == pytest.approx(expected, abs=2e-4)
        assert sum((n - 1) * number for n, number in found.items()) / (vms * 10_000) == pytest.approx(
            share, abs=1e-4
        )
    alone = columns("clones", like=str(tmp_path / "t"), vms=1, pages=100)
    assert len(set(alone.content[alone.known].tolist())) == 100


def test_what_a_trace_leaves_in_memory():
    """Known: what was read first or written last, zero where nothing was; unknown: written so, or freed."""
    rows = [
        *[(1, 0, None), (2, 0, 5), (3, 1, 6), (3, 1, None), (4, 1, 7)],
        *[(4, 0, None), (5, 1, 8), (5, 2, None), (6, 1, None), (6, 0, 9)],
    ]
    page, op, content = (list(column) for column in zip(*rows, strict=True))
    pages = last_contents(
        open_trace(pa.table({"page": page, "op": op, "content": pa.array(content, pa.uint64())}))
    )
    found = [
        c if known else None for c, known in zip(pages.content.tolist(), pages.known.tolist(), strict=True)
    ]
    assert found == [0, 5, None, 7, None, 9]
