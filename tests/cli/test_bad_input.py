"""Bad input: one message that names the file, row or key, an exit code, no traceback, nothing left behind."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path

GZIP = str(trace_path("gzip"))
PAGES = np.arange(40_000) * 7 % 9_001


def _good(path) -> bytearray:
    tr.write_trace(path, {"page": PAGES, "time": np.arange(40_000)})
    return bytearray(path.read_bytes())


def _table(**columns):
    return lambda path: pq.write_table(pa.table(columns), path)


def _cut(path):
    data = _good(path)
    path.write_bytes(data[: len(data) // 2])


def _flipped(path):
    data = _good(path)
    data[len(data) // 3] ^= 4
    path.write_bytes(data)


def _text(text):
    return lambda path: path.write_text(text)


FOUR = [1, 2, 3, 4]
# name: what makes t.parquet, the beginning of the message
TRACES = {
    "no page column": (_table(pages=FOUR), "column page: not found (columns: pages); expected"),
    "page as text": (_table(page=["a"]), "column page: found type string; expected an integer type"),
    "page as float": (_table(page=[1.5]), "column page: found type double; expected an integer type"),
    "a null page": (_table(page=[1, None, 3]), "row 1: column page: found null; expected a number in every"),
    "a null time": (_table(page=FOUR, time=[1, 2, 3, None]), "row 3: column time: found null; expected"),
    "vm as text": (_table(page=FOUR, vm=list("abcd")), "column vm: found type string; expected an integer"),
    "time falls": (
        _table(page=FOUR, time=[1, 3, 2, 5]),
        "row 2: column time: found 2; expected 3 or more, the time of the row before; sort the rows by time",
    ),
    "time ends before it began": (_table(page=FOUR, time=[7, 8, 8, 2]), "row 3: column time: found 2; exp"),
    "unknown op": (
        _table(page=FOUR, op=[0, 1, 2, 4]),
        "row 3: column op: found 4; expected 0 (read), 1 (write), 2 (free) or 3 (fetch)",
    ),
    "cut off": (_cut, "a truncated or damaged Parquet file: its end cannot be read"),
    "a flipped bit": (_flipped, "row 0: damaged at or after this row: "),
    "not Parquet": (_text("page\n1\n2\n"), "not a Parquet file (it does not begin with PAR1); expected a"),
    "empty file": (_text(""), "an empty file; expected Parquet; make or copy it again"),
    "no rows": (_table(page=pa.array([], pa.uint64())), "found no rows; expected at least one access"),
    "not there": (lambda path: None, "no such file; check the path"),
    "broken metadata": (
        lambda path: pq.write_table(
            pa.table({"page": FOUR}).replace_schema_metadata({"tracereplay": "{oops"}), path
        ),
        "metadata: the text is not JSON",
    ),
}


@pytest.mark.parametrize("case", TRACES)
def test_a_bad_trace(command, files, tmp_path, case):
    """Replayed, alone and beside a good one, and looked at: the file and the row are named."""
    make, message = TRACES[case]
    make(tmp_path / "t.parquet")
    before = files()
    expected = f"tracereplay: t.parquet: {message}"
    for words in (
        ("replay", "t.parquet", "-q", "-o", "runs/x"),
        ("replay", GZIP, "t.parquet", "-q", "-o", "runs/x", "--json"),
        ("info", "t.parquet"),
        ("info", "t.parquet", "--json"),
    ):
        done = command(*words)
        assert done.code == 3
        assert done.err.startswith(expected)
        assert done.err.count("\n") == 1
        assert "Traceback" not in done.err
        assert words[0] == "info" or done.out == ""
    assert files() == before


def test_info_shows_what_it_can_of_a_bad_trace(command, tmp_path):
    """The table comes all the same, with the finding as the trace's health."""
    _table(page=FOUR, time=[7, 8, 8, 2])(tmp_path / "t.parquet")
    done = command("info", "t.parquet")
    assert done.code == 3
    assert "4 in 1 row group" in done.out
    assert "not in order" in done.out
    assert "health" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


