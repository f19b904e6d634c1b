"""An LRU memory of every size at once that holds contents, each once, whoever's page it is.

What it holds are *entities*: known contents, and each page of unknown content for itself.  A page has an
entity from its first touch until it is freed, as the model's section 2 fills and writes it: a write makes it
the row's content, or unknown where that is null; a read of another content tells of a write that nobody
recorded; a first read of null finds the zero page.
An access hits in the memories that hold the page's entity, a first touch in those that hold what the page has
then.  If the page's entity becomes another, the old one is forgotten where no page holds it any more, and
leaves a free frame; the new one is put into memory without a read, in a free frame if there is one.
So sharing costs nothing and is done at once: what any real scanner can reach at best.  With all contents
distinct this is LRU over pages.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tracereplay.analysis.stack_distance import FIRST_TOUCH, StackDistances
from tracereplay.core import _jit
from tracereplay.core.arrays import grown
from tracereplay.trace.hashing import page_keys, sampled
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.reader import Batch
from tracereplay.trace.schema import Op

ZERO = 0
"""The entity that is the zero page."""
_NOTHING, _OUTSIDE = -1, -2  # in place of an entity: none, or none that a row tells; one not in the sample
_WRITE, _FREE = int(Op.WRITE), int(Op.FREE)
_ACCESS, _PUT = 0, 1  # moves beside _FREE
_CONTENTS, _PAGES = 0, 1
"""Spaces of entities."""
_HELD_PAGES, _HELD_ENTITIES = 0, 1
_NOW, _MOST = 0, 1
_OF_ZERO, _OF_OTHERS = 0, 1
_MOVES_A_ROW = 3
_RECYCLE_FROM = 1 << 20


class State(NamedTuple):
    entity_of: np.ndarray  # int32[pages], or _NOTHING, _OUTSIDE
    holders: np.ndarray  # int32[entities]: pages
    held: np.ndarray  # int64[2, 2]: pages that have an entity and entities that a page has; now and at most


class Moves(NamedTuple):
    """What rows do to the stack of entities."""

    entity: np.ndarray  # int32
    op: np.ndarray  # uint8: _ACCESS; _PUT, brought to the top by no access; _FREE
    used: np.ndarray  # int64[1]: how many


def follow(s, pages, ops, becomes, moves):
    """Write the moves of rows; ``becomes`` (int32) is the entity that each says its page has after it."""
    for i in range(pages.shape[0]):
        page = np.int64(pages[i])
        before, after = np.int64(s.entity_of[page]), np.int64(becomes[i])
        if ops[i] == _FREE:
            after = np.int64(_NOTHING)
        else:
            if after == _NOTHING:
                after = np.int64(ZERO) if before == _NOTHING else before
            move(moves, after if before == _NOTHING else before, _ACCESS)
        if after != before:
            s.entity_of[page] = after
            let_go(s, before, moves)
            take(s, after)
            if before != _NOTHING:
                move(moves, after, _PUT)


def move(moves, entity, op):
    """Write a move of an entity, if it is one of the sample."""
    if entity >= 0:
        n = moves.used[0]
        moves.entity[n] = entity
        moves.op[n] = op
        moves.used[0] = n + 1


def let_go(s, entity, moves):
    """A page has this entity no longer; where none has, its frame is free."""
    if entity != _NOTHING:
        s.held[_HELD_PAGES, _NOW] -= 1
    if entity >= 0:
        s.holders[entity] -= 1
        if s.holders[entity] == 0:
            s.held[_HELD_ENTITIES, _NOW] -= 1
            move(moves, entity, _FREE)


def take(s, entity):
    """A page has this entity from now on."""
    if entity != _NOTHING:
        add_one(s.held[_HELD_PAGES])
    if entity >= 0:
        if s.holders[entity] == 0:
            add_one(s.held[_HELD_ENTITIES])
        s.holders[entity] += 1


def add_one(held):
    """One more is held now."""
    held[_NOW] += 1
    held[_MOST] = max(held[_NOW], held[_MOST])


@functools.cache
def _follow(jit: bool) -> _jit.Kernel:
    return _jit.specialise(follow, jit=jit)


class ContentMemory:
    """An LRU stack of what pages hold, empty at first; of a sample of it with a ``rate`` below 1.

    The sample has contents by their hash and pages of unknown content by theirs; each ``salt`` draws another.
    An access to one of them counts for 1 / ``rate`` accesses, its distance for that times as many frames
    (SHARDS-adj; see ``shards``).  The zero page, to which many accesses go, is in every sample and counts for
    itself.  Other common contents need no such care, as little as common pages: they hit in every memory.
    Memory grows with the distinct pages, 4 bytes each besides their ids, and with what they hold at a time.
    """

    def __init__(self, n_vms: int, rate: Fraction = Fraction(1), salt: int = 0, *, jit: bool = True) -> None:
        self.rate = rate
        self.accesses = 0
        self._salt, self._jit = salt, jit
        self._pages, self._entities = Ids(n_vms), Ids(2)
        self._entities.encode(np.zeros(1, np.uint64), _CONTENTS)  # ZERO
        self._recycle_at = _RECYCLE_FROM
        self._stack = StackDistances(jit=jit)
        self._state = State(np.empty(0, np.int32), np.empty(0, np.int32), np.zeros((2, 2), np.int64))
        self._counts = np.zeros((2, 1), np.int64)  # accesses to the zero page and to others, by distance + 1
        self._zero_was_held = False

    @property
    def pages(self) -> int:
        """Most pages that were in use at a time so far."""
        return int(self._state.held[_HELD_PAGES, _MOST])

    @property
    def held(self) -> int:
        """Most entities of the sample that pages had at a time so far: where the curve ends."""
        return int(self._state.held[_HELD_ENTITIES, _MOST])

    def frames(self, n: int) -> Fraction:
        """How many entities ``n`` of the sample stand for, one being the zero page if a page ever was."""
        zero = min(int(self._zero_was_held), n)
        return zero + (n - zero) / self.rate

    def misses(self, n: int) -> np.ndarray:
        """Misses, first touches included, of memories of 1, 2, … ``n`` frames of the sample, float64[n]."""
        weights = self._counts[_OF_ZERO] + self._counts[_OF_OTHERS] / float(self.rate)
        hits = np.zeros(n)
        known = weights[1 : n + 1]
        hits[: len(known)] = known
        return weights.sum() - hits.cumsum()

    def touch(self, batch: Batch) -> None:
        """The next rows."""
        pages = self._pages.encode(batch.page, batch.vm)
        becomes = self._told(batch, pages)
        self._reserve()
        room = _MOVES_A_ROW * len(pages)
        moves = Moves(np.empty(room, np.int32), np.empty(room, np.uint8), np.zeros(1, np.int64))
        _follow(self._jit)(self._state, pages, read_only(batch.op), becomes, moves)
        entity, op = (column[: moves.used[0]] for column in moves[:2])
        self._zero_was_held |= bool((entity == ZERO).any())
        distances = self._stack.touch(entity, len(self._entities), op)
        self._count(distances[op == _ACCESS], entity[op == _ACCESS])
        self.accesses += int(np.count_nonzero(batch.op != _FREE))
        if self._entities.in_use > self._recycle_at:
            self._recycle()

    def _told(self, batch: Batch, pages: np.ndarray) -> np.ndarray:
        """The entity that each row says its page has after it (int32); _NOTHING where it does not say."""
        known, unknown = batch.known & (batch.op != _FREE), ~batch.known & (batch.op == _WRITE)
        inside = known & (self._sampled(batch.content) | (batch.content == 0))
        entities = self._entities.encode(batch.content, _CONTENTS, inside)
        entities[known & ~inside] = _OUTSIDE
        if unknown.any():
            inside = unknown & self._sampled(page_keys(batch.page, batch.vm))
            alone = self._entities.encode(pages.astype(np.uint64), _PAGES, inside)
            entities[unknown] = np.where(inside, alone, _OUTSIDE)[unknown]
        return entities

    def _sampled(self, keys: np.ndarray) -> np.ndarray | bool:
        return True if self.rate == 1 else sampled(keys, self.rate, self._salt)

    def _reserve(self) -> None:
        """Room for all pages and entities that have an id."""
        self._state = self._state._replace(
            entity_of=grown(self._state.entity_of, len(self._pages), _NOTHING),
            holders=grown(self._state.holders, len(self._entities), 0),
        )

    def _count(self, distances: np.ndarray, entities: np.ndarray) -> None:
        """Count accesses by their distances."""
        places, counted = distances - FIRST_TOUCH, self._counts.shape[1]
        longest = max(int(places.max(initial=0)) + 1, counted)
        whose = (entities == ZERO, entities != ZERO)
        found = np.array([np.bincount(places[rows], minlength=longest) for rows in whose])
        found[:, :counted] += self._counts
        self._counts = found

    def _recycle(self) -> None:
        """Give out the ids again of what no page holds."""
        keep = self._state.holders[: len(self._entities)] > 0
        keep[ZERO] = True
        self._entities.recycle(keep)
        self._recycle_at = max(_RECYCLE_FROM, 2 * self._entities.in_use)
