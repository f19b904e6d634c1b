"""What holds for every recorder: how it ends when it is told to, and which content a row has."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import xxhash
from capture.programs import Row, build, left_behind, recorded, running, verb
from cli.process import clean, on_a_terminal

from tracereplay.cli import _console, main
from tracereplay.errors import CaptureError, TraceError, UsageError
from tracereplay.trace import open_trace
from tracereplay.trace.capture import capture, get
from tracereplay.trace.schema import Op

FLAGS: dict[str, list[str]] = {"lackey": [], "qemu": ["--qemu"], "writes": ["--writes"]}


def needs(recorder: str) -> None:
    """Skip where a recorder cannot run."""
    try:
        get(recorder).probe()
    except CaptureError as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("recorder", FLAGS)
def test_a_signal_ends_the_program_and_keeps_the_trace(tmp_path, recorder, number):
    """Exit code 130, a valid trace and nothing beside it, and no process left, children included."""
    needs(recorder)
    program = build(
        tmp_path,
        """
        if (fork() == 0) pause_ms(600000);
        puts("begun"); fflush(stdout);
        for (;;) fill(1, 1);
        """,
    )
    target = tmp_path / "t.parquet"
    with verb("-o", target, *FLAGS[recorder], "--", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert len(running(program)) == 2
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    trace = open_trace(target)
    assert err == (
        f"warning: {program} started other processes, which are not in the trace; record their commands "
        "themselves\n"
        f"warning: interrupted: the {trace.metadata.rows:,} rows recorded until then are kept in {target}\n"
    )
    assert trace.metadata.source["interrupted"]
    assert {path.name for path in tmp_path.iterdir()} == {"program", "program.c", "t.parquet"}
    assert left_behind(program) == []


STARTED = "sh started other processes, which are not in the trace; record their commands themselves"
REPLACED = "sh became another program by exec, which is not in the trace; record that one itself"


@pytest.mark.parametrize("recorder", FLAGS)
@pytest.mark.parametrize(
    ("script", "said", "children"),
    [
        ("ls / | cat >/dev/null", STARTED, "not followed; the program started some"),
        ("exec true", REPLACED, "none seen"),
        (":", None, "none seen"),
    ],
)
def test_what_is_not_in_the_trace(tmp_path, recorder, script, said, children):
    """Processes that the program starts, and what it becomes, unless that is followed: both are said."""
    needs(recorder)
    captured = capture(["sh", "-c", script], tmp_path / "t.parquet", recorder=recorder)
    lost = said is not None and not (said == REPLACED and recorder == "writes")
    assert captured.warnings == ((said,) if lost else ())
    source = captured.metadata.source
    assert source["children"] == children
    assert ("ended_early" in source) == (lost and said == REPLACED)


@pytest.mark.parametrize("recorder", FLAGS)
def test_progress(tmp_path, recorder):
    """It is heard of while the program runs: of accesses, or of rows where those are not seen."""
    needs(recorder)
    program = build(tmp_path, "for (int i = 0; i < 40; i++) { fill(i, 1); if (argc > 1) pause_ms(2); }")
    command = [program, "slowly"] if recorder == "writes" else [program]
    interval, heard = {"writes": "10ms"}.get(recorder, "20k"), []
    captured = capture(
        command,
        tmp_path / "t.parquet",
        recorder=recorder,
        interval=interval,
        progress=lambda *now: heard.append(now),
    )
    done, totals = zip(*heard, strict=True)
    assert len(set(done)) >= 4
    assert list(done) == sorted(done)
    everything = captured.metadata.rows if recorder == "writes" else captured.metadata.source["raw_accesses"]
    assert (done[-1], set(totals)) == (everything, {0})


def test_progress_on_the_screen(tmp_path, monkeypatch, capfd):
    """Lines on standard error, none when quiet; what the program writes is untouched."""
    needs("lackey")
    monkeypatch.setattr(_console, "_SECONDS_BETWEEN_LINES", 0.0)
    words = ["-o", str(tmp_path / "t.parquet"), "--force", "--", "sh", "-c", "echo out; echo err >&2"]
    assert main(["capture", *words]) == 0
    out, err = capfd.readouterr()
    first, *lines = sorted(err.splitlines(), key=lambda line: line != "err")
    assert (out, first) == ("out\n", "err")
    accesses = open_trace(tmp_path / "t.parquet").metadata.source["raw_accesses"]
    assert f"capture: {accesses:,} accesses" in lines
    assert main(["capture", "--quiet", *words]) == 0
    assert capfd.readouterr() == ("out\n", "err\n")


@pytest.mark.parametrize(("mode", "lines"), [("icanon", True), ("-icanon", False)])
def test_progress_on_a_terminal(tmp_path, mode, lines):
    """Lines, no bar that would be drawn over the program's own; none while a program reads single keys."""
    needs("lackey")
    code = (
        "import sys; from tracereplay.cli import _console, main; _console._SECONDS_BETWEEN_LINES = 0.0;"
        f"sys.exit(main(['capture', '-o', {str(tmp_path / 't.parquet')!r}, '--', 'echo', 'hello']))"
    )
    shell = f'stty {mode}; exec "$0" -c "$1"'
    text = on_a_terminal(["sh", "-c", shell, sys.executable, code], clean(TERM="xterm"))
    assert "\x1b" not in text
    assert "hello\r\n" in text
    assert ("\ncapture: " in text) == lines


