"""Dense ids: raw 64-bit keys (page numbers, content hashes) become 0, 1, 2, … in order of first sight.

Keys below a bound are looked up directly, as a page table would; the rest in a hash table with
linear probing.  Measured on 20 million Zipf-distributed pages of a million: 1.4 ns a row directly,
9.5 ns through the hash table.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from tracereplay.core import _jit

_N_IDS, _N_RECYCLED, _N_HASHED = 0, 1, 2
_MAX_LOAD = 0.7
_FIRST_CAPACITY = 1 << 10
_DIRECT_ENTRIES = 1 << 24  # at most 64 MiB, and only the part that is touched is ever backed
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xD1B54A32D192ED03)
_S32 = np.uint64(32)


class Tables(NamedTuple):
    """What the kernels work on; ids are stored plus one, so that zeroed memory means empty."""

    direct: np.ndarray  # int32[spaces * span]
    span: int  # keys below it are looked up directly
    keys: np.ndarray  # uint64[capacity]
    spaces: np.ndarray  # uint16[capacity]
    ids: np.ndarray  # int32[capacity]
    recycled: np.ndarray  # int32: stack of ids to give out again
    counts: np.ndarray  # int64[spaces]: ids given out
    state: np.ndarray  # int64[3]: next new id, height of the stack, keys in the hash table


def encode(tables, keys, spaces, mask, start, out):
    """Write the ids of rows ``start …`` to ``out``, −1 where ``mask`` is False (an empty mask is all True).

    Returns the row at which the hash table was too full to go on, or the number of rows.
    """
    limit = np.int64(tables.keys.shape[0] * _MAX_LOAD)
    masked = mask.shape[0] > 0
    for row in range(start, keys.shape[0]):
        if masked and not mask[row]:
            out[row] = -1
            continue
        key = keys[row]
        space = np.int64(spaces[row])
        if key < np.uint64(tables.span):
            index = space * tables.span + np.int64(key)
            if tables.direct[index] == 0:
                tables.direct[index] = new_id(tables, space) + 1
            out[row] = tables.direct[index] - 1
            continue
        slot = find(tables, key, space)
        if tables.ids[slot] == 0:
            if tables.state[_N_HASHED] >= limit:
                return row
            tables.keys[slot] = key
            tables.spaces[slot] = space
            tables.ids[slot] = new_id(tables, space) + 1
            tables.state[_N_HASHED] += 1
        out[row] = tables.ids[slot] - 1
    return keys.shape[0]


def find(tables, key, space):
    """The slot that holds (key, space), or the empty one where it belongs."""
    capacity = tables.keys.shape[0]
    mixed = (key ^ (np.uint64(space) * _SPREAD)) * _GOLDEN
    slot = np.int64(((mixed >> _S32) * np.uint64(capacity)) >> _S32)
    while tables.ids[slot] != 0 and (tables.keys[slot] != key or tables.spaces[slot] != space):
        slot += 1
        if slot == capacity:
            slot = 0
    return slot


def new_id(tables, space):
    """An id that nobody has."""
    tables.counts[space] += 1
    if tables.state[_N_RECYCLED] > 0:
        tables.state[_N_RECYCLED] -= 1
        return np.int64(tables.recycled[tables.state[_N_RECYCLED]])
    tables.state[_N_IDS] += 1
    return tables.state[_N_IDS] - 1


def rehash(old, new, keep):
    """Move the hashed keys to the empty table of ``new``; with a non-empty ``keep`` only ids set there."""
    for slot in range(old.keys.shape[0]):
        number = np.int64(old.ids[slot])
        if number != 0 and (keep.shape[0] == 0 or keep[number - 1]):
            space = np.int64(old.spaces[slot])
            target = find(new, old.keys[slot], space)
            new.keys[target] = old.keys[slot]
            new.spaces[target] = space
            new.ids[target] = number
            new.state[_N_HASHED] += 1


@functools.cache
def _kernel(name: str) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"encode": encode, "rehash": rehash}
    return _jit.specialise(kernels[name])


class Ids:
    """A growing set of (space, key) pairs and their dense ids; spaces keep equal keys apart.

    ``expected`` sizes the hash table beforehand; the set grows past it all the same.
    """

    def __init__(
        self, n_spaces: int = 1, expected: int = 0, *, direct_entries: int = _DIRECT_ENTRIES
    ) -> None:
        span = direct_entries // (1 << (n_spaces - 1).bit_length())
        self._tables = Tables(
            direct=np.zeros(n_spaces * span, np.int32),
            span=span,
            **_empty_hash(max(_FIRST_CAPACITY, int(expected / _MAX_LOAD) + 1)),
            recycled=np.zeros(0, np.int32),
            counts=np.zeros(n_spaces, np.int64),
            state=np.zeros(3, np.int64),
        )

    def __len__(self) -> int:
        """One more than the largest id given out so far."""
        return int(self._tables.state[_N_IDS])

    @property
    def in_use(self) -> int:
        """How many ids stand for a key now."""
        return len(self) - int(self._tables.state[_N_RECYCLED])

    @property
    def counts(self) -> np.ndarray:
        """Ids given out per space, int64[n_spaces]."""
        return self._tables.counts

    def encode(
        self, keys: np.ndarray, spaces: np.ndarray | int = 0, mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Ids (int32[n]) of uint64 keys in their spaces; −1 where ``mask`` is False."""
        if isinstance(spaces, int):
            spaces = np.full(len(keys), spaces, np.uint16)
        out = np.empty(len(keys), np.int32)
        arrays = _read_only(keys, spaces, np.zeros(0, np.bool_) if mask is None else mask)
        row = 0
        while (row := _kernel("encode")(self._tables, *arrays, row, out)) < len(keys):
            self._rehash(int(len(self._tables.keys) * 1.5), np.zeros(0, np.bool_))
        return out

    def recycle(self, keep: np.ndarray) -> None:
        """Forget the ids that are False in ``keep`` (bool[len(self)]) and give them out again later."""
        tables = self._tables
        direct = tables.direct
        entries = np.flatnonzero(direct)
        direct[entries[~keep[direct[entries] - 1]]] = 0
        recycled = np.flatnonzero(~keep)[::-1].astype(np.int32)
        tables.state[_N_RECYCLED] = len(recycled)
        self._tables = tables._replace(recycled=recycled)
        self._rehash(len(tables.keys), keep)

    def _rehash(self, capacity: int, keep: np.ndarray) -> None:
        new = self._tables._replace(**_empty_hash(capacity))
        new.state[_N_HASHED] = 0
        _kernel("rehash")(self._tables, new, keep)
        self._tables = new


def _empty_hash(capacity: int) -> dict[str, Any]:
    return {
        "keys": np.zeros(capacity, np.uint64),
        "spaces": np.zeros(capacity, np.uint16),
        "ids": np.zeros(capacity, np.int32),
    }


def _read_only(*arrays: np.ndarray) -> list[np.ndarray]:
    """Views that all look alike to the compiler, whether they come from Arrow or not."""
    views = [np.ascontiguousarray(a).view() for a in arrays]
    for view in views:
        view.flags.writeable = False
    return views
