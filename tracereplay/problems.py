"""Wording of one problem in what a user wrote: what was found, what was expected, what to do.

Every message about a scenario or a command-line word is built here, so all of them read alike:
``found "75"; expected …; did you mean "75%"?``
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from tracereplay.errors import ScenarioError

_LONGEST = 200


def shown(value: object) -> str:
    """``value`` as a user would have written it: TOML's spelling, on one line, cut after 200 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, PurePath):
        value = str(value)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = str(value) if isinstance(value, (int, float)) else f"{value!r} ({type(value).__name__})"
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that ``word`` most likely was meant to be, or None; case and ``-``/``_`` do not count."""
    plain = {choice.casefold().replace("_", "-"): choice for choice in choices}
    close = difflib.get_close_matches(word.casefold().replace("_", "-"), plain, n=1)
    return plain[close[0]] if close else None


def problem(found: str, expected: str, suggestion: str | None = None) -> str:
    """One sentence; ``suggestion`` is shown as it should be typed."""
    text = f"found {found}; expected {expected}"
    return f"{text}; did you mean {suggestion}?" if suggestion else text


def wrong(value: object, expected: str, suggestion: object = None) -> ValueError:
    """ValueError for a value of the wrong form; texts in ``suggestion`` are quoted as in TOML."""
    return ValueError(problem(shown(value), expected, None if suggestion is None else shown(suggestion)))


def one_of(word: object, choices: Iterable[str]) -> str:
    """``word`` if it is among ``choices``, else ValueError that lists them and names the nearest."""
    known = tuple(choices)
    if isinstance(word, str) and word in known:
        return word
    listed = ", ".join(shown(choice) for choice in known)
    expected = f"one of {listed}" if len(known) > 1 else listed
    raise wrong(word, expected, nearest(word, known) if isinstance(word, str) else None)


@dataclass(frozen=True)
class Notes:
    """Problems and warnings as they are found."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def read(self, where: str, parse: Callable[..., int], *args: Any, **options: Any) -> int | None:
        """``parse(…)``; its ValueError becomes a problem at ``where``, and the result None."""
        try:
            return parse(*args, **options)
        except ValueError as error:
            self.problems.append(f"{where}: {error}")
            return None

    def refuse(self, where: str, found: str, expected: str, suggestion: str | None = None) -> None:
        self.problems.append(f"{where}: {problem(found, expected, suggestion)}")

    def has_problem(self, where: str) -> bool:
        """Whether there is a problem at ``where``."""
        return any(text.startswith(f"{where}: ") for text in self.problems)

    def settle(self) -> None:
        """Raise ScenarioError if there are problems; a problem of several VMs of one key is told once."""
        if self.problems:
            raise ScenarioError(list(dict.fromkeys(self.problems)))
