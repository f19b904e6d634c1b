"""Recording with lackey: every access of programs whose accesses and contents are known, and how they end."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path

import pytest
from capture.programs import BASE, Row, build, filled, left_behind, recorded, running, verb

from tracereplay.errors import CaptureError, UsageError
from tracereplay.trace import open_trace
from tracereplay.trace.capture import Outcome, _ptrace, capture, lackey
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.capture._program import Program
from tracereplay.trace.schema import Op

try:
    lackey.probe()
except CaptureError as why:
    pytestmark = pytest.mark.skip(reason=str(why))

R, W = Op.READ, Op.WRITE


def distinct(rows: list[Row]) -> list[Row]:
    """The rows without those that are like the one before."""
    return [row for row, _ in groupby(rows)]


def test_every_access_and_its_content(tmp_path):
    """Loads, stores, accesses across pages, and what read(2) and write(2) do to buffers; in order."""
    (tmp_path / "file").write_bytes(b"\x77" * 4096)
    program = build(
        tmp_path,
        """
        int file = open(argv[1], O_RDWR);
        for (int page = 0; page < 4; page++) fill(page, page + 1);
        fill(4, 0);
        int sum = base[200 * 4096];
        sum += read(file, (void *)(base + 300 * 4096), 4096);
        sum += write(file, (void *)(base + 400 * 4096), 100);
        *(volatile long *)(base + 501 * 4096 - 4) = -1;
        base[600 * 4096] += sum;
        return sum != 4196;
        """,
    )
    captured, rows = recorded(tmp_path, "lackey", program, str(tmp_path / "file"))
    assert captured.exit_code == 0
    contents = {row.page: row.content for row in rows if row.page >= 500}
    assert distinct(rows) == [
        *(Row(page, W, filled(page + 1)) for page in range(4)),
        Row(4, W, 0),
        Row(200, R, 0),
        Row(300, W, filled(0x77)),
        Row(400, R, 0),
        *(Row(page, W, contents[page]) for page in (500, 501)),
        # one access that modifies, or a load, of a content that is gone by the end, and a store
        *(row for row in [Row(600, R, None)] if row in rows),
        Row(600, W, contents[600]),
    ]
    assert len(rows) in (5 * 4096 + 6, 5 * 4096 + 7)


def test_time_counts_accesses(tmp_path):
    """An access across pages is two rows of one time; the trace says how it was made."""
    program = build(tmp_path, "*(volatile long *)(base + 4092) = 1;")
    captured, _ = recorded(tmp_path, "lackey", program)
    trace = open_trace(tmp_path / "recorded.parquet")
    (batch,) = trace.batches(batch_rows=1 << 22)
    (first,) = (batch.page == BASE).nonzero()[0]
    assert batch.page[first : first + 2].tolist() == [BASE, BASE + 1]
    assert batch.time[first] == batch.time[first + 1] == batch.time[first + 2] - 1
    source = captured.metadata.source
    assert source["raw_accesses"] == batch.time[-1] + 1
    assert (source["contents_changed_unexplained"], source["children"]) == (0, "none seen")
    assert (captured.metadata.time_unit, captured.metadata.page_space) == ("accesses", "guest-virtual")
    assert {Op.READ, Op.WRITE, Op.FETCH} == {*batch.op.tolist()}


@pytest.mark.parametrize("parameters", [{}, {"exact_above": 8}])
def test_contents_at_intervals(tmp_path, parameters):
    """A page that is filled again has other contents in a later interval, reduced or not."""
    program = build(
        tmp_path,
        """
        for (int byte = 1; byte <= 3; byte++) {
            fill(0, byte);
            for (volatile int i = 0; i < 40000; i++);
            for (int page = 0; page < 20; page++) base[page * 4096];
            for (volatile int i = 0; i < 40000; i++);
        }
        """,
    )
    captured, rows = recorded(tmp_path, "lackey", program, interval="20k", **parameters)
    reads = [row.content for row in rows if (row.page, row.op) == (0, R)]
    assert reads == [filled(byte) for byte in (1, 2, 3)]
    reduction = captured.metadata.reduction
    assert reduction == ({"method": "sad", **parameters} if parameters else None)
    assert (captured.metadata.rows < captured.metadata.source["raw_accesses"] / 20) == bool(parameters)


ENDINGS = {
    "an exit code": ("fill(0, 1); exit(3);", 3, filled(1)),
    "an exit at once": ("fill(0, 1); _exit(0);", 0, filled(1)),
    "a crash": ("fill(0, 1); *(volatile int *)8 = 1;", -signal.SIGSEGV, filled(1)),
    "a signal of its own": ("fill(0, 1); kill(getpid(), SIGTERM);", -signal.SIGTERM, filled(1)),
    "descriptors that it closes": ("for (int i = 3; i < 1100; i++) close(i); fill(0, 1);", 0, filled(1)),
    "a child that it forks": (
        "if (fork() == 0) { fill(1, 9); _exit(7); } wait(0); fill(0, 1);",
        0,
        filled(1),
    ),
    "signals that it handles": (
        "signal(SIGUSR1, SIG_IGN); for (int i = 0; i < 20; i++) raise(SIGUSR1); fill(0, 1);",
        0,
        filled(1),
    ),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_endings(tmp_path, case):
    """The exit code is the program's, the trace is kept, and the last contents are known."""
    body, code, content = ENDINGS[case]
    captured, rows = recorded(tmp_path, "lackey", build(tmp_path, body))
    assert (captured.exit_code, captured.interrupted) == (code, False)
    assert distinct(rows) == [Row(0, W, content)]


