"""A small run in which everything happens, and how to compare what was saved of runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

STABLE = ["summary.json", "timeline.parquet"]
"""The files of a run directory that must be the same for the same run."""
SCENARIO = {
    "seed": 3,
    "tick": 50,
    "timeline": {"every": 2},
    "host": {"memory": "60%"},
    "balloon": {"controller": "static"},
    "sharing": {"mode": "esx", "rate": 40},
    "vm": [
        {"trace": "a", "name": "one", "memory": "80%", "balloon": [[200, 8], [900, 0]]},
        {"trace": "b", "name": "two", "memory": "90%"},
    ],
}


def table(seed: int, step: int, n: int = 600) -> pa.Table:
    """Random accesses to 40 pages, most of them to a few, every ``step`` time units."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "time": np.arange(n, dtype=np.uint64) * np.uint64(step) + np.uint64(seed),
            "page": (40 * rng.random(n) ** 2).astype(np.uint64) * np.uint64(977),
            "op": rng.choice(np.array([0, 0, 0, 1, 1, 2], np.uint8), n),
            "content": pa.array(rng.integers(0, 5, n), mask=rng.random(n) < 0.2),
        }
    )


TABLES = {"a": table(1, 2), "b": table(2, 3)}


def bytes_of(directory: Path) -> dict[str, bytes]:
    """The files of a run directory that must be the same for the same run."""
    return {name: (directory / name).read_bytes() for name in STABLE}
