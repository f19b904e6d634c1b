"""What holds for every recorder: how it ends when it is told to, and which content a row has."""

from __future__ import annotations

import signal

import pytest
import xxhash
from capture.programs import Row, build, left_behind, recorded, running, verb

from tracereplay.errors import CaptureError
from tracereplay.trace import open_trace
from tracereplay.trace.capture import get
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
        f"warning: interrupted: the {trace.metadata.rows:,} rows recorded until then are kept in {target}\n"
    )
    assert trace.metadata.source["interrupted"]
    assert {path.name for path in tmp_path.iterdir()} == {"program", "program.c", "t.parquet"}
    assert left_behind(program) == []


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
