"""Replacement policies, one file each; the same file serves guest, host and single-level studies.

A policy is a module with a docstring whose first line says its rule, and

- ``State``: a NamedTuple of arrays;
- ``init(pool_sizes, streams, *, …)``: the state of empty pools.  A *pool* is one replacement domain
  (a VM at the guest level, pool 0 at the host); the slots of all pools share one index space, pool by
  pool.  ``streams`` holds one random stream a pool.  Keyword-only arguments with defaults are the
  policy's parameters (``name:key=value`` in a scenario);
- ``insert(state, pool, slot)``, ``hit(state, pool, slot)``, ``remove(state, pool, slot)`` and
  ``victim(state, pool)``, which takes its choice out and returns it.  It is never asked of an empty pool;
- if hits read memory, ``prefetch(state, pool, slot)``: start loading what a hit will need;
- if its choices can be told beforehand at little cost, ``likely_victim(state, pool, ahead)``: the slot that
  ``victim`` will probably return after ``ahead`` other calls, so that what it needs is loaded by then; it
  changes nothing;
- if it remembers pages that have left, ``expect(state, pool, page)``: ``page`` is about to come in, so the
  next victim, if one must leave, makes room for it, and the next insert brings it.  A page is its dense id
  at the guest level and the PPN at the host, of a shared frame the one it was taken for; unique over all
  pools.  One that was freed while it was out is still remembered.

A policy with ``"future"`` in its ``NEEDS`` has ``foresee(state, next_uses)``, too: a state that knows when
the page of each of the coming hits and inserts is used next.

A pool holds as many slots when a victim is asked for as its memory has room for then: where a policy's rule
speaks of the size of the memory, that number is meant, so that a balloon may change it at any time.  A rule
that needs it before the first victim takes all slots for memory until then.  A victim without an expected
page is what a balloon takes.

Adding one is adding a file here and a hand-worked table to the tests; everything else finds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracereplay.catalog import Catalog

HOOKS = ("insert", "hit", "remove", "victim")
"""What every policy offers."""
OPTIONAL_HOOKS = ("prefetch", "expect", "likely_victim")
EXACT_WHEN_REDUCED = ("lru", "opt")
"""Policies whose misses a reduced trace does not change."""

_CATALOG = Catalog(__name__, "policy", "init")

names = _CATALOG.names
get = _CATALOG.get
describe = _CATALOG.describe
defaults = _CATALOG.defaults
parse = _CATALOG.parse


def hooks(name: str) -> dict[str, Callable[..., Any]]:
    """The functions of policy ``name`` that the engine calls, by what they do."""
    module = get(name)
    return {hook: getattr(module, hook) for hook in HOOKS} | {
        hook: getattr(module, hook, _nothing) for hook in OPTIONAL_HOOKS
    }


def needs_future(policy: str) -> bool:
    """Whether a policy (a name, parameters allowed) has to know when each page is used next."""
    return "future" in getattr(get(parse(policy)[0]), "NEEDS", ())


def _nothing(state, pool, which):
    """In place of a hook that a policy does not need."""
    return -1
