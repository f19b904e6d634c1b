"""Recording with the QEMU plugin: programs in virtual pages, a whole guest in guest-physical ones."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import xxhash
from capture.programs import Row, build, filled, recorded

from tracereplay.errors import CaptureError, UsageError
from tracereplay.trace import open_trace
from tracereplay.trace.capture import capture, qemu
from tracereplay.trace.schema import Op

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
needs_user_mode = pytest.mark.skipif(
    not all(map(shutil.which, ("gcc", "qemu-x86_64"))), reason="needs gcc and qemu-x86_64 (qemu-user)"
)
needs_system = pytest.mark.skipif(
    not all(map(shutil.which, ("gcc", "qemu-system-x86_64"))),
    reason="needs gcc and qemu-system-x86_64 (qemu-system-x86)",
)


@needs_user_mode
def test_pages_operations_contents(tmp_path):
    """In order of first access: writes, a read, code that is fetched, what read(2) stored."""
    (tmp_path / "file").write_bytes(b"\x77" * 4096)
    program = build(
        tmp_path,
        """
        for (int page = 0; page < 64; page++) fill(page, page + 1);
        fill(100, 0);
        int sum = base[200 * 4096];
        sum += read(open(argv[1], O_RDONLY), (void *)(base + 300 * 4096), 4096) + base[300 * 4096];
        unsigned char *code = (unsigned char *)base + 400 * 4096;
        code[0] = 0xc3;
        mprotect(code, 4096, PROT_READ | PROT_EXEC);
        for (int page = 500; page < 700; page++) base[page * 4096] = 1;
        ((void (*)(void))code)();
        return sum != 4096 + 0x77;
        """,
    )
    captured, rows = recorded(tmp_path, "qemu", program, str(tmp_path / "file"))
    code, one = (xxhash.xxh3_64_intdigest(bytes([byte]) + bytes(4095)) for byte in (0xC3, 1))
    expected = [Row(page, Op.WRITE, filled(page + 1)) for page in range(64)]
    expected += [Row(100, Op.WRITE, 0), Row(200, Op.READ, 0), Row(300, Op.READ, filled(0x77))]
    expected += [Row(400, Op.WRITE, code)]
    expected += [Row(page, Op.WRITE, one) for page in range(500, 700)]
    expected += [Row(400, Op.FETCH, code)]
    assert list(dict.fromkeys(rows)) == expected
    assert (captured.exit_code, captured.interrupted) == (0, False)
    metadata = captured.metadata
    assert metadata.reduction == {"method": "sad", "exact_above": 64}
    assert (metadata.time_unit, metadata.page_space) == ("accesses", "guest-virtual")
    assert metadata.time_range[1] < metadata.source["raw_accesses"]


@needs_user_mode
def test_code_at_the_upper_end_of_the_addresses(tmp_path):
    """The vsyscall page lies where no file offset reaches: it is fetched from, its content unknown."""
    program = build(tmp_path, "fill(0, 1); return ((time_t (*)(void *))0xffffffffff600400)(0) == 0;")
    captured, rows = recorded(tmp_path, "qemu", program)
    assert (captured.exit_code, set(rows)) == (0, {Row(0, Op.WRITE, filled(1))})
    (batch,) = open_trace(tmp_path / "recorded.parquet").batches()
    upper = batch.page == 0xFFFFFFFFFF600
    assert {*zip(batch.op[upper].tolist(), batch.known[upper].tolist(), strict=True)} == {(Op.FETCH, False)}


@needs_user_mode
def test_each_interval_has_its_contents(tmp_path):
    """A page rewritten later is there with both contents, in order."""
    program = build(
        tmp_path,
        """
        fill(0, 1);
        for (int i = 0; i < 100000; i++) base[4096 + i % 4096] = i;
        fill(0, 2);
        """,
    )
    captured, rows = recorded(tmp_path, "qemu:interval=20k", program)
    contents = list(dict.fromkeys(row.content for row in rows if row.page == 0))
    assert filled(1) in contents
    assert contents[-1] == filled(2)
    assert captured.metadata.source["intervals"] >= 10


@needs_user_mode
def test_less_reduction_keeps_more(tmp_path):
    """Two pages in turn: all but the first and last are dropped at 2 pages, none at 1."""
    program = build(tmp_path, "for (int i = 0; i < 1000; i++) base[i % 2 * 4096] = i;", "", "-O2")
    counts = {}
    for exact_above in (1, 64):
        _, rows = recorded(tmp_path, "qemu", program, exact_above=exact_above)
        counts[exact_above] = sum(row.page in (0, 1) for row in rows)
    assert counts == {1: 1000, 64: 4}


@needs_user_mode
def test_threads_and_children(tmp_path):
    """Threads are one stream; a child that is forked meanwhile runs on unrecorded."""
    program = build(
        tmp_path,
        """
        pthread_t threads[4];
        for (long i = 0; i < 4; i++) pthread_create(threads + i, 0, run, (void *)i);
        int status, child = fork();
        if (!child) { fill(900, 9); pause_ms(100); _exit(7); }
        for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
        waitpid(child, &status, 0);
        return WEXITSTATUS(status);
        """,
        """static void *run(void *n) {
            for (int i = 0; i < 16; i++) fill((long)n * 16 + i, (long)n + 1);
            return 0;
        }""",
    )
    captured, rows = recorded(tmp_path, "qemu:interval=20k", program)
    assert {row.page: row.content for row in rows} == {page: filled(page // 16 + 1) for page in range(64)}
    assert captured.exit_code == 7


@needs_user_mode
@pytest.mark.parametrize(
    ("end", "code", "content"),
    [
        ("return 3;", 3, filled(1)),
        ("abort();", -6, filled(1)),
        ('execl("/bin/sh", "sh", "-c", "exit 5", NULL);', 5, filled(1)),
        ("write(1, 0, 0); *(volatile int *)0 = 1;", -11, None),
    ],
)
def test_how_it_ended(tmp_path, end, code, content):
    """Exit code or signal are told, and the trace is kept; a crash takes the last contents with it."""
    captured, rows = recorded(tmp_path, "qemu", build(tmp_path, f"fill(0, 1); {end}"))
    assert captured.exit_code == captured.metadata.source["exit_code"] == code
    assert set(rows) == {Row(0, Op.WRITE, content)}


@needs_user_mode
@pytest.mark.parametrize(
    ("before", "grace", "code"),
    [("", 60.0, -signal.SIGTERM), ("signal(SIGTERM, SIG_IGN);", 0.1, -signal.SIGKILL)],
)
def test_ctrl_c(tmp_path, monkeypatch, before, grace, code):
    """The program ends, by force if it must; what was seen until then is a whole trace."""
    monkeypatch.setattr(qemu, "_GRACE_SECONDS", grace)
    program = build(tmp_path, f"{before} fill(0, 1); kill(getppid(), SIGINT); pause_ms(60000);")
    captured, rows = recorded(tmp_path, "qemu", program)
    assert (captured.exit_code, captured.interrupted) == (code, True)
    assert set(rows) == {Row(0, Op.WRITE, filled(1))}


_BIOS_CODE = bytes.fromhex(
    "b80020 8ec0 31ff b90010 b05a fc f3aa"  # page 0x20: 4096 times 0x5a
    "b80030 8ed8 a00000"  # read page 0x30
    "b80040 8ed8 a1ff0f"  # read two bytes at once, from pages 0x40 and 0x41
    "b80050 8ed8 b8a5a6 a3ff0f"  # write 0xa5 and 0xa6, the last byte of page 0x50 and the first of 0x51
    "b80010 8ed8 c7060000b003 c7060200baf4 c706040000ee c6060600f4"  # code into page 0x10
    "ea00000010"  # go there
)
_CODE_IN_MEMORY = bytes.fromhex("b003 baf400 ee f4")  # out 0xf4, 3: ends QEMU with exit code 7


def guest(tmp_path: Path) -> list[str]:
    """A guest of 16 MiB whose whole software are a few instructions at the reset address."""
    bios = _BIOS_CODE.ljust(0xFFF0, b"\x90") + bytes.fromhex("ea000000f0").ljust(16, b"\x90")
    (tmp_path / "bios").write_bytes(bios)
    return [
        *("qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel", "tcg", "-m", "16"),
        *("-bios", str(tmp_path / "bios"), "-machine", "pc,memory-backend=ram"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=1"),
        *("-object", f"memory-backend-file,id=ram,size=16M,mem-path={tmp_path / 'ram'},share=on"),
    ]


@needs_system
def test_a_whole_guest(tmp_path):
    """Guest-physical pages of a machine from reset on, with the contents of its memory; ROM is not memory."""
    target = tmp_path / "guest.parquet"
    captured = capture(guest(tmp_path), target, recorder="qemu", name="tiny", family=None)
    (batch,) = open_trace(target).batches()
    rows = list(zip(batch.page.tolist(), batch.op.tolist(), batch.content.tolist(), strict=True))
    code, last, first = map(
        xxhash.xxh3_64_intdigest,
        (_CODE_IN_MEMORY.ljust(4096, b"\0"), b"\xa5".rjust(4096, b"\0"), b"\xa6".ljust(4096, b"\0")),
    )
    expected = [(0x20, Op.WRITE, filled(0x5A)), (0x30, Op.READ, 0), (0x40, Op.READ, 0), (0x41, Op.READ, 0)]
    expected += [(0x50, Op.WRITE, last), (0x51, Op.WRITE, first), (0x10, Op.WRITE, code)]
    assert list(dict.fromkeys(rows)) == expected
    assert batch.known.all()
    assert (captured.exit_code, captured.metadata.page_space) == (7, "guest-physical")


@needs_system
def test_guests_that_cannot_be_recorded(tmp_path):
    """Refused before anything runs: memory not in a shared file, and what the plugin does not see."""
    *private, _, memory = guest(tmp_path)
    for command in (private, [*private, "-object", memory.replace("share=on", "share=off")]):
        with pytest.raises(CaptureError) as refused:
            capture(command, tmp_path / "t.parquet", recorder="qemu")
        assert str(refused.value).startswith("found a guest whose memory is not in a shared file; expected ")
    for unseen in (["-daemonize"], ["-accel", "kvm"], ["-machine", "q35,accel=kvm:tcg"], ["--enable-kvm"]):
        with pytest.raises(CaptureError) as refused:
            capture([*guest(tmp_path), *unseen], tmp_path / "t.parquet", recorder="qemu")
        assert str(refused.value).startswith(f"found {unseen[-1]}: the plugin cannot see such a guest; ")


@needs_user_mode
def test_refusals(tmp_path):
    """What cannot be recorded is said, and no file is made."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    target = tmp_path / "t.parquet"
    cases = {
        "no-such-program": 'found no program "no-such-program"; expected one on the PATH, or its path',
        str(script): f"found {script}, which ended (exit code 1) before its first access; expected an x86-64 "
        "program (of a script: its interpreter) that QEMU can run",
    }
    for command, message in cases.items():
        with pytest.raises(CaptureError) as refused:
            capture([command], target, recorder="qemu")
        assert str(refused.value) == message
    for parameter in ("interval", "exact_above"):
        with pytest.raises(UsageError) as unusable:
            capture(["true"], target, recorder=f"qemu:{parameter}=0")
        assert str(unusable.value) == f"capture: {parameter}: found 0; expected at least 1"
    assert not target.exists()


