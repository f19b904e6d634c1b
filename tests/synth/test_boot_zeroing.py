"""VMs that zero their memory at boot."""

from __future__ import annotations

import numpy as np
from synthetic import columns, ideally_shared, replayed, table, within


def test_zeros_first_then_contents():
    """Zeros to every page of every VM, in order; then contents of its own to a quarter of them."""
    rows = columns("boot-zeroing", vms=2, pages=100, used=0.25, duration="1s")
    assert (rows.op == 1).all()
    assert rows.known.all()
    assert rows.vm.tolist() == [0, 1] * 125
    assert rows.page[:200].tolist() == [page for page in range(100) for _ in range(2)]
    assert rows.content[:200].tolist() == [0] * 200
    assert len(set(rows.content[200:].tolist()) - {0}) == 50
    assert [len(set(rows.page[200:][vm::2].tolist())) for vm in (0, 1)] == [25, 25]
    assert rows.time.tolist() == (np.arange(250) * 4_000_000).tolist()


def test_what_stays_zero_is_shared():
    """All of it but the one frame that stays, and nothing else."""
    found = ideally_shared(table("boot-zeroing", pages=1000, used=0.4))
    assert within(found, {"reclaimed": 0.6, "zero": 0.6, "self": 0, "inter_vm": 0}, 0.001)


def test_share_before_swap_saves_the_zeros_from_paging():
    """On half the memory a host without sharing pages half of it out; with it, hardly anything."""
    made = table("boot-zeroing", pages=2000, used=0)
    sharing = {"mode": "esx", "rate": 100, "share_before_swap": True}
    plain, sharing_first = (
        replayed(made, host={"memory": "50%"}, sharing=said).totals["host_swap_writes"]
        for said in ({"mode": "none"}, sharing)
    )
    assert plain == 4000
    assert sharing_first < 40
