"""One per-VM table in three vocabularies, worked out by hand."""

from __future__ import annotations

import pytest
from made import run

from tracereplay.report.names import VOCABULARIES, vm_table

TIMES = (110, 120)
SAID = {
    "memory_pages": 1024,
    "guest_major_faults": 2,
    "host_major_faults": 9,
    "double_faults": 3,
    "stale_reads": 2,
    "false_reads": 1,
    "ballooned": 256,
    "resident": 512,
    "swapped": 128,
    "shared": 64,
    "shared_frames": 16,
    "zero_mapped": 8,
    "reclaimed": 56,
    "reclaimed_zero": 32,
    "pages_unshared": 7,
    "pages_volatile": 5,
    "estimated_ns": 1_500_000,
}
EXPECTED = {
    "tracereplay": {
        "memory_pages": [1024, 1024, 2048],
        "guest_major_faults": [2, 0, 2],
        "host_major_faults": [9, 0, 9],
        "double_paging": [6, 0, 6],
        "ballooned": [256, 0, 256],
        "swapped": [128, 0, 128],
        "shared": [64, 0, 64],
        "reclaimed": [56, 0, 56],
        "estimated_ms": [1.5, 0.5, 2.0],
    },
    "esxtop": {
        "MEMSZ": [4, 4, 8],
        "GRANT": [2, 0, 2],
        "MCTLSZ": [1, 0, 1],
        "MCTLTGT": [1.25, 0, 1.25],
        "SWCUR": [0.5, 0, 0.5],
        "SHRD": [0.25, 0, 0.25],
        "SHRDSVD": [56 / 256, 0, 56 / 256],
        "ZERO": [0.125, 0, 0.125],
        "guest_major_faults": [2, 0, 2],
        "host_major_faults": [9, 0, 9],
        "double_paging": [6, 0, 6],
        "estimated_ms": [1.5, 0.5, 2.0],
    },
    "ksm": {
        "memory_pages": [1024, 1024, 2048],
        "pages_shared": [16, 0, 16],
        "pages_sharing": [48, 0, 48],
        "pages_unshared": [7, 0, 7],
        "pages_volatile": [5, 0, 5],
        "ksm_zero_pages": [8, 0, 8],
        "guest_major_faults": [2, 0, 2],
        "host_major_faults": [9, 0, 9],
        "double_paging": [6, 0, 6],
        "estimated_ms": [1.5, 0.5, 2.0],
    },
}


def made(busy: dict[str, int], targets: tuple[int, int] = (0, 0)):
    """Two VMs, of which the second is idle."""
    said = {name: [0, value] for name, value in busy.items() if name not in ("memory_pages", "estimated_ns")}
    result = run(TIMES, {"busy": {**said, "balloon_target": list(targets)}, "idle": {}})
    result.vms["memory_pages"] = 1024
    result.vms["estimated_ns"] = [1_500_000, 500_000]
    return result


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_the_table_by_hand(vocabulary):
    """4 KiB pages: 256 of them are one of esxtop's MB; the last balloon target counts; a row for all."""
    table, columns = vm_table(made(SAID, (512, 320)), vocabulary)
    assert {name: table[name].tolist() for name in table} == EXPECTED[vocabulary]
    assert list(table.index) == ["busy", "idle", "all VMs"]
    assert [c.title for c in columns] == list(EXPECTED[vocabulary])
    assert all(c.unit and c.meaning for c in columns)


ALWAYS = {
    "tracereplay": ["memory_pages", "guest_major_faults", "host_major_faults", "estimated_ms"],
    "esxtop": ["MEMSZ", "guest_major_faults", "host_major_faults", "estimated_ms"],
    "ksm": ["memory_pages", "guest_major_faults", "host_major_faults", "estimated_ms"],
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_columns_without_anything_are_left_out(vocabulary):
    """But for what every report shows, so that a zero is seen to be one."""
    assert list(vm_table(made({}), vocabulary)[0]) == ALWAYS[vocabulary]


def test_a_run_that_did_not_record_targets():
    """Runs of earlier versions have no such column."""
    result = made(SAID, (512, 320))
    del result.timeline["balloon_target"]
    assert "MCTLTGT" not in vm_table(result, "esxtop")[0]


def test_an_unknown_vocabulary():
    """The error lists what there is and names the nearest."""
    with pytest.raises(ValueError, match=r'found "esxtp"; expected one of .*; did you mean "esxtop"\?'):
        vm_table(made({}), "esxtp")
