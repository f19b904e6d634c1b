"""VMware's production hosts."""

from __future__ import annotations

import pytest
from synthetic import ideally_shared, table, within

from tracereplay.trace import open_trace

PUBLISHED = {
    # family, VMs, MiB; shared and reclaimed, pages per shared frame
    "A": ("windows", 10, 2048, {"shared": 0.429, "reclaimed": 0.329}, 4.25),
    "B": ("linux", 9, 1846, {"shared": 0.292, "reclaimed": 0.187}, 2.78),
    "C": ("linux", 5, 1658, {"shared": 0.100, "reclaimed": 0.072}, 3.67),
}


@pytest.mark.parametrize("host", PUBLISHED)
@pytest.mark.parametrize("scale", [1 / 16, 1 / 50])
def test_ideal_sharing_finds_what_was_published(host, scale):
    """Half a percentage point of all memory allowed, whatever the scale; all of it between VMs."""
    family, vms, mib, shares, copies = PUBLISHED[host]
    made = table("production-host", host=host, scale=scale)
    metadata = open_trace(made).metadata
    assert [vm.family for vm in metadata.vms] == [family] * vms
    assert sum(open_trace(made).footprints()) == pytest.approx(mib * 256 * scale, abs=vms)
    found = ideally_shared(made)
    assert within(found, shares, 0.005)
    assert found["inter_vm"] == found["reclaimed"]
    assert found["shared"] / (found["shared"] - found["reclaimed"]) == pytest.approx(copies, abs=0.05)
