"""Heaps against sorted lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracereplay.core import heap

NUMBERS = st.integers(0, 20)
STEPS = st.lists(st.tuples(st.sampled_from(["push", "replace", "drop"]), NUMBERS), max_size=40)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STEPS)
def test_like_a_sorted_list(steps):
    """Whatever is done, equal numbers included, the greatest is first and nothing is lost."""
    numbers, expected = np.zeros(len(steps), np.int64), []
    for step, number in steps:
        if step == "push":
            heap.push(numbers, len(expected), number)
            expected = sorted([*expected, number])
        elif expected:
            if step == "replace":
                heap.replace_greatest(numbers, len(expected), number)
                expected = sorted([*expected[:-1], number])
            else:
                heap.drop_greatest(numbers, len(expected))
                expected = expected[:-1]
        assert sorted(numbers[: len(expected)].tolist()) == expected
        assert not expected or numbers[0] == expected[-1]
