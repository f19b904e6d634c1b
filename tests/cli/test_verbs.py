"""Every verb does its work: data on standard output, talk on standard error, files where asked."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
from process import clean, on_a_terminal, tracereplay

import tracereplay as tr
from tracereplay import policies
from tracereplay.bundled import trace_path
from tracereplay.core.invariants import LAWS
from tracereplay.scenario import json_schema
from tracereplay.studies.demo import PROGRAMS, WAYS

GZIP = trace_path("gzip")
TWO = trace_path("two-guests")
FILES = {"summary.json", "timeline.parquet", "provenance.json"}
HAS_RIVAL = importlib.util.find_spec("libcachesim") is not None


def cells(out: str) -> dict[str, list[str]]:
    """The lines of a table by their first words."""
    lines = (re.split(r"  +", line.strip()) for line in out.splitlines())
    return {first: rest for first, *rest in lines if rest}


def widest(out: str) -> int:
    return max(map(len, out.splitlines()))


# ---- replay ---------------------------------------------------------------------------------------


def test_replay_prints_a_table(command, files):
    """The numbers of the API, in 80 columns, and nothing is written without -o."""
    done = command("replay", GZIP, "--host-memory", "75%", "--guest", "lru", "--memory", "75%", "-q")
    assert (done.code, done.err) == (0, "")
    said = {"host": {"memory": "75%"}, "vm": [{"trace": str(GZIP), "memory": "75%"}]}
    expected = tr.replay(said).totals
    shown = cells(done.out)
    for name in ("accesses", "guest_major_faults", "double_faults", "silent_swap_writes", "frames_in_use"):
        assert shown[name] == [f"{expected[name]:,}"] * 2
    assert "ballooned" not in shown
    assert "host: 138 frames (552 KiB), random; guests: lru." in done.out
    assert widest(done.out) <= 80
    assert files() == set()


def test_replay_json_is_the_summary(command):
    """Valid JSON and nothing else on standard output."""
    done = command("replay", GZIP, "--json", "--seed", "7")
    assert done.code == 0
    found = json.loads(done.out)
    expected = tr.replay({"seed": 7, "vm": [{"trace": str(GZIP)}]}).summary()
    assert found == json.loads(json.dumps(expected))
    assert found["scenario"]["seed"] == 7


def test_replay_of_several_traces_and_of_a_scenario(command, tmp_path):
    """Flags go on top of a file's settings, as they go on top of the defaults."""
    toml = tmp_path / "s.toml"
    toml.write_text(f'[host]\nmemory = 100\n[[vm]]\ntrace = "{GZIP}"\nname = "a"\n')
    one = json.loads(command("replay", toml, "--json", "--host", "random").out)
    two = json.loads(command("replay", GZIP, "--json", "--host-memory", "100").out)
    assert one["totals"] == two["totals"]
    more = [
        "--host-memory",
        "70",
        "--set",
        "vm.a.memory=80",
        "--set",
        "host.skip_fill_reads=true",
        "--set",
        "costs.access=1",
    ]
    three = json.loads(command("replay", toml, "--json", *more).out)
    assert three["vms"][0]["memory_pages"] == 80
    assert three["totals"]["avoided_fill_reads"] > 0
    assert three["scenario"]["costs"]["access"] == 1
    both = json.loads(command("replay", GZIP, GZIP, "--json").out)
    assert [vm["vm"] for vm in both["vms"]] == ["gzip", "gzip-2"]


def test_settings_of_one_vm(command):
    """A VM of a trace of several is set by its name or index in the run; others are refused."""
    where = ("replay", TWO, GZIP, "--json", "-q")
    words = ["--set", "vm.guest2.memory=30000", "--set", "vm.2.policy=clock"]
    found = json.loads(command(*where, *words).out)
    assert [(vm["vm"], vm["memory_pages"]) for vm in found["vms"]] == [
        ("guest1", 20_049),
        ("guest2", 30_000),
        ("gzip", 247),
    ]
    assert [vm["policy"] for vm in found["scenario"]["vms"]] == ["lru", "lru", "clock"]
    refused = command(*where, "--set", "vm.guest3.memory=30000")
    names = '0 ("guest1"), 1 ("guest2"), 2 ("gzip")'
    assert refused.code == 2
    assert f'--set vm.guest3.memory: found no VM "guest3"; expected one of *, {names}\n' in refused.err