def test_words_of_a_command(tmp_path):
    """Texts and paths, kept in the trace as texts; others are refused before anything runs."""
    needs("writes")
    target = tmp_path / "t.parquet"
    captured = capture([Path("/bin/echo"), b"\xff", "é"], target, recorder="writes", name="a")
    assert captured.metadata.source["command"] == ["/bin/echo", os.fsdecode(b"\xff"), "é"]
    target.unlink()
    refused = {
        ("/bin/echo", 5): "capture: found 5 in the command; expected texts and paths",
        ("/bin/echo", "a\0"): 'capture: found "a\\u0000" in the command; expected no zero bytes',
        (): "capture: found no command; expected a list: a program and its arguments",
        "/bin/echo": "capture: found a text; expected a list: a program and its arguments",
    }
    for command, message in refused.items():
        with pytest.raises(UsageError) as wrong:
            capture(command, target, recorder="writes")
        assert str(wrong.value) == message
    with pytest.raises(TraceError, match=r"vms\[0\]\.name: found 5"):
        capture(["touch", str(tmp_path / "ran")], target, recorder="writes", name=5)
    assert list(tmp_path.iterdir()) == []


def test_writes_are_not_reduced(tmp_path, capsys):
    """What makes no sense together is refused in the words of the command line."""
    assert main(["capture", "-o", str(tmp_path / "t"), "--writes", "--exact-above", "64", "--", "true"]) == 2
    assert capsys.readouterr().err == (
        "tracereplay: capture: found --writes and --exact-above; expected one of them\n"
    )


@pytest.mark.parametrize(("recorder", "exact_above"), [("lackey", 0), ("qemu", 1)])
def test_a_read_before_the_first_write_sees_the_interval_before(tmp_path, recorder, exact_above):
    """Its content is the old one, not what the page holds at the end, and the trace says so."""
    needs(recorder)
    body = """
        base[0] = 1;
        for (volatile int i = 0; i < 40000; i++);
        int before = base[0];
        base[4096] = 1;
        base[0] = before + 6;
        """
    program = build(tmp_path, body)
    captured, rows = recorded(tmp_path, recorder, program, interval="30k", exact_above=exact_above)
    source = captured.metadata.source
    assert source["intervals"] > 2
    assert "before the page's first write in it at the end of the interval before" in source["content"]
    old, new = (xxhash.xxh3_64_intdigest(bytes([first, *bytes(4095)])) for first in (1, 7))
    of_page = [row for row in rows if row.page == 0]
    assert of_page == [Row(0, Op.WRITE, old), Row(0, Op.READ, old), Row(0, Op.WRITE, new)]