def test_a_killed_program(tmp_path):
    """SIGKILL leaves no memory to read: what was not looked at before is unknown."""
    program = build(tmp_path, "fill(0, 1); kill(getpid(), SIGKILL);")
    captured, rows = recorded(tmp_path, "lackey", program)
    assert captured.exit_code == -signal.SIGKILL
    assert distinct(rows) in ([Row(0, W, None)], [Row(0, W, filled(1))])


def test_a_static_program(tmp_path):
    """No dynamic loader is needed."""
    captured, rows = recorded(tmp_path, "lackey", build(tmp_path, "fill(0, 1);", "", "-static"))
    assert (captured.exit_code, distinct(rows)) == (0, [Row(0, W, filled(1))])


def test_threads(tmp_path):
    """All are seen, and stopped together: no page is hashed while another thread fills it again.

    What no instruction does is the kernel's clearing of a thread's id as it ends.
    """
    before = """
    static void *work(void *number) {
        for (int byte = 1; byte <= 9; byte++) fill((int)(long)number, byte);
        return 0;
    }
    """
    body = """
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(threads + i, 0, work, (void *)i);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    """
    captured, rows = recorded(tmp_path, "lackey", build(tmp_path, body, before), interval="30k")
    assert captured.exit_code == 0
    assert captured.metadata.source["contents_changed_unexplained"] <= 3
    for page in range(3):
        mine = [row for row in rows if row.page == page]
        assert (len(mine), mine[-1].content) == (9 * 4096, filled(9))


def test_exec(tmp_path):
    """What a program becomes by exec is not recorded; the trace says so, the exit code is the last one's."""
    program = build(tmp_path, 'fill(0, 1); execl("/bin/sh", "sh", "-c", "exit 5", (char *)0);')
    captured, rows = recorded(tmp_path, "lackey", program)
    assert captured.exit_code == 5
    assert "replaced itself by exec" in captured.metadata.source["ended_early"]
    assert distinct(rows) == [Row(0, W, None)]


def test_a_recording_that_is_given_up(tmp_path):
    """The program, and what it forked, end with it."""
    program = build(tmp_path, "fork(); for (;;) fill(0, 1);")
    outcome = Outcome()
    with closing(lackey.record([program], outcome, Interrupt(), interval=50_000)) as rows:
        assert any(len(running(program)) == 2 for _ in islice(rows, 1000))
    assert left_behind(program) == []