def test_replay_check_says_what_was_proved(command):
    """With --check the laws stand in the output; the numbers are the same."""
    plain, checked = command("replay", GZIP, "--json"), command("replay", GZIP, "--json", "--check")
    assert (checked.code, plain.code) == (0, 0)
    one, other = json.loads(plain.out), json.loads(checked.out)
    assert other.pop("laws_checked") == list(LAWS)
    assert one.pop("laws_checked") == []
    assert one == other
    assert f"laws checked: {len(LAWS)}, all hold\n" in checked.err


def test_replay_writes_a_run_directory(command, files, tmp_path):
    """Exactly the three files; what was printed is what was written."""
    done = command("replay", GZIP, "-o", "runs/first", "--json")
    assert files() == {"runs", "runs/first", *(f"runs/first/{name}" for name in FILES)}
    assert json.loads(done.out) == json.loads((tmp_path / "runs/first/summary.json").read_text())
    assert done.err.endswith("run written to runs/first\n")
    assert tr.load_run("runs/first").provenance["inputs"][str(GZIP)]["path"] == str(GZIP.resolve())


def test_replay_refuses_to_overwrite(command, files, tmp_path):
    """Before it replays anything; --force overwrites a run, but nothing that is not one."""
    assert command("replay", GZIP, "-o", "run", "-q").code == 0
    before = (tmp_path / "run/summary.json").read_bytes()
    refused = command("replay", GZIP, "-o", "run", "--seed", "1")
    assert (refused.code, refused.out) == (3, "")
    assert refused.err == (
        "tracereplay: run: exists already; choose another directory or overwrite it with --force\n"
    )
    assert (tmp_path / "run/summary.json").read_bytes() == before
    assert command("replay", GZIP, "-o", "run", "--seed", "1", "--force", "-q").code == 0
    assert (tmp_path / "run/summary.json").read_bytes() != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    refused = command("replay", GZIP, "-o", "mine", "--force")
    assert (refused.code, refused.out) == (3, "")
    assert "mine: exists and is not a run directory, so it is not overwritten" in refused.err
    assert files() == {"run", *(f"run/{name}" for name in FILES), "mine", "mine/thesis.tex"}


def test_replay_finds_a_bad_place_before_it_starts(command, tmp_path):
    """A file where a directory would have to be."""
    (tmp_path / "file").write_text("x")
    done = command("replay", GZIP, "-o", "file/run")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("tracereplay: file/run: cannot be written: ")


def test_quiet_leaves_only_warnings(command, tmp_path):
    """No talk with --quiet; warnings stay, as they change what the numbers mean."""
    quiet = command("replay", GZIP, "-q", "--check", "-o", "run", "--memory", "127")
    assert quiet.code == 0
    assert quiet.err.startswith("warning: host.memory: with reduced traces, exact from 64 pages on")
    assert quiet.err.count("\n") == 1
    assert len(tr.load_run("run").warnings) == 1


def test_a_memory_below_what_a_reduced_trace_tells_is_refused(command, files):
    """Guest and host at once, found, expected, what to do; nothing is run."""
    refused = command("replay", GZIP, "-o", "run", "--memory", "63", "--host-memory", "62")
    advice = "pages, from which on its faults are exact; give it more memory, or record or reduce the trace"
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.count(advice) == 2
    assert '--memory: found 63 pages for VM "gzip", whose trace is reduced; expected at least 64' in (
        refused.err
    )
    assert "--host-memory: found 62 frames for VMs whose traces are reduced; expected at least 63" in (
        refused.err
    )
    assert files() == set()


def test_a_balloon_above_its_cap_is_clipped_and_said_so(command):
    """More than balloon.max of a VM's memory: the cap it is (more than all of it is refused)."""
    done = command("replay", GZIP, "--balloon", "static", "--set", "vm.*.balloon=90%", "-q", "--json")
    assert done.code == 0
    assert done.err.startswith(
        'warning: vm.0.balloon: a balloon of 222 pages (888 KiB) for VM "gzip" is clip'
    )
    assert done.err.count("\n") == 1
    assert json.loads(done.out)["totals"]["ballooned"] == 160