@needs_gcc
def test_the_plugin_is_compiled_once(tmp_path, monkeypatch):
    """Without a warning, into the user's cache; a compiler that fails is quoted, and leaves nothing."""
    command = ["gcc", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", "/dev/null"]
    source = Path(qemu.__file__).with_name("qemu_plugin.c")
    assert subprocess.run([*command, source], capture_output=True, check=True).stderr == b""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(qemu, "_COMPILE", ("gcc", "--no-such-option"))
    with pytest.raises(
        CaptureError, match=r"gcc could not compile the QEMU plugin; it says: .*no-such-option"
    ):
        qemu._plugin()
    assert list((tmp_path / "tracereplay").iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CaptureError, match=r"^found no place for .*Not a directory\); .*set XDG_CACHE_HOME"):
        qemu._plugin()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plugin = qemu._plugin()
    compiled = plugin.stat().st_mtime_ns
    assert qemu._plugin() == plugin
    assert plugin.stat().st_mtime_ns == compiled
    assert list((tmp_path / "tracereplay").iterdir()) == [plugin]


def test_missing_tools(tmp_path, monkeypatch):
    """What to install is said."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaptureError, match=r"found no gcc, .*apt-get install gcc"):
        qemu.probe()
    (tmp_path / "gcc").touch(0o755)
    with pytest.raises(CaptureError, match=r"neither qemu-x86_64 nor qemu-system-x86_64; .*qemu-user"):
        qemu.probe()
