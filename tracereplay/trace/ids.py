"""Dense ids: raw 64-bit keys (page numbers, content hashes) become 0, 1, 2, … in order of first sight.

Keys below a bound are looked up directly, as a page table would; the rest in a hash table with
linear probing.  Measured on 20 million Zipf-distributed pages of a million: 1.4 ns a row directly,
9.5 ns through the hash table.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.core.hooks import load

_N_IDS, _N_RECYCLED, _N_HASHED = 0, 1, 2
_MAX_LOAD = 0.7
_AHEAD = 32  # rows between the prefetch of an entry and its use
_FIRST_CAPACITY = 1 << 10
_DIRECT_ENTRIES = 1 << 24  # at most 64 MiB, and only the part that is touched is ever backed
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xD1B54A32D192ED03)
_S32 = np.uint64(32)
_ID_BITS = np.uint64(0xFFFFFFFF)


class Tables(NamedTuple):
    """What the kernels work on; ids are stored plus one, so that zeroed memory means empty."""

    direct: np.ndarray  # int32[spaces * span]
    span: int  # keys below it are looked up directly
    slots: np.ndarray  # uint64[capacity, 2]: key, and space << 32 | id; one cache line for both
    recycled: np.ndarray  # int32: stack of ids to give out again
    counts: np.ndarray  # int64[spaces]: ids given out
    state: np.ndarray  # int64[3]: next new id, height of the stack, keys in the hash table


def known_rows(mask, rows, out):
    """Write the rows where ``mask`` is True to ``rows``, −1 to ``out`` elsewhere; return how many there are.

    Without a branch: which contents are known is nothing that a processor could foresee.
    """
    n = 0
    for row in range(mask.shape[0]):
        rows[n] = row
        out[row] = -1
        n += mask[row]
    return n


def encode(tables, keys, spaces, rows, count, start, out):
    """Write the ids of the rows ``rows[start … count − 1]`` to ``out``; an empty ``rows`` means every row.

    Returns where the hash table was too full to go on, or ``count``.
    """
    limit = np.int64(tables.slots.shape[0] * _MAX_LOAD)
    span = np.uint64(tables.span)
    chosen = rows.shape[0] > 0
    for i in range(start, count):
        later = min(i + _AHEAD, count - 1)
        if chosen:
            later = np.int64(rows[later])
        prefetch_entry(tables, keys[later], np.uint64(spaces[later]), span)
        row = np.int64(rows[i]) if chosen else i
        key = keys[row]
        space = np.uint64(spaces[row])
        if key < span:
            index = np.int64(space * span + key)
            number = np.int64(tables.direct[index])
            if number == 0:
                number = new_id(tables, np.int64(space)) + 1
                tables.direct[index] = number
        else:
            slot = find(tables.slots, key, space)
            number = np.int64(tables.slots[slot, 1] & _ID_BITS)
            if number == 0:
                if tables.state[_N_HASHED] >= limit:
                    return i
                number = new_id(tables, np.int64(space)) + 1
                tables.slots[slot, 0] = key
                tables.slots[slot, 1] = (space << _S32) | np.uint64(number)
                tables.state[_N_HASHED] += 1
        out[row] = number - 1
    return count


def prefetch_entry(tables, key, space, span):
    """Start loading what a look-up of (key, space) will need: most of its time is spent waiting for it."""
    if key < span:
        load(tables.direct, np.int64(space * span + key))
    else:
        load(tables.slots, home(tables.slots, key, space))


def home(slots, key, space):
    """The slot where the search for (key, space) begins."""
    mixed = (key ^ (space * _SPREAD)) * _GOLDEN
    return np.int64(((mixed >> _S32) * np.uint64(slots.shape[0])) >> _S32)


def find(slots, key, space):
    """The slot that holds (key, space), or the empty one where it belongs."""
    capacity = slots.shape[0]
    slot = home(slots, key, space)
    while slots[slot, 1] != 0 and (slots[slot, 0] != key or (slots[slot, 1] >> _S32) != space):
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
    """Copy the slots of ``old`` to the empty ``new``, with a non-empty ``keep`` only ids set there.

    Returns how many were copied.
    """
    n = 0
    for slot in range(old.shape[0]):
        number = np.int64(old[slot, 1] & _ID_BITS)
        if number != 0 and (keep.shape[0] == 0 or keep[number - 1]):
            target = find(new, old[slot, 0], old[slot, 1] >> _S32)
            new[target, 0] = old[slot, 0]
            new[target, 1] = old[slot, 1]
            n += 1
    return n


@functools.cache
def _kernel(name: str) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"encode": encode, "known_rows": known_rows, "rehash": rehash}
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
            slots=np.zeros((max(_FIRST_CAPACITY, int(expected / _MAX_LOAD) + 1), 2), np.uint64),
            recycled=np.zeros(0, np.int32),
            counts=np.zeros(n_spaces, np.int64),
            state=np.zeros(3, np.int64),
        )
        self._rows = np.empty(0, np.int32)  # room for the rows that a mask lets through

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
        count = len(keys)
        if isinstance(spaces, int):
            spaces = np.full(count, spaces, np.uint16)
        out = np.empty(count, np.int32)
        rows = self._rows[:0]
        if mask is not None:
            if len(self._rows) < count:
                self._rows = np.empty(count, np.int32)
            rows = self._rows
            count = _kernel("known_rows")(read_only(mask), rows, out)
        row, arrays = 0, (read_only(keys), read_only(spaces))
        while (row := _kernel("encode")(self._tables, *arrays, rows, count, row, out)) < count:
            self._rehash(len(self._tables.slots) * 3 // 2, np.zeros(0, np.bool_))
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
        self._rehash(len(tables.slots), keep)

    def _rehash(self, capacity: int, keep: np.ndarray) -> None:
        slots = np.zeros((capacity, 2), np.uint64)
        self._tables.state[_N_HASHED] = _kernel("rehash")(self._tables.slots, slots, keep)
        self._tables = self._tables._replace(slots=slots)


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that looks the same to the compiler whether the array comes from Arrow or not."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
