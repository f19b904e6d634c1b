"""A heap: many numbers of which the greatest is known, each added or taken away in O(log n).

A heap of n numbers is the first n of an array; none is greater than the one at (its place − 1) // 2.
Source: Williams, "Algorithm 232: Heapsort", Communications of the ACM 1964.
"""

from __future__ import annotations


def push(heap, size, number):
    """Add a number to the ``size`` that there are."""
    place = size
    while place > 0 and heap[(place - 1) // 2] < number:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = number


def replace_greatest(heap, size, number):
    """Put a number in place of the greatest one, ``heap[0]``, of ``size``."""
    place, child = 0, 1
    while child < size:
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= number:
            break
        heap[place] = heap[child]
        place, child = child, 2 * child + 1
    heap[place] = number


def drop_greatest(heap, size):
    """Take the greatest one of ``size`` numbers away."""
    replace_greatest(heap, size - 1, heap[size - 1])
