"""Replacement policies, one file each; the same file serves guest, host and single-level studies.

A policy is a module with a docstring whose first line says its rule, and

- ``State``: a NamedTuple of arrays;
- ``init(pool_sizes, streams, *, …)``: the state of empty pools.  A *pool* is one replacement domain
  (a VM at the guest level, pool 0 at the host); the slots of all pools share one index space, pool by
  pool.  ``streams`` holds one random stream a pool.  Keyword-only arguments with defaults are the
  policy's parameters (``name:key=value`` in a scenario);
- ``insert(state, pool, slot)``, ``hit(state, pool, slot)``, ``remove(state, pool, slot)`` and
  ``victim(state, pool)``, which takes its choice out and returns it.  It is never asked of an empty pool;
- if hits read memory, ``prefetch(state, pool, slot)``: start loading what a hit will need.

Adding one is adding a file here and a hand-worked table to the tests; everything else finds it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracereplay.problems import one_of, shown, wrong

HOOKS = ("insert", "hit", "remove", "victim")
"""What every policy offers; ``prefetch`` beside them may be missing."""


@functools.cache
def names() -> tuple[str, ...]:
    """Names of all policies, sorted."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get(name: str) -> ModuleType:
    """The module of policy ``name``; ValueError with a suggestion when there is none."""
    one_of(name, names())
    return importlib.import_module(f"{__name__}.{name}")


def hooks(name: str) -> dict[str, Callable]:
    """The functions of policy ``name`` that the engine calls, by what they do."""
    module = get(name)
    return {hook: getattr(module, hook) for hook in HOOKS} | {
        "prefetch": getattr(module, "prefetch", _nothing)
    }


def _nothing(state, pool, slot):
    """Prefetch of a policy whose hits read nothing."""


def parameters(name: str) -> dict[str, Any]:
    """Parameters of policy ``name`` with their defaults."""
    signature = inspect.signature(get(name).init)
    return {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}


def describe(name: str) -> str:
    """First line of the policy's docstring: its rule."""
    return (get(name).__doc__ or "").strip().splitlines()[0]


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """Split ``"name:key=value,key=value"`` into a known name and its parameters, typed as the defaults.

    Raises ValueError that names what was found and what could stand there.
    """
    name, _, rest = text.partition(":")
    known = parameters(name)
    given: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise wrong(item, f"parameter=value; the parameters of {name}: {', '.join(known) or 'none'}")
        if key not in known:
            one_of(key, known) if known else _refuse_parameter(name, key)
        try:
            given[key] = type(known[key])(value)
        except ValueError:
            raise wrong(
                value, f"a {type(known[key]).__name__} for parameter {key} of policy {name}"
            ) from None
    return name, given


def _refuse_parameter(name: str, key: str) -> None:
    raise ValueError(f"found parameter {shown(key)}; expected none: policy {name} has no parameters")
