"""Help is instant, complete and plain: nothing heavy is imported to show it."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from process import clean, on_a_terminal, tracereplay

from tracereplay import __version__
from tracereplay.bundled import trace_path
from tracereplay.cli import VERBS

HEAVY = ("numba", "llvmlite", "pandas", "pyarrow", "numpy", "matplotlib")
COLOUR = re.compile(r"\x1b\[[0-9;]*[34][0-9][0-9;]*m")


def test_help_takes_less_than_half_a_second():
    """A whole process, best of three."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = tracereplay("--help")
        seconds.append(time.perf_counter() - began)
        assert done.returncode == 0
    assert min(seconds) < 0.5


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(words):
    """Neither the general help nor that of any verb needs what a replay needs."""
    code = (
        "import sys; from tracereplay.cli import main; code = main(sys.argv[1:]); "
        f"print(sorted({{*{HEAVY!r}}} & {{*sys.modules}}), file=sys.stderr); sys.exit(code)"
    )
    line = [sys.executable, "-c", code, *words]
    done = subprocess.run(line, capture_output=True, text=True, env=clean(), check=True)
    assert done.stderr == "[]\n"
    assert done.stdout


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_lists_every_verb(command, words):
    """No words are a call for help, too."""
    done = command(*words)
    assert (done.code, done.err) == (0, "")
    for verb, summary in VERBS.items():
        assert re.search(rf"^│ {verb} +{re.escape(summary.split()[0])}", done.out, re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_its_options(command, verb):
    """Each has a help text within 80 columns, and speaks of --json."""
    done = command(verb, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: tracereplay {verb}" in done.out
    assert "--json" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_version(command):
    """One line, for scripts."""
    assert command("--version") == (0, f"{__version__}\n", "")


def test_python_m_and_the_installed_command_are_the_same():
    """``python -m tracereplay`` passes words and exit code on."""
    assert tracereplay("--version").stdout == f"{__version__}\n"
    assert tracereplay("nonsense").returncode == 2


@pytest.mark.parametrize("words", [["--help"], ["policies"], ["replay", "-q", str(trace_path("gzip"))]])
def test_no_color_is_respected(words):
    """On a terminal that could show colours; the help shows that it would have had some."""
    line = [sys.executable, "-m", "tracereplay", *words]
    plain = on_a_terminal(line, clean(TERM="xterm-256color", NO_COLOR="1"))
    assert not COLOUR.search(plain)
    assert len(plain) > 200
    if words == ["--help"]:
        assert COLOUR.search(on_a_terminal(line, clean(TERM="xterm-256color")))
