"""What every replacement policy must do, whatever its rule; a new policy file is tested here by itself."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Ours, operations, play
from states import flat

from tracereplay import policies
from tracereplay.core.rng import stream_state

HIT, INSERT, REMOVE, VICTIM = range(4)
TAKES_ALL_SLOTS_FOR_MEMORY = {"lirs"}
"""Until memory is full for the first time; a balloon before that is noticed then."""

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
        self.expect = policies.hooks(name)["expect"]
        self.streams = np.array([stream_state(seed, 16 + p) for p in range(len(sizes))], np.uint64)
        self.state: Any = self.policy.init(sizes, self.streams)
        ends = np.cumsum(sizes)
        self.slots = [list(range(end - size, end)) for size, end in zip(sizes, ends.tolist(), strict=True)]
        self.held: list[dict[int, int]] = [{} for _ in sizes]
        """The slots that each pool holds, and the pages in them."""
        self.chosen: list[list[int]] = [[] for _ in sizes]

    def apply(self, kind: int, pool: int, which: int) -> None:
        """One operation, turned into one that may be asked of the pool as it is."""
        held = self.held[pool]
        if kind == INSERT or not held:
            self.bring_in(pool, which)
        elif kind == VICTIM:
            self.evict(pool)
        else:
            slot = sorted(held)[which % len(held)]
            if kind == HIT:
                self.policy.hit(self.state, pool, slot)
            else:
                self.policy.remove(self.state, pool, slot)
                del held[slot]

    def bring_in(self, pool: int, which: int) -> None:
        """A page that is not there, one of few so that some come back; a full pool evicts first."""
        held = self.held[pool]
        absent = [page for page in range(2 * len(self.slots[pool]) + 2) if page not in held.values()]
        page = absent[which % len(absent)]
        self.expect(self.state, pool, pool + len(self.slots) * page)
        free = sorted(set(self.slots[pool]) - set(held)) or [self.evict(pool)]
        slot = free[which % len(free)]
        self.policy.insert(self.state, pool, slot)
        held[slot] = page

    def evict(self, pool: int) -> int:
        """The slot that the policy chooses."""
        slot = int(self.policy.victim(self.state, pool))
        assert slot in self.held[pool]
        del self.held[pool][slot]
        self.chosen[pool].append(slot)
        return slot

    def drained(self, pool: int) -> list[int]:
        """All victims of a pool, as many as it holds, from a copy of the state."""
        state = copy.deepcopy(self.state)
        return [int(self.policy.victim(state, pool)) for _ in self.held[pool]]


def leaves(state: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays and numbers of a state by name, those of states inside it included."""
    for name, value in state._asdict().items():
        if hasattr(value, "_asdict"):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def kind(value: Any) -> tuple[Any, ...]:
    """What a kernel is compiled for: of an array, else the plain number itself."""
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous
        return value.dtype, value.shape, value.strides
    assert isinstance(value, int | float | bool)
    return type(value), value


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


@settings(max_examples=40, deadline=None, derandomize=True)
@given(frames=st.integers(1, 8), ballooned=st.integers(1, 8), todo=operations(pages=20, fewest=40, most=150))
def test_a_balloon_is_a_smaller_memory(name, frames, ballooned, todo):
    """The same pages leave a pool with more slots than its memory ever has room for (law 5 of the model)."""
    if name in TAKES_ALL_SLOTS_FOR_MEMORY:
        pytest.skip("its rule needs the size of the memory before the first victim tells it")
    larger, smaller = Ours(policies.get(name), frames + ballooned), Ours(policies.get(name), frames)
    assert play(larger, frames, todo) == play(smaller, frames, todo)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(case=pools_and_operations())
@np.errstate(over="ignore")
def test_state_is_arrays_that_stay_as_they_are(name, case):
    """Kernels get arrays of one kind for ever; no operation makes another one or writes to its input."""
    sizes, operations, seed = case
    naive = Naive(name, sizes, seed)
    streams = naive.streams.copy()
    before = dict(leaves(naive.state))
    kinds = {path: kind(value) for path, value in before.items()}
    for operation in operations:
        naive.apply(*operation)
    after = dict(leaves(naive.state))
    assert all(after[path] is value for path, value in before.items())
    assert {path: kind(value) for path, value in after.items()} == kinds
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


@np.errstate(over="ignore")
def test_looking_ahead_changes_nothing(name):
    """A policy may load what a hit will read and say which victims are likely: its state stays as it is."""
    policy = policies.get(name)
    state = policy.init([3], np.array([9], np.uint64))
    for slot in range(3):
        policy.insert(state, 0, slot)
    policy.hit(state, 0, 1)
    before = flat(state)
    for slot in range(3):
        policies.hooks(name)["prefetch"](state, 0, slot)
    likely = [int(policies.hooks(name)["likely_victim"](state, 0, ahead)) for ahead in range(5)]
    assert flat(state) == before
    assert set(likely) <= {-1, 0, 1, 2}
    assert likely[0] in (-1, int(policy.victim(state, 0)))


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