# words after `replay GZIP`: exit code, message
SETTINGS = {
    "unknown policy": (
        ["--host", "lur"],
        2,
        '--host: found "lur"; expected one of "',
    ),
    "unknown guest policy": (["--guest", "nru"], 2, '--guest: found "nru"; expected one of "'),
    "unknown parameter": (["--guest", "lru:hot=1"], 2, "--guest: "),
    "unknown key": (
        ["--set", "host.polcy=lru"],
        2,
        "--set host.polcy: found an unknown key; expected one of memory, policy, skip_fill_reads, "
        "free_page_reporting, free_frames; did you mean policy?",
    ),
    "unknown section": (["--set", "hots.memory=3"], 2, "--set hots"),
    "unknown sharing": (
        ["--sharing", "ksn"],
        2,
        '--sharing: found "ksn"; expected one of "none", "ideal"',
    ),
    "unknown sharing key": (
        ["--sharing", "ksm:rat=3"],
        2,
        "--sharing, rat: found an unknown key; expected one",
    ),
    "balloon above the memory": (
        ["--balloon", "static", "--set", "vm.*.balloon=248"],
        3,
        '--set vm.*.balloon: found a balloon of 248 pages (992 KiB) for VM "gzip"; expected at most its '
        "memory of 247 pages",
    ),
    "a later balloon above the memory": (
        ["--balloon", "static", "--set", 'vm.*.balloon=[[0, 3], ["5M", 250]]'],
        3,
        "--set vm.*.balloon: found a balloon of 250 pages",
    ),
    "balloon of nobody": (["--balloon", "static"], 2, '--balloon: found "static" and no balloon'),
    "host of 0 frames": (
        ["--host-memory", "0"],
        3,
        '--host-memory: found "0"; expected at least one frame of 4096 bytes',
    ),
    "host of less than a frame": (
        ["--host-memory", "1KiB"],
        3,
        '--host-memory: found "1KiB"; expected at least',
    ),
    "memory of 0 pages": (
        ["--memory", "0"],
        3,
        '--memory: found "0" for VM "gzip"; expected at least one',
    ),
    "no size": (["--memory", "much"], 2, '--memory: found "much"; expected a size such as "64MiB"'),
    "duration without a clock": (["--tick", "1s"], 3, '--tick: found "1s"; expected an integer number of'),
    "seed": (
        ["--seed", "-1"],
        2,
        '--seed: found "-1"; expected a count such as 1000 or "100k"; it cannot be',
    ),
    "no such VM": (
        ["--set", "vm.7.memory=3"],
        2,
        '--set vm.7.memory: found no VM "7"; expected one of *, 0 (',
    ),
    "no key": (["--set", "x"], 2, 'found "x"; expected key=value, such as host.memory=50%'),
    "two scenarios": (["a.toml"], 2, "found a.toml beside other sources; expected one scenario, or only"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_bad_setting(command, files, case):
    """The flag is named that said it: 2 where it means nothing, 3 where it does not fit the trace."""
    words, code, message = SETTINGS[case]
    done = command("replay", GZIP, *words, "-o", "runs/x")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert done.err.count("\n") == 1
    assert files() == set()


def test_all_problems_at_once(command, files):
    """One message with a line for each."""
    words = ["--host", "lur", "--host-memory", "x", "--set", "foo=1", "--tick", "-1", "--sharing", "ks"]
    done = command("replay", GZIP, *words, "-o", "runs/x")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0].startswith("tracereplay: ")
    keys = {line.removeprefix("tracereplay: ").partition(":")[0] for line in lines}
    assert keys == {"--host", "--host-memory", "--set foo", "--tick", "--sharing"}
    assert len(lines) == 5
    assert files() == set()


def test_problems_found_with_the_traces_come_at_once_too(command):
    """Sizes can be judged only when the footprint is known."""
    words = ["--memory", "0", "--host-memory", "0", "--tick", "5s"]
    lines = command("replay", GZIP, *words).err.splitlines()
    keys = {line.removeprefix("tracereplay: ").partition(":")[0] for line in lines}
    assert keys == {"--memory", "--host-memory", "--tick"}


def test_problems_of_a_scenario_beside_those_of_flags(command, tmp_path):
    """Each by who said it, one VM's setting included."""
    vm = f'[[vm]]\ntrace = "{GZIP}"\nname = "web"\n'
    (tmp_path / "s.toml").write_text(f'tick = "1s"\n{vm}{vm.replace("web", "db")}')
    done = command("replay", "s.toml", "--set", "vm.db.memory=0", "--host-memory", "0")
    assert (done.code, done.out) == (3, "")
    assert [line.partition(": found")[0] for line in done.err.removeprefix("tracereplay: ").splitlines()] == [
        "--set vm.db.memory",
        "--host-memory",
        "tick",
    ]


SCENARIOS = {
    "not there": (None, "s.toml: found no such file; expected a scenario in TOML"),
    "broken": ("[host\n", "s.toml: found broken TOML, "),
    "no quotes": ("[host]\nmemory = 75%\n", "s.toml: found broken TOML, "),
    "unknown key": ("[hots]\nmemory = 3\n", "s.toml: hots: found an unknown key; expected one of seed, tick"),
    "misplaced key": ("memory = 3\n", "s.toml: memory: found an unknown key; expected one of seed, tick"),
    "VM without trace": ("[[vm]]\nmemory = 3\n", "s.toml: vm.0.trace: found nothing; expected the path of a"),
    "no VM": ("seed = 3\n", "vm: found no VM and no trace; expected at least one [[vm]] with a trace"),
    "one table": ('[vm]\ntrace = "x"\n', "s.toml: vm: found one table; expected a list of tables; did you"),
    "trace not there": ('[[vm]]\ntrace = "x.parquet"\n', "x.parquet: no such file; check the path"),
    "no such VM of the trace": (
        f'[[vm]]\ntrace = "{GZIP}"\ntrace_vm = 1\n',
        "vm.0.trace_vm: found 1; expected an index below 1, or one of ",
    ),
}


@pytest.mark.parametrize("case", SCENARIOS)
def test_a_bad_scenario(command, files, tmp_path, case):
    """A file's problems start with its name."""
    text, message = SCENARIOS[case]
    if text is not None:
        (tmp_path / "s.toml").write_text(text)
    before = files()
    done = command("replay", "s.toml", "-o", "runs/x")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"tracereplay: {message}")
    assert done.err.count("\n") == 1
    assert files() == before


