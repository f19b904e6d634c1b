"""Ghost lists against plain dicts and lists."""

from __future__ import annotations

import numpy as np
from hand_tables import on_list
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.policies import _ghosts as ghosts

SIZES = (2, 5)
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "forget", "oldest"]), st.integers(0, 1), st.integers(0, 1), st.integers(0, 30)
    ),
    max_size=60,
)


def told(state: ghosts.Ghosts, pool: int, which: int) -> list[int]:
    """Pages of a list from the oldest on."""
    return [int(state.page_of[entry]) for entry in reversed(on_list(state.lists, pool, which))]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(OPERATIONS)
@np.errstate(over="ignore")
def test_lists_hold_what_was_put_into_them(operations):
    """Any additions and removals leave lists, lengths and look-ups as plain lists have them."""
    state = ghosts.no_ghosts(SIZES, SIZES, n_lists=2)
    naive: dict[tuple[int, int], list[int]] = {(pool, which): [] for pool in (0, 1) for which in (0, 1)}
    for kind, pool, which, number in operations:
        page, mine = 2 * number + pool, naive[pool, which]
        held = [p for both in naive.values() for p in both]
        if kind == "add" and page not in held and len(naive[pool, 0] + naive[pool, 1]) < SIZES[pool]:
            ghosts.add(state, pool, which, page)
            mine.append(page)
        elif kind == "forget" and page in naive[pool, 0] + naive[pool, 1]:
            ghosts.forget(state, pool, ghosts.find(state, page))
            for pages in naive.values():
                if page in pages:
                    pages.remove(page)
        elif kind == "oldest" and mine:
            ghosts.forget_oldest(state, pool, which)
            mine.pop(0)
        assert {key: told(state, *key) for key in naive} == naive
        lengths = [[len(naive[pool, which]) for which in (0, 1)] for pool in (0, 1)]
        assert state.lists.length[:, :2].tolist() == lengths
        assert [bool(ghosts.full(state, pool)) for pool in (0, 1)] == [
            sum(held) == size for held, size in zip(lengths, SIZES, strict=True)
        ]
        for page in range(62):
            entry = ghosts.find(state, page)
            assert (entry != ghosts.NONE) == any(page in pages for pages in naive.values())


def test_an_unknown_page_is_not_remembered():
    """A slot that came without an expected page leaves no ghost."""
    state = ghosts.no_ghosts([1], [1])
    ghosts.arrive(state, 0, 0)
    assert (ghosts.remember(state, 0, 0, 0), told(state, 0, 0)) == (ghosts.NONE, [])
