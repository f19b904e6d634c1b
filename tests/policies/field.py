"""Misses of libcachesim's policies beside ours, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracereplay.analysis.one_level import OneLevel

_ROW = np.dtype([("time", "<u4"), ("page", "<u8"), ("size", "<u4"), ("next", "<i8")])
"""A row of its binary format, oracleGeneral."""
N_PAGES = 10_000


def zipf(accesses: int = 300_000, alpha: float = 0.9, seed: int = 5) -> np.ndarray:
    """Pages drawn from a Zipf distribution, as int32."""
    weights = np.arange(1, N_PAGES + 1) ** -alpha
    drawn = np.random.default_rng(seed).choice(N_PAGES, accesses, p=weights / weights.sum())
    return drawn.astype(np.int32)


def both(ours: str, theirs: str, frames: int, directory: Path, **options: Any) -> tuple[int, int]:
    """Misses of policy ``ours`` and of libcachesim's ``theirs`` with ``options`` on the same accesses."""
    rival = pytest.importorskip("libcachesim")
    pages = zipf()
    memory = OneLevel(ours, frames)
    memory.touch(pages, N_PAGES)
    path = directory / "zipf.oracleGeneral.bin"
    rows = np.zeros(len(pages), _ROW)
    rows["page"], rows["size"], rows["next"] = pages, 1, -1
    rows.tofile(path)
    reader = rival.TraceReader(str(path), rival.TraceType.ORACLE_GENERAL_TRACE, rival.ReaderInitParam())
    ratio, _ = getattr(rival, theirs)(frames, **options).process_trace(reader)
    return memory.misses, round(ratio * len(pages))
