"""Guest LRU and CLOCK against the major faults of a real Linux kernel on the same access patterns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracereplay.run import replay

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
POINTS = json.loads((DATA / "guest-6.1-faults.json").read_text(encoding="utf-8"))["points"]
MGLRU_POINTS = json.loads((DATA / "guest-6.1-mglru-faults.json").read_text(encoding="utf-8"))["points"]


def majors(policy: str, pattern: str, memory_pages: int) -> int:
    """Guest major faults of one pattern, on a host with room for all."""
    vm = {"trace": str(DATA / f"pattern-{pattern}.parquet"), "memory": memory_pages, "policy": policy}
    return replay({"host": {"memory": "100%"}, "vm": [vm]}).totals["guest_major_faults"]


def test_lru_equals_another_programs_count():
    """Every page is written in the warm-up, so later LRU misses are exactly the guest's major faults."""
    found = {
        (p["pattern"], p["memory_pages"]): majors("lru", p["pattern"], p["memory_pages"]) for p in POINTS
    }
    assert found == {(p["pattern"], p["memory_pages"]): p["lru"] for p in POINTS}


@pytest.mark.parametrize("policy", ["lru", "clock", "linux"])
def test_real_kernel_within_a_few_per_cent(policy):
    """Mean error over all patterns and sizes below 3 %, none above 13 %."""
    errors = [
        abs(majors(policy, p["pattern"], p["memory_pages"]) - p["kernel"]) / p["kernel"] for p in POINTS
    ]
    assert len(errors) == 20
    assert sum(errors) / len(errors) < 0.03
    assert max(errors) < 0.13


def test_real_generations_within_a_few_per_cent():
    """MGLRU without loops and scans, which kernels resist by looking at neighbours: mean error below 3 %."""
    points = [p for p in MGLRU_POINTS if p["pattern"] in ("zipf", "uniform")]
    errors = [
        abs(majors("mglru", p["pattern"], p["memory_pages"]) - p["kernel"]) / p["kernel"] for p in points
    ]
    assert len(errors) == 10
    assert sum(errors) / len(errors) < 0.03
    assert max(errors) < 0.06
