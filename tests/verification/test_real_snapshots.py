"""Page sharing against the exact figures of nine real Debian guests whose every page's content is known."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
from formats.importing import columns, sample

from tracereplay import replay
from tracereplay.trace.convert import import_trace

pytestmark = pytest.mark.slow

FLEETS = (
    "cloud x1", "cloud x2", "cloud x3", "cloud x5", "same kernel, other data",
    "other version (6.12), same workload", "KASLR+ASLR, same workload", "all",
)  # fmt: skip


@functools.cache
def figures() -> dict:
    """The figures by fleet."""
    text = sample("snapshots/sharing.json").read_text(encoding="utf-8")
    return {fleet["name"]: fleet for fleet in json.loads(text)["fleets"]}


@functools.cache
def guests() -> dict[str, pd.DataFrame]:
    """A trace of each guest after its work: all pages written at once; later a read that changes nothing."""
    names = json.loads(sample("snapshots/sharing.json").read_text(encoding="utf-8"))["vm_ids"]
    table = pd.read_parquet(sample("snapshots/guest-memory.parquet"))
    traces = {}
    for vm, pages in table[table.after_work].groupby("vm"):
        rows = pages[["page", "content"]].assign(time=np.uint64(0), op=np.uint8(1))
        last = rows.head(1).assign(time=np.uint64(2), op=np.uint8(0))
        traces[names[str(vm)]["name"] + "-work"] = pd.concat([rows, last])
    return traces


def reclaimed(fleet: dict, **sharing: object) -> dict[str, int]:
    """What sharing saves once it is done: the fleet's pages, one tick."""
    scenario = {
        "tick": 1,
        "host": {"memory": "100%"},
        "sharing": sharing,
        "vm": [{"name": name, "trace": name, "memory": "100%"} for name in fleet["vms"]],
    }
    totals = replay(scenario, {name: guests()[name] for name in fleet["vms"]}).totals
    return {key: totals[f"reclaimed_{key}"] for key in ("zero", "self", "inter_vm", "cross_family")}


@pytest.mark.parametrize("name", FLEETS)
def test_ideal_sharing_saves_what_was_counted(name):
    """All but one zero page, every VM's copies of its own pages, and those of other VMs' pages."""
    fleet = figures()[name]
    assert reclaimed(fleet, mode="ideal") == {
        "zero": fleet["saved_zero"],
        "self": fleet["saved_intra_nonzero"],
        "inter_vm": fleet["saved_inter_nonzero"],
        "cross_family": 0,
    }


@pytest.mark.parametrize("name", ["cloud x2", "all"])
@pytest.mark.parametrize("use_zero_pages", [False, True])
def test_ksm_gets_there(name, use_zero_pages):
    """KSM saves as much in two full scans of resting pages; its zero page spares the last one, too."""
    fleet = figures()[name]
    found = reclaimed(fleet, mode="ksm", rate=2 * fleet["total_pages"], use_zero_pages=use_zero_pages)
    assert found == {
        "zero": fleet["zero_pages"] if use_zero_pages else fleet["saved_zero"],
        "self": fleet["saved_intra_nonzero"],
        "inter_vm": fleet["saved_inter_nonzero"],
        "cross_family": 0,
    }


def test_sharing_of_zero_pages_alone():
    """``zero_only`` saves the zero pages and nothing else."""
    fleet = figures()["cloud x2"]
    assert reclaimed(fleet, mode="ideal", zero_only=True) == {
        "zero": fleet["saved_zero"], "self": 0, "inter_vm": 0, "cross_family": 0,
    }  # fmt: skip


QEMU = "qemu-system-x86_64"
DUMPS = {
    "raw": {"execute": "pmemsave", "arguments": {"val": 0, "size": 16 << 20}},
    "elf": {"execute": "dump-guest-memory", "arguments": {"paging": False}},
    "elf-paging": {"execute": "dump-guest-memory", "arguments": {"paging": True}},
    "kdump-zlib": {"execute": "dump-guest-memory", "arguments": {"paging": False, "format": "kdump-zlib"}},
}


@pytest.mark.skipif(shutil.which(QEMU) is None, reason=f"needs {QEMU}")
def test_real_dumps_of_qemu(tmp_path):
    """A raw image, ELF cores and a compressed dump of one paused guest (its firmware) hold the same pages."""
    command = [QEMU, "-nodefaults", "-display", "none", "-accel", "tcg", "-m", "16", "-qmp", "stdio"]
    orders = [{"execute": "qmp_capabilities"}, {"execute": "stop"}]
    for name, dump in DUMPS.items():
        key, prefix = ("filename", "") if name == "raw" else ("protocol", "file:")
        orders.append({**dump, "arguments": {**dump["arguments"], key: f"{prefix}{tmp_path / name}"}})
    orders.append({"execute": "quit"})
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as guest:
        time.sleep(2)  # the firmware shall have written something
        answers, _ = guest.communicate("\n".join(map(json.dumps, orders)), timeout=60)
    assert '"error"' not in answers, answers
    held = {}
    for name in DUMPS:
        import_trace(
            "memory-snapshot" if name == "raw" else "auto", tmp_path / name, tmp_path / "t", force=True
        )
        rows = columns(tmp_path / "t")
        held[name] = dict(zip(rows["page"], rows["content"], strict=True))
    assert len(held["raw"]) == 4096
    assert len(set(held["raw"].values())) > 10
    assert held["elf"] == held["elf-paging"] == held["kdump-zlib"]
    assert held["raw"].items() <= held["elf"].items()
