"""Hashes: of page contents, which are their ids in a trace, and of 64-bit keys, which make samples."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import xxhash

GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""SplitMix64's increment."""


def mixed(keys: np.ndarray) -> np.ndarray:
    """SplitMix64's output function: 64 well-mixed bits for each uint64 key, one to one."""
    z = keys
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def page_contents(block: bytes | memoryview, page_size: int = 4096) -> np.ndarray:
    """The content id of each page of ``block`` (uint64): XXH3-64; 0 for a page of zeros and no other."""
    view = memoryview(block)
    pages = [view[i : i + page_size] for i in range(0, len(view), page_size)]
    found = np.fromiter(map(xxhash.xxh3_64_intdigest, pages), np.uint64, len(pages))
    found[found == 0] = 1  # a hash of 0 would say that the page is zeros
    zeros = bytes(page_size)
    likely = np.flatnonzero(found == xxhash.xxh3_64_intdigest(zeros))
    # a copy is cheap: a memoryview is compared item by item
    found[[i for i in likely.tolist() if bytes(pages[i]) == zeros]] = 0
    return found


def page_keys(page: np.ndarray, vm: np.ndarray) -> np.ndarray:
    """What samples of pages hash, uint64[n]: a page's number, unlike that of the same page of another VM."""
    return page ^ mixed(vm.astype(np.uint64))


def sampled(keys: np.ndarray, rate: Fraction, salt: int) -> np.ndarray:
    """Which uint64 keys a sample of ``rate`` (above 0, at most 1) holds, bool[n]; each salt draws another."""
    return mixed(keys + salt_offset(salt)) <= greatest_hash(rate)


def salt_offset(salt: int) -> np.uint64:
    """What a salt adds to a key before it is mixed."""
    return np.uint64((salt + 1) * int(GAMMA) % 2**64)


def greatest_hash(rate: Fraction) -> np.uint64:
    """The greatest hash of a sample of ``rate``."""
    return np.uint64(max(int(rate * 2**64) - 1, 0))