def test_what_cannot_be_run_leaves_nothing(tmp_path, monkeypatch):
    """Neither a program that is not there, nor a file that is none or may not be run; nor wrong words."""
    target = tmp_path / "t.parquet"
    with pytest.raises(CaptureError, match=r'^found no program "nosuch"; expected one on the PATH'):
        capture(["nosuch"], target)
    other = bytearray(Path("/bin/true").read_bytes())
    other[18:20] = b"\x00\x00"  # for no machine
    broken = tmp_path / "broken"
    broken.write_bytes(other)
    broken.chmod(0o755)
    with pytest.raises(CaptureError, match=r"before its first access; expected a program that Valgrind can"):
        capture([str(broken)], target)
    broken.chmod(0o644)
    with pytest.raises(CaptureError) as forbidden:
        capture([str(broken)], target)
    assert str(forbidden.value) == (
        f'found "{broken}", which may not be executed; expected a program (chmod +x makes it one)'
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaptureError, match=r"^found no program \"broken\"; .*; did you mean \./broken\?$"):
        capture(["broken"], target)
    for parameters in ({"interval": 0}, {"exact_above": -1}):
        with pytest.raises(UsageError, match=r"^capture: .*found (0|\"?-1\"?); expected"):
            capture(["true"], target, **parameters)
    assert {path.name for path in tmp_path.iterdir()} == {"broken"}


def test_a_machine_without_valgrind(monkeypatch):
    """What to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CaptureError, match=r"^found no valgrind; .*apt-get install valgrind"):
        lackey.probe()


# ---- the command line ------------------------------------------------------------------------------


def test_the_program_runs_as_ever(tmp_path):
    """Its words (a lone - too), its input and its output are its own; ours follow."""
    with verb("-o", tmp_path / "t.parquet", "--exact-above", 16, "--json", "--", "cat", "-") as process:
        out, err = process.communicate("hello\n", timeout=60)
    assert process.returncode == 0
    assert out.startswith('hello\n{\n "format": 1')
    assert "rows of cat written to" in err
    trace = open_trace(tmp_path / "t.parquet")
    assert trace.metadata.source["command"] == ["cat", "-"]
    assert (trace.metadata.vms[0].name, trace.metadata.exact_above) == ("cat", 16)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sh", "-c", "exit 3"], 1, "warning: sh failed (exit code 3); the "),
        (["sh", "-c", "kill -SEGV $$"], 1, "warning: sh failed (killed by SIGSEGV); the "),
        (["sh", "-c", "kill -40 $$"], 1, "warning: sh failed (killed by signal 40); the "),
        (["nosuch"], 3, 'tracereplay: found no program "nosuch"; expected one on the PATH, or its path\n'),
    ],
)
def test_how_the_program_ended(tmp_path, words, code, said):
    """Its failure is ours, and the trace is kept; nothing is written where nothing ran."""
    with verb("-o", tmp_path / "t.parquet", "--", *words) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err[: len(said)]) == (code, said)
    assert (tmp_path / "t.parquet").exists() == (code == 1)


def test_words_that_do_not_fit(tmp_path):
    """The recorder reads its own parameters."""
    with verb("-o", tmp_path / "t.parquet", "--interval", "10ms", "--", "true") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith(
        'tracereplay: capture: parameter interval of recorder lackey: found "10ms"; expected a'
    )


def test_the_list(tmp_path):
    """Recorders, what each sees, and whether it can run here."""
    with verb("--list", "--json") as process:
        out, _ = process.communicate(timeout=60)
    assert '"recorder": "lackey"' in out
    assert '"runs here": "yes"' in out


def test_a_stopped_program_that_is_killed():
    """It goes on to its end as another one does, though it is no longer in the stop that was seen."""
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    _ptrace.seize(pid, _ptrace.TRACE_EXIT)
    os.kill(pid, signal.SIGSTOP)
    while (stop := _ptrace.wait(pid)) and stop.event != _ptrace.EVENT_STOP:
        _ptrace.resume(stop)
    os.kill(pid, signal.SIGKILL)
    while "(sleep) t" not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.001)
    _ptrace.resume(stop)
    while (stop := _ptrace.wait(pid)) and stop.exit_code is None:
        _ptrace.resume(stop)
    assert stop.exit_code == -signal.SIGKILL


def test_a_program_that_ends_before_it_can_be_traced():
    """It has an exit code; the kernel, which permits no tracing of it, is not blamed."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert Program(pid).exit_code == 7
