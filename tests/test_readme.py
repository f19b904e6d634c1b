"""What the README says is true: commands, scenario, numbers of the demo."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tracereplay.cli import VERBS
from tracereplay.core.counters import COUNTER_NAMES, GAUGE_NAMES
from tracereplay.errors import ScenarioError
from tracereplay.scenario import Scenario

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_scenario_is_one():
    """The TOML example loads as it stands."""
    (text,) = blocks("toml")
    said = Scenario.load(tomllib.loads(text))
    assert said.vm[0].policy == "clock"
    assert said.sharing.mode == "esx"


def test_the_example_of_a_mistake_is_told_like_that():
    """The message shown for a mistyped key is the one that appears."""
    shown = next(b for b in blocks("text") if "host.polcy" in b).strip()
    with pytest.raises(ScenarioError) as caught:
        Scenario.load({"host": {"polcy": "lru"}})
    start, _, end = shown.removeprefix("tracereplay: ").partition("…; ")
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(end)


def test_ci_runs_the_test_command_word_for_word():
    """The last shell command of the README stands in .ci/run as it is."""
    command = blocks("sh")[-1].strip()
    assert "pytest" in command
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_counters_that_are_named_exist():
    """Every name in the table of counters is one."""
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    named = [name for cell in rows for name in re.findall(r"`(\w+)`", cell)]
    assert len(named) > 5
    assert set(named) <= {*COUNTER_NAMES, *GAUGE_NAMES}


def test_pictures_are_there_and_described():
    """Every picture is a file of the project, with words for those who do not see it."""
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert len(pictures) == 5
    for words, path in pictures:
        assert len(words) > 20
        assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


def test_verbs_that_are_shown_exist():
    """Every command line of the README begins with a verb that there is."""
    lines = "\n".join(blocks("sh"))
    shown = re.findall(r"^(?:\S*/)?tracereplay (\w+)", lines, re.MULTILINE)
    assert len(shown) > 12
    assert set(shown) <= set(VERBS)
