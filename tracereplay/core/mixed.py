"""Guests with different policies in one run: each VM's calls go to the policy that it was given.

``join`` makes one set of policy functions out of two; more than two nest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np


class State(NamedTuple):
    second_used: np.ndarray  # uint8[pools]: which of the two a pool uses
    first: Any
    second: Any


def insert(state, pool, slot):
    if state.second_used[pool]:
        second_insert(state.second, pool, slot)
    else:
        first_insert(state.first, pool, slot)


def hit(state, pool, slot):
    if state.second_used[pool]:
        second_hit(state.second, pool, slot)
    else:
        first_hit(state.first, pool, slot)


def remove(state, pool, slot):
    if state.second_used[pool]:
        second_remove(state.second, pool, slot)
    else:
        first_remove(state.first, pool, slot)


def victim(state, pool):
    if state.second_used[pool]:
        return second_victim(state.second, pool)
    return first_victim(state.first, pool)


def prefetch(state, pool, slot):
    if state.second_used[pool]:
        second_prefetch(state.second, pool, slot)
    else:
        first_prefetch(state.first, pool, slot)


def expect(state, pool, page):
    if state.second_used[pool]:
        second_expect(state.second, pool, page)
    else:
        first_expect(state.first, pool, page)


def _unbound(state, pool, slot=0):
    raise NotImplementedError


first_insert = first_hit = first_remove = first_victim = first_prefetch = first_expect = _unbound
second_insert = second_hit = second_remove = second_victim = second_prefetch = second_expect = _unbound


def join(first: Mapping[str, Callable], second: Mapping[str, Callable]) -> dict[str, Callable]:
    """The policy functions that choose between those of ``first`` and ``second``."""
    bound = {f"first_{name}": function for name, function in first.items()}
    bound |= {f"second_{name}": function for name, function in second.items()}
    joined: dict[str, Callable] = {}
    for function in (insert, hit, remove, victim, prefetch, expect):
        clone = FunctionType(function.__code__, {**globals(), **bound}, function.__name__)
        clone.__module__ = __name__
        joined[function.__name__] = clone
    return joined
