"""A host that chooses at random: measured by replays, and the law of what it doubles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tracereplay as tr
from tracereplay.errors import UsageError
from tracereplay.studies.random_host import doubled_law, random_host_surface
from tracereplay.trace.schema import Op


def zipf_distances(accesses: int, pages: int, seed: int) -> pd.DataFrame:
    """Writes whose LRU stack distances d, from 1, have probabilities in proportion to d^−0.9."""
    weight = np.arange(1, pages + 1) ** -0.9
    distances = np.random.default_rng(seed).choice(pages, accesses, p=weight / weight.sum())
    recency, found = list(range(pages)), []
    for distance in distances:
        found.append(recency.pop(distance))
        recency.insert(0, found[-1])
    return pd.DataFrame({"page": np.array(found, np.uint64), "op": np.uint8(Op.WRITE)})


def with_frees(trace: pd.DataFrame) -> pd.DataFrame:
    """The trace with a FREE row after every fifth of its rows."""
    freed = trace[::5].assign(op=np.uint8(Op.FREE))
    return pd.concat([trace, freed]).sort_index(kind="stable", ignore_index=True)


def totals(trace: pd.DataFrame, guest: int, host: int, seed: int) -> dict[str, int]:
    machine = {"seed": seed, "host": {"memory": host, "policy": "random"}}
    return tr.replay(machine | {"vm": [{"trace": "t", "memory": guest}]}, {"t": trace}).totals


def test_means_of_replays():
    """Counters are means over the seeds; shares are of the evictions; FREE rows are left out; any jobs."""
    trace = zipf_distances(2000, 30, seed=2)
    surface = random_host_surface(with_frees(trace), [8, 12], [8], seeds=2, jobs=2)
    exact = tr.double_paging_surface(trace, [8, 12], [8])
    names = list(exact)
    assert surface[names].iloc[0].tolist() == exact.iloc[0].tolist()  # the guest fits: nothing is paged
    runs = [totals(trace, 12, 8, seed) for seed in (0, 1)]
    row = surface.iloc[1]
    evictions = runs[0]["guest_minor_faults"] + runs[0]["guest_major_faults"] - 12
    hit = [run["double_faults"] + run["stale_reads"] + run["false_reads"] for run in runs]
    for name in (
        "guest_swap_reads",
        "guest_swap_writes",
        "demand_faults",
        "double_faults",
        "host_swap_writes",
    ):
        assert row[name] == (runs[0][name] + runs[1][name]) / 2
    assert (row["evictions"], row["doubled"]) == (evictions, sum(hit) / 2 / evictions)
    assert row["doubled_sd"] == pytest.approx(abs(hit[0] - hit[1]) / 2**0.5 / evictions)
    assert row["device_reads"] == row["guest_swap_reads"] + row["host_swap_reads"]
    assert (surface.attrs["seeds"], surface.attrs["frees_left_out"]) == (2, 400)


def test_zipf_distances():
    """Of 200 pages on 50 frames at g/h = 1.02, 1.2, 1.5, 2: 4.5, 37, 68 and 90 % are doubled, as by the law.

    Ten traces of other draws lie within 0.5 points of each other, and these shares are rounded to whole ones.
    """
    surface = random_host_surface(zipf_distances(100_000, 200, seed=1), [51, 60, 75, 100], [50], seeds=2)
    assert surface["doubled"].to_numpy() == pytest.approx([0.045, 0.37, 0.68, 0.90], abs=0.008)
    assert (surface["fill_reads"] == 0).all()  # nothing that is evicted is clean
    law = doubled_law(surface)
    assert law is not None
    assert (law.rate, law.points) == (pytest.approx(2.3, abs=0.1), 4)
    assert law.rmse <= law.worst < 0.01


def made(rate: float, noise: float) -> pd.DataFrame:
    """A surface of the law, ``noise`` above and below it in turn."""
    guests = np.array([50, 55, 60, 75, 100, 150, 300])
    doubled = 1 - np.exp(-rate * (guests / 50 - 1)) + noise * (-1.0) ** np.arange(7)
    columns = {"guest_pages": guests, "host_pages": 50, "doubled": doubled, "evictions": 9}
    surface = pd.DataFrame(columns)
    surface.attrs["footprint_pages"] = 200
    return surface


def test_the_law_is_found_again():
    """Its rate where there is no noise; with noise, its errors are that; guests that fit do not count."""
    law = doubled_law(made(1.7, 0))
    assert law is not None
    assert (law.rate, law.points) == (pytest.approx(1.7), 6)
    assert law.worst < 1e-6
    noisy = doubled_law(made(1.7, 0.01))
    assert noisy is not None
    assert (noisy.rmse, noisy.worst) == (pytest.approx(0.01, abs=0.002), pytest.approx(0.01, abs=0.005))
    # errors have two valleys: one of 0.41 at a rate of 0.04, and one of 0.53 at 4.4
    twice = made(1, 0).iloc[:2].assign(guest_pages=[438, 60], doubled=[0.247, 0.584])
    law = doubled_law(twice)
    assert law is not None
    assert law.rmse == pytest.approx(0.408, abs=0.001)
    assert doubled_law(made(1.7, 0).head(1)) is None
    assert doubled_law(made(1.7, 0).assign(evictions=0)) is None


def test_nothing_to_replay():
    """A trace that only frees, and no pair on which the host pages, need no replay."""
    only_frees = {"page": [1, 2], "op": [int(Op.FREE)] * 2}
    assert random_host_surface(only_frees, [1, 2], [1])["host_swap_reads"].tolist() == [0, 0]


def test_guests_beyond_the_footprint():
    """A guest of any size is replayed as one of the footprint: what is beyond that it never uses."""
    trace = zipf_distances(300, 30, seed=2)
    surface = random_host_surface(trace, [30, 31, 2**62], [8], seeds=1).drop(columns="guest_pages")
    assert len(surface.drop_duplicates()) == 1
    assert surface["demand_faults"].iloc[0] == totals(trace, 31, 8, 0)["demand_faults"] > 0


@pytest.mark.parametrize("name", ["seeds", "jobs"])
def test_none_of_them(name):
    """There must be something to take the mean of, and a thread to do it."""
    with pytest.raises(UsageError, match=f"{name}: found 0; expected 1 or more"):
        random_host_surface({"page": [1]}, **{name: 0})
