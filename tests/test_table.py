"""Tables for the terminal stay whole within 80 columns, however many VMs and however large the numbers."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console
from runs import SCENARIO, TABLES

import tracereplay as tr
from tracereplay.report.table import comparison_table, vm_table


@pytest.fixture(scope="module")
def run() -> tr.Result:
    return tr.replay(SCENARIO, TABLES, jit=False)


def scaled(run: tr.Result, n_vms: int, factor: int, name: str = "virtual-machine") -> tr.Result:
    """The run's first VM several times over, every number ``factor`` times as large."""
    rows = pd.concat([run.vms.iloc[:1]] * n_vms) * factor
    rows.index = pd.Index([f"{name}-{i}" for i in range(n_vms)], name="vm")
    return replace(run, vms=rows, totals={key: int(rows[key].sum()) for key in run.totals})


def printed(table) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("n_vms", [1, 2, 4, 5, 12])
def test_no_number_is_cut(run, n_vms, factor):
    """Rows keep their names, and only a VM's name may end in an ellipsis."""
    result = scaled(run, n_vms, factor)
    lines = printed(vm_table(result))
    assert max(map(len, lines)) <= 80
    total = next(line for line in lines if line.split()[:1] == ["accesses"] or line.startswith("all VMs"))
    assert "…" not in total
    assert not any("…" in word for line in lines for word in line.split() if word[0].isdigit())
    if n_vms == 1:
        assert any(line.split()[-1:] == [f"{result.totals['accesses']:,}"] for line in lines)
    if n_vms == 12:
        assert sum(line.startswith("virtual") for line in lines) == 12


def test_a_column_per_vm_where_they_fit(run):
    """Two VMs side by side with the counters that are not zero, and what they come to."""
    lines = printed(vm_table(run))
    assert lines[0].split() == ["one", "two", "all", "VMs"]
    by_name = {line.split()[0]: line.split()[1:] for line in lines if len(line.split()) == 4}
    for name in ("guest_major_faults", "double_faults", "cow_breaks", "reclaimed"):
        values = run.vms[name].tolist()
        assert by_name[name] == [f"{v:,}" for v in (*values, sum(values))]
    assert "zero_mapped" not in by_name
    assert lines[-2].startswith("host: ")


def test_a_comparison_of_large_numbers(run):
    """A column per run; large numbers are shortened rather than cut."""
    rows = {"host major faults": ("host_major_faults",), "  of them double paging": ("double_faults",)}
    names = ("host paging", "balloons", "balloons + sharing")
    lines = printed(comparison_table(dict.fromkeys(names, run), rows))
    assert lines[2].split("  ")[-1].strip() == f"{run.totals['host_major_faults']:,}"
    large = scaled(run, 1, 10**12)
    lines = printed(comparison_table(dict.fromkeys(names, large), rows))
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert sum(line.startswith("  of them double paging") for line in lines) == 1
