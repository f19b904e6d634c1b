"""Hand-worked tables of a policy: an operation a line, and how its slots or pages stand after it.

``work`` has slots for letters, A = 0.  ``+A`` inserts, ``A`` hits, ``-A`` removes, ``!A`` asks for a victim
and must get A.  The policy's own test says what order it draws; a lower-case letter marks the next victim.

``work_pages`` has pages for letters, for policies that remember what has left.  ``A`` accesses a page;
``A!B`` accesses A, for which B must leave; ``-A`` frees A; ``!B`` takes a frame from the memory, and B must
leave; ``+`` gives one back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from naive import BASE, Ours

from tracereplay.core.rng import stream_state
from tracereplay.policies._lists import Lists, anchor_of
from tracereplay.policies._newcomers import MAIN, NEW
from tracereplay.policies._queue import PREV


@np.errstate(over="ignore")
def work(policy: ModuleType, slots: int, table: str, draw: Callable[[Any, int], str], seed: int = 7) -> None:
    """Work through ``table`` in the second of two pools; what it draws must be what happens."""
    streams = np.array([0, stream_state(seed, 1)], np.uint64)
    base, pool = BASE, 1
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


@np.errstate(over="ignore")
def work_pages(
    policy: ModuleType, frames: int, table: str, draw: Callable[[Any, int], str], **params: Any
) -> None:
    """Work through ``table`` in a memory of ``frames``; what leaves and what it draws must be what happens.

    ``draw`` is given the policy's state, whose pages are numbered from BASE on, and the pool.
    """
    memory, limit = Ours(policy, frames, **params), frames
    expected = [line.split() for line in table.strip().splitlines()]
    told = []
    for operation, *_ in expected:
        page = ord(operation.removeprefix("-")[0]) - ord("A")
        if operation == "+":
            limit += 1
        elif operation[0] == "!":
            operation = "!" + letter(memory.shrink())
            limit -= 1
        elif operation[0] == "-":
            memory.remove(page)
        elif page in memory.slot_of:
            memory.hit(page)
            operation = operation[0]
        else:
            left = memory.bring_in(page, full=len(memory.slot_of) == limit)
            operation = operation[0] + ("" if left is None else "!" + letter(left))
        told.append([operation, *draw(memory.state, 1).split()])
    assert told == expected


def letter(slot: int) -> str:
    """The letter of a slot or page."""
    return chr(ord("A") + int(slot))


def drawn(policy: ModuleType, state: Any, pool: int, order: list[int], marks: Any = ()) -> str:
    """Slots in ``order`` as letters, the next victim's in lower case, a star at those in ``marks``."""
    if not order:
        return ""
    victim = policy.victim(copy.deepcopy(state), pool)
    with_marks = [letter(slot - BASE) + "*" * (slot in marks) for slot in order]
    return " ".join(
        word.lower() if slot == victim else word for slot, word in zip(order, with_marks, strict=True)
    )


def newcomers(queues: Any, pool: int, hits: Any = None) -> str:
    """Pages of NEW | of MAIN | the ghosts, each from back to front, those in memory with their ``hits``."""
    words = []
    for which in (NEW, MAIN):
        slots = on_list(queues.lists, pool, which)
        words.append([letter(queues.ghosts.page_in[s] - BASE) + counted(hits, s) for s in slots])
    entries = on_list(queues.ghosts.lists, pool, 0)
    words.append([letter(queues.ghosts.page_of[entry] - BASE) for entry in entries])
    return " | ".join(" ".join(part) for part in words)


def counted(hits: Any, slot: int) -> str:
    """A slot's number of hits, if it was hit."""
    return "" if hits is None or hits[slot] == 0 else str(hits[slot])


def queue(state: Any, pool: int) -> list[int]:
    """A pool's only queue from its back to its front."""
    return listed(state.links, state.anchor + pool)


def on_list(lists: Lists, pool: int, which: int) -> list[int]:
    """One of a pool's lists from its back to its front."""
    return listed(lists.links, anchor_of(lists, pool, which))


def listed(links: np.ndarray, anchor: int) -> list[int]:
    """A linked queue from its back to its front."""
    order, slot = [], links[anchor, PREV]
    while slot != anchor:
        order.append(int(slot))
        slot = links[slot, PREV]
    return order
