"""Recording writes from outside: every page written, its contents, and a program that does not notice."""

from __future__ import annotations

import platform
import signal
import time
from itertools import pairwise

import pytest
from capture.programs import Row, build, filled, left_behind, recorded, running

from tracereplay.errors import CaptureError, UsageError
from tracereplay.trace import open_trace
from tracereplay.trace.capture import Outcome, capture, writes
from tracereplay.trace.capture._interrupt import Interrupt
from tracereplay.trace.schema import Op

try:
    writes.probe()
except CaptureError as why:
    pytestmark = pytest.mark.skip(reason=str(why))


def writes_of(*pages: tuple[int, int | None]) -> list[Row]:
    """Rows of these pages and contents."""
    return [Row(page, Op.WRITE, content) for page, content in pages]


def test_pages_and_contents(tmp_path):
    """Exactly the pages that were written, zeros and the kernel's read(2) included, pages only read not."""
    (tmp_path / "file").write_bytes(b"\x77" * 4096)
    program = build(
        tmp_path,
        """
        for (int page = 0; page < 64; page++) fill(page, page + 1);
        fill(100, 0);
        int sum = base[200 * 4096];
        int file = open(argv[1], O_RDONLY);
        sum += read(file, (void *)(base + 300 * 4096), 4096);
        return sum != 4096;
        """,
    )
    captured, rows = recorded(tmp_path, "writes:interval=1s", program, str(tmp_path / "file"))
    expected = [(page, filled(page + 1)) for page in range(64)]
    assert rows == writes_of(*expected, (100, 0), (300, filled(0x77)))
    assert (captured.exit_code, captured.interrupted) == (0, False)
    assert (captured.metadata.time_unit, captured.metadata.page_space) == ("ns", "guest-virtual")
    assert captured.metadata.vms[0].name == "program"


def test_each_interval_has_its_contents(tmp_path):
    """A page rewritten later is a row again with the new contents; one left alone is not."""
    program = build(
        tmp_path,
        """
        fill(0, 1); fill(1, 9); pause_ms(60);
        fill(0, 2); pause_ms(60);
        fill(0, 3); base[4096] = 9; pause_ms(60);
        """,
    )
    captured, rows = recorded(tmp_path, "writes:interval=20ms", program)
    of_page = {page: [r.content for r in rows if r.page == page] for page in (0, 1)}
    assert of_page == {0: [filled(1), filled(2), filled(3)], 1: [filled(9), filled(9)]}
    source = captured.metadata.source
    assert 100e6 <= source["program_ns"] < 2e9
    assert captured.metadata.time_range[1] <= source["program_ns"]


MAPPINGS = {
    "code written, then executable": (
        "fill(5, 1); mprotect((void *)(base + 5 * 4096), 4096, PROT_READ | PROT_EXEC);",
        [(5, filled(1))],
    ),
    "mapped anew at the same place": (
        """fill(5, 1); pause_ms(50);
        mmap((void *)base, 1024 * 4096, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        fill(5, 2);""",
        [(5, filled(1)), (5, filled(2))],
    ),
    "moved": (
        """fill(5, 1); pause_ms(50);
        char *moved = mremap((void *)(base + 5 * 4096), 4096, 4096,
                             MREMAP_MAYMOVE | MREMAP_FIXED, base + 9 * 4096);
        moved[0] = 2; moved[0] = 1;""",
        [(5, filled(1)), (9, filled(1))],
    ),
    "shared": (
        """mmap((void *)base, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        fill(0, 1); pause_ms(50); fill(0, 2); pause_ms(50);""",
        [(0, filled(1)), (0, filled(2))],
    ),
    "a file's page, written privately": (
        """int file = open(argv[0], O_RDONLY);
        mmap((void *)base, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0);
        int sum = base[0] + base[4096]; pause_ms(50); fill(1, 4); return sum == 0;""",
        [(1, filled(4))],
    ),
    "a child's writes": (
        """fill(0, 1); int child = fork();
        if (!child) { fill(0, 7); fill(1, 7); _exit(0); }
        waitpid(child, 0, 0);""",
        [(0, filled(1))],
    ),
}


@pytest.mark.parametrize("case", MAPPINGS)
def test_mappings(tmp_path, case):
    """Mappings that come, change and go are followed; rows that repeat one before are left aside."""
    body, expected = MAPPINGS[case]
    _, rows = recorded(tmp_path, "writes:interval=10ms", build(tmp_path, body))
    assert [b for a, b in pairwise([None, *rows]) if a != b] == writes_of(*expected)


