"""Five Windows VMs on a host of 1 GB."""

from __future__ import annotations

import pytest
from synthetic import replayed, table

SCALE = 1 / 16
MIB = 256 * SCALE
"""Pages of a scaled MiB."""


@pytest.fixture(scope="module")
def rows():
    return table("consolidation", scale=SCALE)


@pytest.mark.parametrize("seed", range(4))
def test_share_before_swap_at_boot(rows, seed):
    """Some 325 MB of zeros are merged, some 35 MB paged out: together all that the host has no room for.

    The zero page's frame is a victim like any other: where it is chosen, its pages count as paged out, though
    it is written only once.
    """
    sharing = {"mode": "esx", "rate": 1, "share_before_swap": True}
    totals = replayed(rows, seed=seed, host={"memory": int(864 * MIB)}, sharing=sharing).totals
    assert totals["frames_in_use"] == 864 * MIB
    assert totals["pages_merged"] / MIB == pytest.approx(325, abs=25)
    assert totals["host_swap_writes"] / MIB == pytest.approx(35, abs=20)
    assert (totals["reclaimed_zero"] + totals["swapped"]) / MIB == pytest.approx(360, abs=1)


def test_without_it(rows):
    """Ten times as much is paged out."""
    totals = replayed(rows, host={"memory": int(864 * MIB)}).totals
    assert totals["host_swap_writes"] / MIB == pytest.approx(360, abs=1)
