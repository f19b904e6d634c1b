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
    assert found == (0.1, 0.1, 0.1, 0.1, 2.0)
    clones = open_trace(table("clones", like=str(tmp_path / "t"), vms=4, pages=100))
    assert [vm.family for vm in clones.metadata.vms] == ["a", "b", "a", "a"]


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