# words: what the usage error names
USAGE = {
    "unknown verb": (["reply", GZIP], '"reply"'),
    "unknown flag": (["replay", GZIP, "--hots", "lru"], "--hots"),
    "unknown short flag": (["info", GZIP, "-z"], "-z"),
    "flag without value": (["replay", GZIP, "--host"], "--host"),
    "nothing to replay": (["replay"], "source"),
    "nothing to look at": (["info"], "SOURCE"),
    "one too many": (["info", GZIP, "two.parquet"], "two.parquet"),
    "bench: not a number": (["bench", "--rounds", "x"], "--rounds"),
    "bench: not a count": (["bench", "--accesses", "many"], '--accesses: found "many"; expected a count'),
    "bench: no accesses": (["bench", "--accesses", "0"], "--accesses: found 0; expected a number from 1"),
    "bench: no pages": (["bench", "--pages", "0"], "--pages: found 0; expected a number from 1"),
    "bench: no frames": (["bench", "--frames", "0"], "--frames: found 0; expected a number from 1"),
    "bench: too many frames": (["bench", "--frames", "3G"], "--frames: found 3000000000; expected a number"),
    "bench: negative alpha": (["bench", "--alpha=-1"], "--alpha: found -1.0; expected a number from 0 on"),
    "bench: no rounds": (["bench", "--rounds", "0"], "--rounds: found 0; expected at least 1"),
    "bench: no directory": (
        ["bench", "--dir", "gone"],
        "--dir: found gone; expected a directory that exists",
    ),
    "bench: unknown rival": (["bench", "--against", "x"], "--against: found 'x'; expected libcachesim"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(command, files, case):
    """Exit code 2 and the word that does not fit; nothing is run."""
    words, message = USAGE[case]
    done = command(*words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert max(map(len, done.err.splitlines())) <= 80 or done.err.count("\n") == 1
    assert files() == set()


def test_a_damaged_run(command, tmp_path):
    """info of a run that is not whole."""
    assert command("replay", GZIP, "-o", "run", "-q").code == 0
    (tmp_path / "run" / "timeline.parquet").unlink()
    done = command("info", "run")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("tracereplay: run/timeline.parquet: not found; expected a run directory")
    assert command("info", "gone").err == "tracereplay: gone: no such file; check the path\n"


def test_a_broken_law_has_a_code_of_its_own(command, files, monkeypatch):
    """--check fails with 1 and leaves nothing."""
    from tracereplay.core import invariants
    from tracereplay.errors import InvariantError

    def broken(state):
        raise InvariantError("law 1: VM 0: free + mapped + ballooned = 3; expected 4")

    monkeypatch.setattr(invariants, "check", broken)
    done = command("replay", GZIP, "--check", "-q", "-o", "run")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("tracereplay: law 1: VM 0")
    assert files() == set()
