"""An LRU stack as positions in time: order statistics in O(log n), without moving anything.

Every touch takes the next position and gives up the page's old one, so the page at depth d of the stack is
the one whose position has d kept positions after it.  Once all positions are taken, those still kept are
numbered anew.  Kept positions are bits; a Fenwick tree counts them by words of 64.
Source: Bennett and Kruskal, "LRU stack processing", IBM Journal of Research and Development 1975.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tracereplay.core.fenwick import add, add_up, find, sum_before

_POSITIONS_PER_PAGE = 4
_FEWEST_POSITIONS = 1 << 12
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_PAIRS = np.uint64(0x5555555555555555)
_QUADS = np.uint64(0x3333333333333333)
_BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


class Positions(NamedTuple):
    """Which positions are kept; those not taken yet count as kept."""

    kept: np.ndarray  # uint64[words]
    tree: np.ndarray  # int32[words + 1]


def room_for(n_pages: int) -> Positions:
    """Positions for so many pages: enough that renumbering stays rare."""
    return positions(max(_POSITIONS_PER_PAGE * n_pages, _FEWEST_POSITIONS))


def positions(capacity: int) -> Positions:
    """At least ``capacity`` positions, all kept, to be filled with ``keep_all``."""
    words = -(-capacity // 64)
    return Positions(np.empty(words, np.uint64), np.empty(words + 1, np.int32))


def keep_all(p):
    """Keep every position."""
    for word in range(p.kept.shape[0]):
        p.kept[word] = _ALL
    for node in range(p.tree.shape[0]):
        p.tree[node] = 64 * (node & -node)


def give_up(p, position):
    """Keep a position no longer."""
    word = position >> 6
    p.kept[word] &= ~(_ONE << np.uint64(position & 63))
    add(p.tree, word, -1)


def is_kept(p, position):
    """Whether a position is kept."""
    return (p.kept[position >> 6] >> np.uint64(position & 63)) & _ONE != 0


def kept_before(p, position):
    """How many positions before this one are kept."""
    return sum_before(p.tree, position >> 6) + kept_in_word(p, position)


def count_kept(p):
    """Make ready for ``count_before``; nothing else can be asked then until ``keep_all``."""
    add_up(p.tree)


def count_before(p, position):
    """As ``kept_before``, in constant time, for a look at all of them."""
    return np.int64(p.tree[position >> 6]) + kept_in_word(p, position)


def kept_in_word(p, position):
    """How many positions before this one in its word are kept."""
    below = (_ONE << np.uint64(position & 63)) - _ONE
    return ones(p.kept[position >> 6] & below)


def kept_at(p, rank):
    """The kept position with ``rank`` kept ones before it."""
    word, rank = find(p.tree, rank)
    rest = p.kept[word]
    bit = 0
    width = 32
    while width > 0:
        n = ones(rest & ((_ONE << np.uint64(width)) - _ONE))
        if n <= rank:
            rank -= n
            rest >>= np.uint64(width)
            bit += width
        width >>= 1
    return 64 * word + bit


def ones(x):
    """Number of set bits."""
    x -= (x >> _S1) & _PAIRS
    x = (x & _QUADS) + ((x >> _S2) & _QUADS)
    return np.int64((((x + (x >> _S4)) & _BYTES) * _SUM) >> _S56)