def test_a_warning_tells_of_traces_without_contents(command, tmp_path):
    """Sharing where only some traces can share."""
    tr.write_trace(tmp_path / "bare.parquet", {"page": [1, 2, 3]})
    done = command("replay", GZIP, "bare.parquet", "--sharing", "esx:rate=10", "-q", "--json")
    assert done.code == 0
    assert 'warning: sharing.mode: no page contents in "bare.parquet": pages of unknown' in done.err
    assert len(json.loads(done.out)["warnings"]) == 1


def test_talk_never_reaches_standard_output():
    """In a process: JSON alone in the one pipe, talk in the other."""
    done = tracereplay("replay", GZIP, "--json", "--check")
    assert done.returncode == 0
    assert json.loads(done.stdout)["totals"]["accesses"] == 2368
    assert "laws checked" in done.stderr


def test_a_bar_on_a_terminal_goes_away(tmp_path):
    """Progress is drawn on a terminal and erased; the table stays."""
    line = [sys.executable, "-m", "tracereplay", "replay", str(GZIP)]
    text = on_a_terminal(line, clean(TERM="xterm"))
    assert "replay ━" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert "\x1b[2K" in text
    assert "guest_minor_faults" in text


def test_progress_lines_where_there_is_no_terminal(capsys):
    """A line every few seconds, not one per batch."""
    from tracereplay.cli import _console

    with _console.progress("replay") as update:
        update(1, 10)
        assert capsys.readouterr() == ("", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_console, "_SECONDS_BETWEEN_LINES", 0.0)
        with _console.progress("replay") as update:
            update(1_000, 10_000)
    assert capsys.readouterr() == ("", "replay: 1,000 of 10,000 rows\n")
    with _console.progress("replay", quiet=True) as update:
        assert update is None


def test_many_vms_and_large_numbers_fit(command, tmp_path, monkeypatch):
    """A row per VM where columns do not fit; the same in a terminal that is too narrow."""
    done = command("replay", *[GZIP] * 7, "-q")
    monkeypatch.setenv("COLUMNS", "40")
    assert command("replay", *[GZIP] * 7, "-q").out == done.out
    assert done.code == 0
    assert widest(done.out) <= 80
    assert "…" not in done.out
    shown = cells(done.out)
    assert {"gzip", "gzip-2", "gzip-7", "all VMs"} <= set(shown)
    assert shown["all VMs"][0] == f"{7 * 247:,}"


@pytest.mark.parametrize("words", [("schema",), ("replay", "-q", str(GZIP)), ("policies",)])
def test_a_reader_that_stops_is_no_error(words):
    """As in ``tracereplay … | head -1``."""
    ours, theirs = os.pipe()
    os.close(ours)
    line = [sys.executable, "-m", "tracereplay", *words]
    done = subprocess.run(line, stdout=theirs, stderr=subprocess.PIPE, env=clean(), check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_behind_standard_output_is_told():
    """No traceback for what the system refuses."""
    if not os.path.exists("/dev/full"):
        pytest.skip("/dev/full exists on Linux only")
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "tracereplay", "schema"]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, env=clean(), check=False)
    assert "tracereplay: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


def test_too_little_memory_is_told(command, monkeypatch):
    """A machine that is too large for this one ends with a message."""

    def no_memory(*words, **options):
        raise MemoryError("Unable to allocate 7.28 TiB")

    monkeypatch.setattr("tracereplay.run.replay", no_memory)
    done = command("replay", GZIP)
    assert done.code == 3
    assert done.err == "tracereplay: out of memory: Unable to allocate 7.28 TiB; simulate fewer pages\n"


# ---- info, policies, schema -----------------------------------------------------------------------


def test_info_of_a_trace(command):
    """What it holds, as text and as JSON."""
    done = command("info", GZIP)
    assert (done.code, done.err) == (0, "")
    assert widest(done.out) <= 80
    shown = cells(done.out)
    assert shown["rows"][0].startswith("2,368 in 1 row group; ")
    assert shown["time"] == ["0 to 24,657,928 accesses"]
    assert shown["gzip"] == ["linux", "247", "988 KiB"]
    assert shown["exact above"] == ["64 pages (reduced trace)"]
    assert shown["health"] == ["ok"]
    found = json.loads(command("info", GZIP, "--json").out)
    assert found == json.loads(json.dumps(tr.info(GZIP)))


