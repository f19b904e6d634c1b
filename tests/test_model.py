"""The engine against the independent reference model: every counter, gauge and state, to the last page."""

from __future__ import annotations

import itertools
import random
from typing import Any

import engine
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import FETCH, FREE, READ, WRITE, machine, random_machine, random_rows

MODES = ("none", "ideal", "esx", "esx-sequential", "ksm")


def assert_same(config: dict[str, Any], rows: list[tuple], *, jit: bool = False, **options: Any) -> None:
    """Run both and compare everything that either can tell."""
    expected = reference.simulate(config, rows)
    run = engine.run_engine(config, rows, jit=jit, **options)
    told = engine.gauges(run)
    assert engine.counters(run) == expected.counters
    assert [{name: vm[name] for name in reference.GAUGES} for vm in told] == expected.gauges
    if config["sharing"].get("mode") == "ksm":
        assert {name: sum(vm[name] for vm in told) for name in expected.ksm} == expected.ksm
    split = {kind: sum(vm[f"reclaimed_{kind}"] for vm in told) for kind in ("zero", "self", "inter_vm")}
    assert split == {
        k: expected.split[e] for k, e in (("zero", "zero"), ("self", "self"), ("inter_vm", "inter"))
    }
    if not options:
        assert engine.dump(run, rows, config) == expected.state


@pytest.mark.parametrize(("guest", "host"), list(itertools.product(reference.POLICIES, repeat=2)))
def test_every_policy_pair_on_random_machines(guest, host):
    """All counters agree for each guest and host policy, with everything else switched at random."""
    rng = random.Random(f"{guest} {host}")
    for _ in range(25):
        config = random_machine(rng)
        config["host"]["policy"] = host
        for vm in config["vms"]:
            vm["policy"] = guest
        assert_same(config, random_rows(rng, 80, len(config["vms"])))


@pytest.mark.parametrize("mode", MODES)
def test_every_sharing_mode_on_random_machines(mode):
    """All counters agree in each sharing mode, VMs with policies of their own, tight memory."""
    rng = random.Random(mode)
    for _ in range(60):
        config = random_machine(rng)
        config["sharing"]["mode"] = mode
        assert_same(config, random_rows(rng, 100, len(config["vms"]), contents=3))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host", ["lru", "random"])
def test_exhaustive_tiny_traces(mode, host):
    """Every seventh trace of four rows over two pages: reads, writes, frees, two contents; 1 or 2 frames."""
    options = [
        (page, op, content)
        for page in (0, 1)
        for op, content in ((READ, 1), (WRITE, 1), (WRITE, 0), (FREE, None))
    ]
    sharing = {"mode": mode, "rate": 2, "share_before_swap": True, "use_zero_pages": True}
    merged = 0
    for frames in (1, 2):
        config = machine([{"pages": 2, "policy": "lru"}], frames=frames, host=host, tick=1, **sharing)
        for picks in itertools.islice(itertools.product(options, repeat=4), 0, None, 7):
            rows = [(time, 0, *pick) for time, pick in enumerate(picks)]
            assert_same(config, rows)
            merged += reference.simulate(config, rows).total("pages_merged")
    assert (merged > 100) == (mode != "none")


@st.composite
def cases(draw):
    """A machine and a trace of up to 60 rows over up to three VMs."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    config = random_machine(rng)
    n = len(config["vms"])
    row = st.tuples(
        st.sampled_from([0, 0, 1, 3]),
        st.integers(0, n - 1),
        st.integers(0, 6),
        st.sampled_from([READ, READ, WRITE, WRITE, FREE, FETCH]),
        st.sampled_from([None, 0, 0, 1, 2, 2**63 + 5]),
    )
    rows, time = [], 0
    for gap, *rest in draw(st.lists(row, min_size=1, max_size=60)):
        time += gap
        rows.append((time, *rest))
    return config, rows


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(cases())
def test_hypothesis_traces(case):
    """Whatever machine and trace Hypothesis thinks of, both implementations agree."""
    assert_same(*case)


def test_recycled_content_ids_change_nothing():
    """Content ids are forgotten and given out again all the time; no counter notices."""
    rng = random.Random(5)
    for _ in range(40):
        config = random_machine(rng)
        rows = random_rows(rng, 200, len(config["vms"]), contents=40)
        assert_same(config, rows, recycle_from=3, batch_rows=7)
