"""The ksm mode against the counters of the real KSM that scanned the same pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracereplay.core.counters import GAUGE_NAMES
from tracereplay.core.state import FRAME_SHARED
from tracereplay.machine import resolve
from tracereplay.run import Run
from tracereplay.scenario import Scenario
from tracereplay.trace import open_trace
from tracereplay.trace.feed import Feed

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
MEASURED = json.loads((DATA / "linux-6.18-ksm.json").read_text(encoding="utf-8"))
LIMIT = MEASURED["max_page_sharing"]


class Ksm:
    """All pages written once; ``run.simulator.scan`` does the rest."""

    def __init__(self, name: str) -> None:
        path = str(DATA / f"ksm-{name}.parquet")
        said = Scenario.load(
            {
                "tick": 0,
                "host": {"memory": "100%"},
                "sharing": {"mode": "ksm"},
                "vm": [{"trace": path}],
            }
        )
        traces = {path: open_trace(path)}
        machine = resolve(said, traces)
        self.run = Run(machine, Feed(machine.vms, traces))
        self.run.to_end()
        self.pages = traces[path].n_rows

    def counters(self) -> dict[str, int]:
        """KSM's four counters, frames split as max_page_sharing splits them."""
        totals = dict(zip(GAUGE_NAMES, self.run.simulator.measure().sum(axis=0).tolist(), strict=True))
        state = self.run.simulator.state
        mappers = state.mappers[(state.frame_flags & FRAME_SHARED) != 0]
        extra = int((-(-mappers // LIMIT) - 1).sum())  # KSM opens another node every LIMIT mappings
        return {
            "pages_shared": totals["shared_frames"] + extra,
            "pages_sharing": totals["reclaimed"] - extra,
            "pages_unshared": totals["pages_unshared"],
            "pages_volatile": totals["pages_volatile"],
        }


@pytest.mark.parametrize("name", ["quarters", "zipf"])
def test_final_counters_are_the_kernels(name):
    """After three full scans all four counters equal the real ones."""
    ksm = Ksm(name)
    ksm.run.simulator.scan(3 * ksm.pages)
    assert ksm.counters() == MEASURED["runs"][name]["final"]


@pytest.mark.parametrize("name", ["quarters", "zipf"])
def test_the_way_there_is_the_kernels(name):
    """At each sample of the first scans, after as many pages as the kernel had scanned, so are the counters.

    A sample may have caught the real counters in the middle of an update: 8 pages of 16,384.
    """
    ksm = Ksm(name)
    scanned = 0
    for at, *expected in MEASURED["runs"][name]["series"]:
        ksm.run.simulator.scan(at - scanned)
        scanned = at
        found = list(ksm.counters().values())
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 8, (at, found, expected)
