"""Policies as their papers have them, over pages in plain lists, beside ours over slots: both must agree.

A test writes its policy once more as a Rule and plays the same operations with it and with ``Ours``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

import numpy as np
from hypothesis import strategies as st

from tracereplay.core.rng import stream_state

ACCESS, FREE, SHRINK, GROW = "access", "free", "shrink", "grow"
BASE = 2
"""Slots and pages of the first pool, which is there to be in the way."""


class Rule(Protocol):
    """A policy over pages; what it remembers of those that have left is its own business."""

    def hit(self, page: int) -> None:
        """Access a page that is in memory."""

    def bring_in(self, page: int, full: bool) -> int | None:
        """Bring in a page; if memory is full, another leaves for it, which is returned."""

    def shrink(self) -> int:
        """The page that leaves, for no other."""

    def remove(self, page: int) -> None:
        """The program frees a page that is in memory."""


class Ours:
    """A policy of ours as a Rule, in the second of two pools."""

    def __init__(self, policy: ModuleType, frames: int, seed: int = 7, **params: object) -> None:
        streams = np.array([0, stream_state(seed, 1)], np.uint64)
        self.policy = policy
        self.expect: Callable[..., None] = getattr(policy, "expect", lambda state, pool, page: None)
        self.state = policy.init([BASE, frames], streams, **params)
        self.free = list(range(BASE + frames - 1, BASE - 1, -1))
        self.slot_of: dict[int, int] = {}
        self.expect(self.state, 0, 0)
        policy.insert(self.state, 0, 0)

    def hit(self, page: int) -> None:
        self.policy.hit(self.state, 1, self.slot_of[page])

    def bring_in(self, page: int, full: bool) -> int | None:
        self.expect(self.state, 1, BASE + page)
        left = self.shrink() if full else None
        self.slot_of[page] = self.free.pop()
        self.policy.insert(self.state, 1, self.slot_of[page])
        return left

    def shrink(self) -> int:
        slot = int(self.policy.victim(self.state, 1))
        left = next(page for page, held in self.slot_of.items() if held == slot)
        self.free.append(self.slot_of.pop(left))
        return left

    def remove(self, page: int) -> None:
        slot = self.slot_of.pop(page)
        self.policy.remove(self.state, 1, slot)
        self.free.append(slot)


def operations(pages: int = 12, most: int = 120, fewest: int = 0) -> st.SearchStrategy[list[tuple[str, int]]]:
    """Operations with numbers: mostly accesses, some pages freed, memory shrinking and growing."""
    return st.lists(
        st.tuples(st.sampled_from([ACCESS] * 12 + [FREE, SHRINK, GROW]), st.integers(0, pages - 1)),
        min_size=fewest,
        max_size=most,
    )


@np.errstate(over="ignore")
def play(rule: Rule, frames: int, todo: list[tuple[str, int]]) -> list[str]:
    """What each operation did.

    What cannot be done is left out: to free what is not there, shrink to nothing or grow past ``frames``.
    """
    limit, held, told = frames, set(), []
    for kind, number in todo:
        did = f"{kind} {number}"
        if kind == ACCESS and number in held:
            rule.hit(number)
        elif kind == ACCESS:
            left = rule.bring_in(number, full=len(held) == limit)
            did += f", {left} left"
            held = held - {left} | {number}
        elif kind == FREE and number in held:
            rule.remove(number)
            held.remove(number)
        elif kind == SHRINK and limit > 1:
            limit -= 1
            if len(held) > limit:
                left = rule.shrink()
                did += f", {left} left"
                held.remove(left)
        elif kind == GROW:
            limit = min(limit + 1, frames)
        told.append(did)
    return told