def test_threads(tmp_path):
    """Pages of threads that come and go are all there, with what they hold in the end."""
    program = build(
        tmp_path,
        """
        for (long round = 0; round < 4; round++) {
            pthread_t threads[8];
            for (long i = 0; i < 8; i++) pthread_create(threads + i, 0, run, (void *)(round * 8 + i));
            for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
        }
        """,
        """static void *run(void *n) {
            for (int times = 0; times < 20; times++)
                for (int i = 0; i < 8; i++) fill((long)n * 8 + i, (long)n * 7 + 1);
            return 0;
        }""",
    )
    captured, rows = recorded(tmp_path, "writes:interval=1ms", program)
    last = {row.page: row.content for row in rows}
    assert last == {page: filled(page // 8 * 7 + 1) for page in range(256)}
    assert captured.exit_code == 0


def test_program_that_becomes_another(tmp_path):
    """exec inside: the new program is recorded from its start."""
    program = build(tmp_path, "fill(3, 3);")
    captured, rows = recorded(tmp_path, "writes", "/bin/sh", "-c", f"exec {program}")
    assert rows == writes_of((3, filled(3)))
    assert captured.metadata.source["images"] == {"watched": 2, "unwatched": 0}


def test_signals_reach_the_program(tmp_path):
    """A handler runs for every signal, a stopped program goes on, and its children's ends are heard of."""
    program = build(
        tmp_path,
        """
        signal(SIGUSR1, count);
        for (int i = 0; i < 50; i++) raise(SIGUSR1);
        int child = fork();
        if (!child) { pause_ms(50); kill(getppid(), SIGCONT); _exit(3); }
        raise(SIGSTOP);
        int status; waitpid(child, &status, 0);
        return counted != 50 || WEXITSTATUS(status) != 3;
        """,
        """static volatile int counted;
        static void count(int n) { (void)n; counted++; fill(counted, counted); }""",
    )
    captured, rows = recorded(tmp_path, "writes:interval=5ms", program)
    assert captured.exit_code == 0
    assert {row.page: row.content for row in rows} == {page: filled(page) for page in range(1, 51)}


@pytest.mark.parametrize(("end", "code"), [("return 3;", 3), ("abort();", -6), ("*(int *)0 = 1;", -11)])
def test_how_it_ended(tmp_path, end, code):
    """Exit code or signal are told; the trace of what happened before is kept."""
    captured, rows = recorded(tmp_path, "writes", build(tmp_path, f"fill(0, 1); {end}"))
    assert captured.exit_code == captured.metadata.source["exit_code"] == code
    assert rows == writes_of((0, filled(1)))


@pytest.mark.parametrize(
    ("before", "grace", "code"),
    [("", 60_000_000_000, -signal.SIGTERM), ("signal(SIGTERM, SIG_IGN);", 100_000_000, -signal.SIGKILL)],
)
def test_ctrl_c(tmp_path, monkeypatch, before, grace, code):
    """The program ends, by force if it must; what was seen until then is a whole trace."""
    monkeypatch.setattr(writes, "_GRACE_NS", grace)
    handler = signal.getsignal(signal.SIGINT)
    program = build(tmp_path, f"{before} fill(0, 1); kill(getppid(), SIGINT); pause_ms(60000);")
    captured, rows = recorded(tmp_path, "writes", program)
    assert (captured.exit_code, captured.interrupted) == (code, True)
    assert captured.metadata.source["interrupted"] is True
    assert rows == writes_of((0, filled(1)))
    assert signal.getsignal(signal.SIGINT) is handler


def test_no_orphans(tmp_path):
    """A recording that is given up takes the program with it: its threads, and what it forked."""
    program = build(
        tmp_path,
        "fork(); pthread_t thread; pthread_create(&thread, 0, run, 0); pause_ms(60000);",
        "static void *run(void *n) { for (;;) (*(volatile int *)&base[4096])++; return n; }",
    )
    rows = writes.record([program], Outcome(), Interrupt(), interval=5_000_000)
    assert any(len(running(program)) == 2 for _ in rows)
    rows.close()
    assert left_behind(program) == []


def test_time_stands_still_while_the_program_does(tmp_path):
    """What the writer of the trace takes is not in the times."""
    outcome, looks, began = Outcome(), 0, time.monotonic_ns()
    program = build(tmp_path, "for (int i = 0; i < 20; i++) { fill(i, 1); pause_ms(5); }")
    for _ in writes.record([program], outcome, Interrupt(), interval=10_000_000):
        time.sleep(0.1)
        looks += 1
    everything = time.monotonic_ns() - began
    assert 0 < outcome.said["program_ns"] <= everything - looks * 100e6
    assert looks * 100e6 <= outcome.said["stopped_ns"] < everything


def test_refusals(tmp_path, monkeypatch):
    """What cannot be recorded is said, and no file is made."""
    script = tmp_path / "not-a-program"
    script.write_bytes(b"\x7fELF nonsense")
    script.chmod(0o755)
    target = tmp_path / "t.parquet"
    cases = {
        ("no-such-program",): 'found no program "no-such-program"; expected one on the PATH, or its path',
        (str(script),): f"found {script}, which could not be started (exit code 12",
    }
    for command, message in cases.items():
        with pytest.raises(CaptureError) as refused:
            capture(command, target, recorder="writes")
        assert str(refused.value).startswith(message)
    with pytest.raises(UsageError) as unusable:
        capture(["true"], target, recorder="writes:interval=10")
    assert (
        str(unusable.value) == "capture: interval: found 10 ns; expected at least 100 us; did you mean 10ms?"
    )
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(CaptureError) as elsewhere:
        capture(["true"], target, recorder="writes")
    assert str(elsewhere.value) == (
        "found machine riscv64; expected x86_64; or use the recorder lackey (needs valgrind only)"
    )
    assert not target.exists()


def test_the_first_rows(tmp_path):
    """At time 0 there is what the kernel wrote before the program ran: at least the top of the stack."""
    program = build(tmp_path, "fill(0, 1);")
    capture([program], target := tmp_path / "t.parquet", recorder="writes")
    (batch,) = open_trace(target).batches()
    first = batch.page[batch.time == 0]
    assert 1 <= len(first) <= 8
    assert 0x7FF000000 <= first[-1] < 0x800000000
    assert set(batch.op.tolist()) == {Op.WRITE}
