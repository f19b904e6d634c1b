"""OPT: no choice of victims misses less, and it needs to know the future for that."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policies.test_textbook import misses

from tracereplay.analysis.next_use import NextUses
from tracereplay.analysis.one_level import OneLevel
from tracereplay.policies import opt
from tracereplay.run import replay
from tracereplay.trace.schema import Op


def fewest(string: tuple[int, ...], frames: int) -> int:
    """Misses of the best of all ways to choose victims, found by trying them all."""

    @functools.cache
    def from_here(at: int, held: frozenset[int]) -> int:
        if at == len(string):
            return 0
        page = string[at]
        if page in held:
            return from_here(at + 1, held)
        if len(held) < frames:
            return 1 + from_here(at + 1, held | {page})
        return 1 + min(from_here(at + 1, held - {victim} | {page}) for victim in held)

    return from_here(0, frozenset())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(string=st.lists(st.integers(0, 5), min_size=1, max_size=14), frames=st.integers(1, 5))
def test_no_choice_of_victims_misses_less(string, frames):
    """The misses are those of the best of all sequences of victims."""
    assert misses("opt", string, frames) == fewest(tuple(string), frames)


def test_by_hand():
    """The victim is the page used again last; one that is never used again goes first, whatever its past.

    a b c a d b a with two frames: b is needed after a, so c takes its place; c is never needed again, so d
    does; and so on.
    """
    string = np.array([0, 1, 2, 0, 3, 1, 0], np.int32)
    next_uses = np.array([3, 5, opt.NEVER, 6, opt.NEVER, opt.NEVER, opt.NEVER])
    memory = OneLevel("opt", 2, jit=False)
    held = []
    for i in range(len(string)):
        memory.touch(string[i : i + 1], 4, next_uses=next_uses[i : i + 1])
        held.append("".join("abcd"[page] for page in sorted(memory._state.page_of) if page >= 0))
    assert held == ["a", "ab", "ac", "ac", "ad", "ab", "ab"]


def test_frees_and_balloons():
    """A page that is taken out leaves the order of the others as it was; so does each victim."""
    state = opt.init([2, 5], np.zeros(2, np.uint64))
    state = opt.foresee(state, np.array([50, 10, 40, 20, 30, 60], np.int64))
    for slot in range(2, 7):
        opt.insert(state, 1, slot)
    opt.hit(state, 1, 3)  # next used at 60 instead of 10
    opt.remove(state, 1, 4)
    assert [int(opt.victim(state, 1)) for _ in range(4)] == [3, 2, 6, 5]


@pytest.mark.parametrize("policies", [("opt", "opt"), ("lru", "opt"), ("opt", "random")])
def test_guests_that_know_the_future(policies):
    """Each VM of a run misses what its own accesses do in one level: neither frees nor the others matter."""
    draw = np.random.default_rng(5)
    rows = {
        "vm": draw.integers(0, 2, 400),
        "page": draw.integers(0, 12, 400),
        "op": draw.choice([Op.READ, Op.WRITE, Op.FREE], 400, p=[0.6, 0.3, 0.1]),
    }
    for memory in (1, 3, 8):
        vms = [{"trace": "t", "trace_vm": vm, "memory": memory, "policy": policies[vm]} for vm in (0, 1)]
        run = replay({"host": {"memory": 5}, "vm": vms}, {"t": rows}, jit=False)
        found = (run.vms["guest_minor_faults"] + run.vms["guest_major_faults"]).tolist()
        for vm, policy in enumerate(policies):
            if policy == "opt":
                mine = rows["vm"] == vm
                assert found[vm] == one_level(rows["page"][mine], rows["op"][mine], memory)


def one_level(pages: np.ndarray, ops: np.ndarray, frames: int) -> int:
    """OPT's misses of some rows."""
    pages, ops = pages.astype(np.int32), ops.astype(np.uint8)
    alone = OneLevel("opt", frames, jit=False)
    with NextUses([(pages, 12, ops)]) as future:
        alone.touch(pages, 12, ops, next_uses=future.take(len(pages)))
    return alone.misses
