"""Dense ids against a dict."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.trace.ids import Ids

EDGES = [0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 65, 2**24 - 1, 2**24, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
KEYS = st.one_of(st.sampled_from(EDGES), st.integers(0, 40), st.integers(0, 2**64 - 1))


class Naive:
    """A dict from (space, key) to id, and what must hold of a new id."""

    def __init__(self, n_spaces: int) -> None:
        self.ids: dict[tuple[int, int], int] = {}
        self.counts = [0] * n_spaces
        self.highest = 0

    def check(self, space: int, key: int, found: int) -> None:
        """The id of a key: its own, or one that nobody has; new numbers only when none is left over."""
        if (space, key) in self.ids:
            assert found == self.ids[space, key]
            return
        used = set(self.ids.values())
        assert found not in used
        assert found < self.highest if len(used) < self.highest else found == self.highest
        self.ids[space, key] = found
        self.counts[space] += 1
        self.highest = max(self.highest, found + 1)

    def recycle(self, keep: np.ndarray) -> None:
        self.ids = {name: number for name, number in self.ids.items() if keep[number]}


@st.composite
def encodings(draw):
    """Batches of (space, key, wanted), and after each maybe which ids to keep."""
    n_spaces = draw(st.integers(1, 4))
    row = st.tuples(st.integers(0, n_spaces - 1), KEYS, st.sampled_from([True, True, True, False]))
    batch = st.tuples(st.lists(row, max_size=30), st.one_of(st.none(), st.integers(0, 2**64 - 1)))
    return n_spaces, draw(st.lists(batch, max_size=6)), draw(st.sampled_from([0, 1, 16, 256, 1 << 17]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(encodings())
def test_ids_are_those_of_a_dict(case):
    """Any keys, spaces and masks, direct and hashed: equal (space, key), equal id; masked rows get -1."""
    n_spaces, batches, direct_entries = case
    ids, naive = Ids(n_spaces, direct_entries=direct_entries), Naive(n_spaces)
    for rows, recycled in batches:
        spaces = np.array([space for space, _, _ in rows], np.uint16)
        keys = np.array([key for _, key, _ in rows], np.uint64)
        mask = np.array([wanted for _, _, wanted in rows], np.bool_)
        found = ids.encode(keys, spaces, mask)
        assert found.dtype == np.int32
        for (space, key, wanted), number in zip(rows, found.tolist(), strict=True):
            if wanted:
                naive.check(space, key, number)
            else:
                assert number == -1
        assert (len(ids), ids.in_use, ids.counts.tolist()) == (naive.highest, len(naive.ids), naive.counts)
        if recycled is not None:
            used = set(naive.ids.values())
            keep = np.array([i in used and recycled >> i % 64 & 1 for i in range(len(ids))], np.bool_)
            ids.recycle(keep)
            naive.recycle(keep)
            assert ids.in_use == len(naive.ids)


def test_ids_count_up_in_order_of_first_sight():
    """Direct, hashed and in other spaces alike: 0, 1, 2, … as they come."""
    ids = Ids(2, direct_entries=32)
    keys = np.array([9, 2**40, 9, 3, 2**40, 9, 15, 16, 3], np.uint64)
    spaces = np.array([0, 0, 1, 0, 1, 0, 1, 1, 0], np.uint16)
    assert ids.encode(keys, spaces).tolist() == [0, 1, 2, 3, 4, 0, 5, 6, 3]
    assert ids.encode(keys, 1).tolist() == [2, 4, 2, 7, 4, 2, 5, 6, 7]
    assert ids.encode(keys).tolist() == [0, 1, 0, 3, 1, 0, 8, 9, 3]
    assert ids.counts.tolist() == [5, 5]


@pytest.mark.parametrize("expected", [0, 100_000])
@pytest.mark.parametrize(
    "pattern",
    ["counting", "high bits", "aligned", "random"],
)
def test_growth(pattern, expected):
    """20 000 hashed keys in uneven batches, also such as simple hashes dislike, sized beforehand or not."""
    rng = np.random.default_rng(3)
    n = 20_000
    numbers = np.arange(n, dtype=np.uint64)
    keys = {
        "counting": numbers + np.uint64(2**30),
        "high bits": (numbers << np.uint64(44)) + np.uint64(2**30),
        "aligned": (numbers << np.uint64(21)) + np.uint64(2**30),
        "random": rng.integers(2**30, 2**64, n, np.uint64),
    }[pattern]
    keys = rng.permutation(np.concatenate([keys, keys[: n // 3]]))
    ids = Ids(expected=expected, direct_entries=1 << 10)
    first: dict[int, int] = {}
    for start, stop in itertools.pairwise([0, 5, 700, 720, 3000, 3001, 12_000, len(keys)]):
        piece = keys[start:stop].tolist()
        found = ids.encode(np.array(piece, np.uint64))
        assert found.tolist() == [first.setdefault(key, len(first)) for key in piece]
    assert len(ids) == ids.in_use == len(first) == n


def test_recycled_ids_are_used_up_before_new_ones():
    """Ids that are given up come back, direct and hashed; kept keys keep theirs; forgotten keys are new."""
    ids = Ids(direct_entries=8)
    keys = np.array([1, 2**50, 2, 2**51, 3, 2**52], np.uint64)
    assert ids.encode(keys).tolist() == [0, 1, 2, 3, 4, 5]
    ids.recycle(np.array([True, True, False, False, True, False]))
    assert (len(ids), ids.in_use) == (6, 3)
    assert ids.encode(keys[[0, 1, 4]]).tolist() == [0, 1, 4]
    new = ids.encode(np.array([2**52, 7, 2, 2**51], np.uint64)).tolist()
    assert sorted(new[:3]) == [2, 3, 5]
    assert new[3] == 6
    assert ids.encode(keys[[0, 1, 4]]).tolist() == [0, 1, 4]
    assert (len(ids), ids.in_use) == (7, 7)


def test_recycling_twice_loses_and_doubles_no_id():
    """Round after round most keys go and others come: never more ids than keys at one time."""
    ids, live, most = Ids(direct_entries=64), {}, 0
    rng = np.random.default_rng(8)
    for _ in range(30):
        keys = rng.integers(0, 2**64, 50, np.uint64) >> rng.integers(0, 63, 50).astype(np.uint64)
        found = ids.encode(keys)
        for key, number in zip(keys.tolist(), found.tolist(), strict=True):
            assert live.setdefault(key, number) == number
        assert sorted(live.values()) == sorted(set(live.values()))
        assert ids.in_use == len(live)
        most = max(most, len(live))
        keep = np.isin(np.arange(len(ids)), list(live.values())) & (rng.random(len(ids)) < 0.2)
        ids.recycle(keep)
        live = {key: number for key, number in live.items() if keep[number]}
    assert len(ids) == most


def test_recycling_twice_without_a_row_between():
    """Ids that were free already are still free once, not twice."""
    ids = Ids(direct_entries=8)
    ids.encode(np.array([1, 2, 2**40], np.uint64))
    ids.recycle(np.array([False, True, False]))
    ids.recycle(np.array([False, False, False]))
    assert ids.in_use == 0
    assert sorted(ids.encode(np.array([5, 6, 2**41, 2**42], np.uint64)).tolist()) == [0, 1, 2, 3]


def test_strided_and_read_only_arrays():
    """What Arrow and slices give is taken as it is, and never written to."""
    keys = np.array([4, 9, 4, 9, 2**60, 9, 5, 9], np.uint64)
    keys.flags.writeable = False
    assert Ids().encode(keys[::2]).tolist() == [0, 0, 1, 2]
    assert Ids().encode(keys, np.zeros(8, np.uint16), np.arange(8) % 2 == 0).tolist() == [
        0,
        -1,
        0,
        -1,
        1,
        -1,
        2,
        -1,
    ]
    assert Ids().encode(keys[:0]).tolist() == []
