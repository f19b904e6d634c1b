"""What every replacement policy must do, whatever its rule; a new policy file is tested here by itself."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from states import flat

from tracereplay import policies
from tracereplay.core.rng import stream_state

HIT, INSERT, REMOVE, VICTIM = range(4)

pytestmark = pytest.mark.parametrize("name", policies.names())


@st.composite
def pools_and_operations(draw):
    """Sizes of some pools, and operations ``(kind, pool, which)`` to read against what is in them."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    operation = st.tuples(
        st.sampled_from([HIT, HIT, INSERT, INSERT, REMOVE, VICTIM]),
        st.integers(0, len(sizes) - 1),
        st.integers(0, 5),
    )
    return sizes, draw(st.lists(operation, max_size=80)), draw(st.integers(0, 2**64 - 1))


class Naive:
    """What any policy agrees with: which slots each pool holds.  Reads operations, applies them to both."""

    def __init__(self, name: str, sizes: list[int], seed: int) -> None:
        self.policy = policies.get(name)
        self.streams = np.array([stream_state(seed, 16 + p) for p in range(len(sizes))], np.uint64)
        self.state: Any = self.policy.init(sizes, self.streams)
        ends = np.cumsum(sizes)
        self.slots = [list(range(end - size, end)) for size, end in zip(sizes, ends.tolist(), strict=True)]
        self.held: list[set[int]] = [set() for _ in sizes]
        self.chosen: list[list[int]] = [[] for _ in sizes]

    def apply(self, kind: int, pool: int, which: int) -> None:
        """One operation, turned into one that may be asked of the pool as it is."""
        held, absent = sorted(self.held[pool]), sorted(set(self.slots[pool]) - self.held[pool])
        if kind == INSERT and not absent:
            kind = VICTIM  # a full pool evicts, as memory does
        if kind != INSERT and not held:
            kind = INSERT
        if kind == VICTIM:
            slot = int(self.policy.victim(self.state, pool))
            assert slot in held
            self.held[pool].remove(slot)
            self.chosen[pool].append(slot)
            return
        slots = absent if kind == INSERT else held
        slot = slots[which % len(slots)]
        {HIT: self.policy.hit, INSERT: self.policy.insert, REMOVE: self.policy.remove}[kind](
            self.state, pool, slot
        )
        self.held[pool] = {
            HIT: self.held[pool],
            INSERT: self.held[pool] | {slot},
            REMOVE: self.held[pool] - {slot},
        }[kind]

    def drained(self, pool: int) -> list[int]:
        """All victims of a pool, as many as it holds, from a copy of the state."""
        state = copy.deepcopy(self.state)
        return [int(self.policy.victim(state, pool)) for _ in self.held[pool]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=pools_and_operations())
@np.errstate(over="ignore")
def test_pools_hold_what_was_put_into_them(name, case):
    """After any operations each pool's victims are its members, each once: none lost, doubled or strayed."""
    sizes, operations, seed = case
    naive = Naive(name, sizes, seed)
    for operation in operations:
        naive.apply(*operation)
        assert [sorted(naive.drained(pool)) for pool in range(len(sizes))] == [
            sorted(held) for held in naive.held
        ]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=pools_and_operations())
@np.errstate(over="ignore")
def test_pools_do_not_notice_each_other(name, case):
    """A pool alone chooses the same victims as beside others: no order, bit or random number is common."""
    sizes, operations, seed = case
    together = Naive(name, sizes, seed)
    for operation in operations:
        together.apply(*operation)
    for pool in range(len(sizes)):
        alone = Naive(name, sizes, seed)
        for operation in operations:
            if operation[1] == pool:
                alone.apply(*operation)
        assert alone.chosen[pool] + alone.drained(pool) == together.chosen[pool] + together.drained(pool)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(case=pools_and_operations())
@np.errstate(over="ignore")
def test_state_is_arrays_that_stay_as_they_are(name, case):
    """Kernels get arrays of one kind for ever; no operation makes another one or writes to its input."""
    sizes, operations, seed = case
    naive = Naive(name, sizes, seed)
    streams = naive.streams.copy()
    before = {f: v for f, v in naive.state._asdict().items() if isinstance(v, np.ndarray)}
    kinds = {f: (v.dtype, v.shape, v.strides) for f, v in before.items()}
    others = {f: v for f, v in naive.state._asdict().items() if f not in before}
    for operation in operations:
        naive.apply(*operation)
    after = naive.state._asdict()
    assert all(after[f] is array for f, array in before.items())
    assert {f: (v.dtype, v.shape, v.strides) for f, v in before.items()} == kinds
    assert {f: after[f] for f in others} == others
    assert all(isinstance(value, int | float | bool) for value in others.values())
    assert all(array.flags.c_contiguous for array in before.values())
    assert naive.streams.tolist() == streams.tolist()


@np.errstate(over="ignore")
def test_one_slot(name):
    """A pool of one slot always gives that slot, however often it goes in and out."""
    policy = policies.get(name)
    state = policy.init([1, 1], np.array([1, 2], np.uint64))
    victims = []
    for round_ in range(6):
        policy.insert(state, 1, 1)
        for _ in range(round_):
            policy.hit(state, 1, 1)
        victims.append(int(policy.victim(state, 1)))
    assert victims == [1] * 6


def test_a_prefetch_changes_nothing(name):
    """A policy may say what a hit will read: saying so has no effect on its state."""
    policy = policies.get(name)
    state = policy.init([3], np.array([9], np.uint64))
    for slot in range(3):
        policy.insert(state, 0, slot)
    policy.hit(state, 0, 1)
    before = flat(state)
    for slot in range(3):
        policies.hooks(name)["prefetch"](state, 0, slot)
    assert flat(state) == before


def test_functions_have_the_agreed_parameters(name):
    """The engine calls the hooks by position; parameters of the policy are keywords with defaults."""
    policy = policies.get(name)
    found = {hook: list(inspect.signature(getattr(policy, hook)).parameters) for hook in policies.HOOKS}
    assert found == {
        "insert": ["state", "pool", "slot"],
        "hit": ["state", "pool", "slot"],
        "remove": ["state", "pool", "slot"],
        "victim": ["state", "pool"],
    }
    first, second, *rest = inspect.signature(policy.init).parameters.values()
    assert (first.name, second.name) == ("pool_sizes", "streams")
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in rest)
    assert list(policies.defaults(name)) == [p.name for p in rest]
    assert policies.parse(name) == (name, {})


def test_the_docstring_says_the_rule(name):
    """`tracereplay policies` prints the first line: one sentence that ends like one."""
    line = policies.describe(name)
    assert len(line) <= 110
    assert line.endswith((".", ";", ":"))