def test_info_of_two_vms(command):
    """A line per VM."""
    shown = cells(command("info", trace_path("two-guests")).out)
    assert shown["guest1"] == ["linux", "20k", "78.3 MiB"]
    assert shown["guest2"] == ["linux", "20.2k", "78.9 MiB"]


def test_a_name_in_brackets_is_text(command):
    """What looks like markup of the terminal is printed as it stands, in every verb that names VMs."""
    tr.write_trace("odd.parquet", {"page": [1, 2, 1]}, vms=[{"name": "[/]"}])
    for words in (["info", "odd.parquet"], ["replay", "odd.parquet", "-o", "run", "-q"], ["info", "run"]):
        done = command(*words)
        assert done.code == 0
        assert "[/]" in done.out


def test_info_of_a_run(command, tmp_path):
    """Where it came from, what it covers, the table that replay printed; as JSON the summary."""
    first = command("replay", GZIP, "-o", "run", "-q", "--check")
    done = command("info", "run")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(first.out)
    assert widest(done.out) <= 80
    shown = cells(done.out.removesuffix(first.out))
    assert {"run", "command", "trace 1", "seed", "timeline"} <= set(shown)
    assert json.loads((tmp_path / "run/provenance.json").read_text())["started"] in shown["made"][0]
    assert shown["time"] == ["0 to 24,657,928 accesses"]
    assert shown["laws"] == [f"{len(LAWS)} checked, all hold"]
    assert shown["health"] == ["ok"]
    found = command("info", tmp_path / "run", "--json")
    assert found.out == (tmp_path / "run/summary.json").read_text()


@pytest.mark.parametrize("name", sorted(FILES))
def test_info_of_a_run_that_lacks_a_file(command, tmp_path, name):
    """It is told as a damaged run, not as a trace of the wrong form."""
    command("replay", GZIP, "-o", "run", "-q")
    (tmp_path / "run" / name).unlink()
    done = command("info", "run")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"tracereplay: run/{name}: not found; expected a run directory")


def test_policies_lists_what_there_is(command):
    """Every policy with its rule."""
    done = command("policies")
    assert (done.code, done.err) == (0, "")
    assert widest(done.out) <= 80
    assert set(policies.names()) <= set(cells(done.out))
    found = json.loads(command("policies", "--json").out)
    assert [row["policy"] for row in found] == list(policies.names())
    assert all(row["rule"].endswith(".") and isinstance(row["parameters"], dict) for row in found)


