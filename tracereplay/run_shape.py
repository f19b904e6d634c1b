"""What the JSON files of a run directory hold, as far as anything reads it, and what is wrong with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.problems import problem, shown

ANY = "*"
"""As a key of a shape: whatever the key."""

_COUNT, _SIZE, _WORD = range(2**63), range(1, 2**63), range(2**64)
_COUNTED = dict.fromkeys((*COUNTER_NAMES, *GAUGE_NAMES), _COUNT)
_COSTS = ("access", "guest_minor", "zero_fill", "cow_break", "swap_read", "swap_write")

SUMMARY_SHAPE: Mapping[str, Any] = {
    "totals": _COUNTED,
    "estimated_ns": _COUNT,
    "vms": [
        {"vm": str, "memory_pages": _COUNT, "footprint_pages": _COUNT, **_COUNTED, "estimated_ns": _COUNT}
    ],
    "warnings": [str],
    "laws_checked": [str],
    "scenario": {
        "seed": _WORD,
        "page_size": _SIZE,
        "time_unit": str,
        "tick": _WORD,
        "timeline_every": _SIZE,
        "first_time": _WORD,
        "last_time": _WORD,
        "host": {"frames": _SIZE, "policy": str},
        "balloon": {"controller": str},
        "sharing": {"mode": str},
        "costs": {"preset": str, **dict.fromkeys(_COSTS, _COUNT)},
        "vms": [
            {
                "name": str,
                "trace": str,
                "trace_vm": _COUNT,
                "pages": _COUNT,
                "balloon_cap": _COUNT,
                "policy": str,
                "start": _WORD,
            }
        ],
    },
}
PROVENANCE_SHAPE: Mapping[str, Any] = {
    "versions": {ANY: str},
    "scenario": {},
    "seed": _WORD,
    "inputs": {ANY: {"path": str | None, "rows": _COUNT, "xxh3_128": {ANY: str}}},
    "command": [str],
    "started": str,
    "wall_seconds": int | float,
}

_WORDS: Mapping[Any, str] = {
    str: "a text",
    str | None: "a text or null",
    int | float: "a number",
}


def misfit(value: Any, shape: Any, where: str = "") -> str | None:
    """The first place where ``value`` is not of ``shape``, with what was found and expected; None: nowhere.

    A shape is a type, a range of integers, a list of one shape, for any number of such values, or shapes by
    key; other keys do not count.
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            return _told(where, value, "an object")
        inside = dict.fromkeys(value, shape[ANY]) if ANY in shape else shape
        parts = ((f"{where}.{key}" if where else key, value.get(key), of) for key, of in inside.items())
    elif isinstance(shape, list):
        if not isinstance(value, list):
            return _told(where, value, "a list")
        parts = ((f"{where}[{i}]", item, shape[0]) for i, item in enumerate(value))
    elif isinstance(shape, range):
        fits = type(value) is int and value in shape
        return None if fits else _told(where, value, f"an integer from {shape[0]} to {shape[-1]}")
    else:
        fits = isinstance(value, shape) and not isinstance(value, bool)
        return None if fits else _told(where, value, _WORDS[shape])
    return next((found for name, part, of in parts if (found := misfit(part, of, name))), None)


def _told(where: str, value: Any, expected: str) -> str:
    return f"{where}: {problem(shown(value), expected)}"
