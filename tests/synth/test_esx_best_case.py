"""VMware's best case."""

from __future__ import annotations

import pytest
from synthetic import ideally_shared, table, within

MIB_OF_VM = 40


@pytest.mark.parametrize("vms", [2, 5, 10])
def test_sharing_grows_with_the_vms(vms):
    """Shared: 67 % of memory; given back: 26.8 MB for each VM less 21.8 MB."""
    found = ideally_shared(table("esx-best-case", vms=vms))
    assert within(found, {"shared": 0.67}, 0.001)
    assert found["reclaimed"] * MIB_OF_VM * vms == pytest.approx(26.8 * vms - 21.8, abs=0.1)


def test_ten_vms():
    """About 60 % of all memory is given back."""
    assert within(ideally_shared(table("esx-best-case")), {"reclaimed": 0.60}, 0.02)


def test_one_vm_alone():
    """Some 5 MB are given back, 55 % of it zero pages, the rest within the VM."""
    found = ideally_shared(table("esx-best-case", vms=1))
    assert found["reclaimed"] * MIB_OF_VM == pytest.approx(5, abs=0.05)
    assert found["zero"] / found["reclaimed"] == pytest.approx(0.55, abs=0.005)
    assert found["inter_vm"] == 0