def test_schema_is_json_schema(command):
    """The same with --json, which every verb has."""
    done = command("schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == json.loads(json.dumps(json_schema()))
    assert command("schema", "--json") == done


# ---- demo -----------------------------------------------------------------------------------------


def test_demo_shows_double_paging_and_the_remedies(command, files, tmp_path):
    """Three run directories and the facts that the closing sentences rest on."""
    done = command("demo", "-o", "demo")
    assert done.code == 0
    assert widest(done.out) <= 80
    names = ("host-paging", "balloons", "balloons-and-sharing")
    assert files() == {
        "demo",
        *(f"demo/{n}" for n in names),
        *(f"demo/{n}/{f}" for n in names for f in (*FILES, "report.html")),
    }
    paging, balloons, sharing = (tr.load_run(tmp_path / "demo" / name) for name in names)
    for run in (paging, balloons, sharing):
        assert list(run.vms.index) == list(PROGRAMS)
        assert run.totals["accesses"] == sum(tr.open_trace(trace_path(p)).n_rows for p in PROGRAMS)
        assert run.machine["host"] == paging.machine["host"]
        assert run.vms["memory_pages"].tolist() == paging.vms["memory_pages"].tolist()
        assert run.warnings == ()
    double = [
        sum(run.totals[name] for name in ("double_faults", "stale_reads", "false_reads"))
        for run in (paging, balloons, sharing)
    ]
    assert double[0] > 0.2 * paging.totals["host_major_faults"]
    assert double[1] < 0.05 * double[0]
    assert balloons.totals["host_major_faults"] < 0.05 * paging.totals["host_major_faults"]
    assert balloons.totals["guest_major_faults"] > paging.totals["guest_major_faults"]
    assert balloons.estimated_ns < paging.estimated_ns
    assert sharing.totals["ballooned"] < balloons.totals["ballooned"]
    assert sharing.totals["reclaimed"] > 0
    assert sharing.estimated_ns < balloons.estimated_ns
    assert [run.totals["reclaimed"] for run in (paging, balloons)] == [0, 0]
    shown = cells(done.out)
    assert shown["host major faults"] == [
        f"{run.totals['host_major_faults']:,}" for run in (paging, balloons, sharing)
    ]
    assert shown["of them double paging"] == [f"{n:,}" for n in double]
    said = " ".join(done.out.split())
    assert f"Double paging: {double[0]:,} of {paging.totals['host_major_faults']:,} host faults" in said
    assert "run directories: demo/host-paging, demo/balloons, demo/balloons-and-sharing" in done.err
    assert "open demo/host-paging/report.html in a browser" in done.err
    assert "were double paging" in (tmp_path / "demo/host-paging/report.html").read_text()

    refused = command("demo", "-o", "demo")
    assert (refused.code, refused.out) == (3, "")
    assert "demo/host-paging: exists already" in refused.err
    again = command("demo", "-o", "demo", "--force", "--json", "-q")
    assert (again.code, again.err) == (0, "")
    found = json.loads(again.out)
    assert list(found) == list(WAYS)
    assert found["balloons"] == json.loads((tmp_path / "demo/balloons/summary.json").read_text())


# ---- bench ----------------------------------------------------------------------------------------

SMALL = ("--accesses", "20k", "--pages", "1k", "--frames", "100", "--rounds", "1", "--policy", "fifo,clock")


def test_bench_measures_us(command, files):
    """Every contestant has a speed, one level has misses; no trace file stays behind."""
    done = command("bench", *SMALL, "--json", "--dir", ".")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["workload"]["accesses"] == 20_000
    results = found["results"]
    assert {name: row["misses"] is None for name, row in results.items()} == {
        "lru, every size in one pass, from Parquet": False,
        "one level, lru, from Parquet": False,
        "one level, lru, kernel only": False,
        "one level, fifo, kernel only": False,
        "one level, clock, kernel only": False,
        "two levels, lru + random, esx sharing, from Parquet": True,
        "the same for 8 machines in one call, two jobs": True,
    }
    assert all(row["accesses_per_second"] > 0 and "ratio" not in row for row in results.values())
    curve, whole, kernel = list(results.values())[:3]
    assert curve["misses"] == whole["misses"] == kernel["misses"]
    assert 0 < kernel["misses"] < results["one level, fifo, kernel only"]["misses"] < 20_000
    assert 0 < found["memory"]["distinct_pages"] <= 1000
    assert found["memory"]["peak_bytes"] > 0
    assert "misses_agree" not in found
    assert done.err.splitlines()[0] == "writing the trace"
    assert files() == set()


@pytest.mark.skipif(not HAS_RIVAL, reason="libcachesim is not installed: pip install tracereplay[bench]")
def test_bench_against_libcachesim(command):
    """Both count the same misses where the policies are the same; ratios are to its LRU."""
    done = command("bench", *SMALL, "--against", "libcachesim", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["misses_agree"] == {"lru": True, "fifo": True, "clock": True}
    assert len(found["results"]) == 10
    assert "libcachesim Clock" in found["results"]
    assert found["results"]["libcachesim LRU"]["ratio"] == 1
    assert all(row["ratio"] > 0 for row in found["results"].values())
    text = command("bench", *SMALL, "--against", "libcachesim", "-q").out
    assert widest(text) <= 80
    assert "Misses agree with the rival's for: lru, fifo, clock." in text


def test_bench_says_how_to_get_the_rival(command, monkeypatch):
    """Before anything is measured."""
    monkeypatch.setitem(sys.modules, "libcachesim", None)
    done = command("bench", *SMALL, "--against", "libcachesim")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "tracereplay: --against libcachesim: not installed here; expected the package libcachesim: "
        "pip install libcachesim\n"
    )
