"""Hand-worked tables of a policy: an operation a line, and how its slots stand after it.

Slots are letters, A = 0.  ``+A`` inserts, ``A`` hits, ``-A`` removes, ``!A`` asks for a victim and must get
A.  The policy's own test says what order it draws; a lower-case letter marks the next victim.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tracereplay.core.rng import stream_state
from tracereplay.policies._queue import NEXT


@np.errstate(over="ignore")
def work(policy: ModuleType, slots: int, table: str, draw: Callable[[Any, int], str], seed: int = 7) -> None:
    """Work through ``table`` in the second of two pools; what it draws must be what happens."""
    streams = np.array([0, stream_state(seed, 1)], np.uint64)
    base, pool = 2, 1  # the first pool, of two slots, is there to be in the way
    state = policy.init([base, slots], streams)
    policy.insert(state, 0, 0)
    expected = [line.split() for line in table.strip().splitlines()]
    told = []
    for operation, *_ in expected:
        kind, slot = operation[:-1], base + ord(operation[-1]) - ord("A")
        if kind == "!":
            operation = "!" + letter(policy.victim(state, pool) - base)
        else:
            {"+": policy.insert, "": policy.hit, "-": policy.remove}[kind](state, pool, slot)
        told.append([operation, *draw(state, pool).split()])
    assert told == expected


def letter(slot: int) -> str:
    """The letter of a slot."""
    return chr(ord("A") + int(slot))


def drawn(policy: ModuleType, state: Any, pool: int, order: list[int], marks: Any = ()) -> str:
    """Slots in ``order`` as letters, the next victim's in lower case, a star at those in ``marks``."""
    if not order:
        return ""
    victim = policy.victim(copy.deepcopy(state), pool)
    with_marks = [letter(slot - 2) + "*" * (slot in marks) for slot in order]
    return " ".join(
        word.lower() if slot == victim else word for slot, word in zip(order, with_marks, strict=True)
    )


def queue(state: Any, pool: int) -> list[int]:
    """A linked queue from its back to its front."""
    anchor = state.anchor + pool
    order, slot = [], state.links[anchor, NEXT]
    while slot != anchor:
        order.append(int(slot))
        slot = state.links[slot, NEXT]
    return order[::-1]
