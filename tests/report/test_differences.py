"""A comparison as text of 80 columns and as a page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made import run
from pages import Page, fetched
from rich.console import Console

import tracereplay as tr
from tracereplay.errors import OutputError
from tracereplay.report.differences import differences_table, write_page
from tracereplay.studies.compare import compare, settings

OLD = {"accesses": 1000, "reads": 900, "host_major_faults": 300, "double_faults": 40}
NEW = {"accesses": 1000, "reads": 900, "host_major_faults": 120, "cow_breaks": 7}


def ended(counts: dict[str, int], seed: int = 0, frames: int = 10, names: str = "a") -> tr.Result:
    """A run whose VMs all ended with these counts."""
    made = run([110], {name: {key: [n] for key, n in counts.items()} for name in names})
    vms = made.vms.assign(estimated_ns=2_500_000)
    return replace(made, vms=vms, machine=made.machine | {"seed": seed, "host": {"frames": frames}})


def printed(runs: dict[str, tr.Result], *, vms: bool = False) -> str:
    table = compare(runs)
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(differences_table(table if vms else table[table["vm"] == "all VMs"], settings(runs)))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def test_the_table_word_for_word():
    """What was set differently, what differs, how many quantities do; changes are signed."""
    assert printed({"runs/old": ended(OLD), "runs/new": ended(NEW, frames=8)}) == (
        "runs/new against runs/old\n"
        "  host.frames: 10 → 8\n"
        "\n"
        "all VMs: 3 of 38 quantities differ\n"
        "                    base   value   change        %\n"
        "──────────────────────────────────────────────────\n"
        "host_major_faults    300     120     -180    -60.0\n"
        "double_faults         40       0      -40   -100.0\n"
        "cow_breaks             0       7       +7      new\n"
    )


def test_the_table_of_seeds():
    """Means, how many runs are behind them, and the interval of the change."""
    runs = {f"old{s}": ended({"reads": 10_000_000}, s) for s in (1, 2)}
    runs |= {f"new{s}": ended({"reads": 10_000_000, "frees": 1 + s}, s, 8) for s in (1, 2)}
    text = printed(runs)
    assert text.startswith("new1 against old1 (means of 2 and 2 seeds)\n")
    assert "frees      0     2.5     +2.5   new     -2.1 … +7.1\n" in text
    assert "reads" not in text


def test_each_vm_and_the_width():
    """Every VM under its name; long names and large numbers stay within 80 columns."""
    one = {"avoided_fill_reads": 987_654, "reads": 987_654_321}
    two = {"avoided_fill_reads": 123_456, "reads": 123_456_789}
    runs = {f"runs/{'o' * 70}{s}": ended(one, s, names="ab") for s in (1, 2)}
    runs |= {f"runs/{'n' * 70}{s}": ended(two, s, 8, names="ab") for s in (1, 2)}
    text = printed(runs, vms=True)
    assert [line for line in text.splitlines() if line.endswith("quantities differ")] == [
        f"{vm}: 2 of 38 quantities differ" for vm in ("all VMs", "a", "b")
    ]
    assert "988M" in text
    assert "987,654   123,456   -864,198   -87.5" in text
    assert max(map(len, text.splitlines())) <= 80


def test_equal_runs():
    """Nothing differs, and that is said; no table without rows."""
    assert printed({"old": ended(OLD), "new": ended(OLD)}) == (
        "new against old\n  the scenarios are equal\n\nall VMs: 0 of 38 quantities differ\n"
    )


def test_many_settings_are_cut():
    """A terminal shows ten."""
    names = "abcdefghijkl"
    new = ended(OLD, names=names)
    vms = [{**vm, "policy": "fifo"} for vm in new.machine["vms"]]
    text = printed({"old": ended(OLD, names=names), "new": replace(new, machine=new.machine | {"vms": vms})})
    assert "  vm.j.policy: – → fifo\n  and 2 more settings\n" in text
    assert "vm.k" not in text


def test_the_page(tmp_path):
    """Valid, offline, with every quantity that is not 0 on both sides, for all VMs and for each."""
    runs = {"<old>": ended(OLD, names="ab"), "new": ended(NEW, frames=8, names="ab")}
    path = write_page(compare(runs), settings(runs), tmp_path / "c.html")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.text_of("h1") == ["new against <old>"]
    assert page.text_of("h2") == ["Set differently", "new"]
    assert fetched(text) == []
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert all(e.attributes["scope"] in ("row", "col") for e in page.all("th"))
    heads = page.text_of("th")
    assert heads.count("host_major_faults") == 3
    assert heads.count("accesses") == 3
    assert "frees" not in heads
    assert page.text_of("td")[:2] == ["10", "8"]
    assert "95 % interval" not in heads


def test_the_page_of_seeds(tmp_path):
    """Has the interval, and says how many runs there are."""
    runs = {f"old{s}": ended(OLD, s) for s in (1, 2)} | {"new": ended(NEW, 1, 8)}
    page = Page(write_page(compare(runs), settings(runs), tmp_path / "c.html").read_text(encoding="utf-8"))
    assert "95 % interval" in page.text_of("th")
    assert page.text_of("h2")[1] == "new (means of 1 and 2 seeds)"


def test_the_page_replaces_nothing_unasked(tmp_path):
    """As everywhere."""
    runs = {"old": ended(OLD), "new": ended(NEW)}
    table, said = compare(runs), settings(runs)
    assert said.empty
    path = write_page(table, said, tmp_path / "c.html")
    assert "Nothing: the scenarios are equal." in path.read_text(encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        write_page(table, said, path)
    assert write_page(table, said, path, force=True) == path
