"""What the generators of one VM share: all but the pattern of its references."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tracereplay.problems import problem, shown
from tracereplay.trace.hashing import mixed
from tracereplay.trace.schema import Metadata, VMInfo
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._draws import bits, slices, uniform

_OP, _DUPLICATE, _VERSION, _POOL, _SALT = 1, 2, 3, 4, 6
PATTERN, PATTERN_2 = 0, 5
"""Streams of draws for the pattern."""

MOST = 2**48
"""Pages or accesses; what is computed of them fits into 64 bits."""

Reference = Callable[[int, int], np.ndarray]
"""Pages (uint64[n]) of the accesses from a first one on: ``reference(start, n)``, asked for in order."""


class Load(NamedTuple):
    """One VM's accesses, whatever their pattern.

    ``writes`` and ``duplicates`` are fractions, of the accesses and of the writes.  A duplicate write stores
    one of ``pages`` / 20 contents common to all pages; any other one of four contents of its own page.
    Reads have no content.  VMs of different generators or seeds have no content in common.
    """

    pages: int
    accesses: int
    writes: float
    duplicates: float
    seed: int


def expect(holds: bool, name: str, value: object, expected: str) -> None:
    """ValueError that parameter ``name`` should be what was ``expected``, unless that ``holds``."""
    if not holds:
        raise ValueError(f"{name}: {problem(shown(value), expected)}")


def one_vm(name: str, load: Load, reference: Reference) -> Generated:
    """Rows ``page, op, content`` of a VM called ``name``."""
    for parameter in ("pages", "accesses"):
        count = getattr(load, parameter)
        expect(0 < count <= MOST, parameter, count, f"at least 1 and at most {MOST}")
    salt = bits(load.seed, _SALT, 0, 1) ^ mixed(np.array([zlib.crc32(name.encode())], np.uint64))
    return Generated(_batches(load, reference, salt), Metadata(vms=(VMInfo(name),)))


def _batches(load: Load, reference: Reference, salt: np.ndarray) -> Iterator[pa.RecordBatch]:
    pool = max(load.pages // 20, 1)
    for start, n in slices(load.accesses):
        page = reference(start, n)
        write = uniform(load.seed, _OP, start, n) < load.writes
        own = page * np.uint64(4) + (bits(load.seed, _VERSION, start, n) & np.uint64(3))
        common = (uniform(load.seed, _POOL, start, n) * pool).astype(np.uint64) + np.uint64(4 * load.pages)
        duplicate = uniform(load.seed, _DUPLICATE, start, n) < load.duplicates
        content = mixed(np.where(duplicate, common, own) ^ salt)
        yield pa.record_batch(
            {
                "page": page,
                "op": write.astype(np.uint8),
                "content": pa.array(content, mask=~write),
            }
        )
