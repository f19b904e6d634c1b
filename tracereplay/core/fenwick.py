"""Fenwick trees: prefix sums of counts that change one at a time, in O(log n).

A tree of n counts is an integer array of n + 1; node i > 0 holds the sum of the counts i − lowbit(i) … i − 1.
Source: Fenwick, "A new data structure for cumulative frequency tables", Software: Practice and Experience
1994.
"""

from __future__ import annotations

import numpy as np


def add(tree, index, amount):
    """Add ``amount`` to the count ``index``."""
    node = index + 1
    while node < tree.shape[0]:
        tree[node] += amount
        node += node & -node


def sum_before(tree, index):
    """Sum of the counts before ``index``."""
    total = 0
    while index > 0:
        total += np.int64(tree[index])
        index &= index - 1
    return total


def add_up(tree):
    """Turn the tree into plain sums: node i then holds the sum of the counts before i."""
    for node in range(1, tree.shape[0]):
        tree[node] += tree[node & (node - 1)]


def find(tree, target):
    """The count in which the unit ``target`` (from 0) lies, and how many units of it come before."""
    index = 0
    step = 1
    while 2 * step < tree.shape[0]:
        step *= 2
    while step > 0:
        node = index + step
        if node < tree.shape[0] and tree[node] <= target:
            index = node
            target -= np.int64(tree[node])
        step >>= 1
    return index, target
