"""Every error that tracereplay raises on purpose.

Each message says what was found, what was expected and what to do; the command line prints it
without a traceback and leaves with ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Sequence


class TraceReplayError(Exception):
    """Base of every intended error; ``exit_code`` is what the command line returns for it."""

    exit_code = 3


class TraceError(TraceReplayError):
    """A trace cannot be read or written as asked; names the file and, where there is one, the row."""

    def __init__(self, message: str, path: object = None, row: int | None = None) -> None:
        where = "" if path is None else f"{path}: "
        where += "" if row is None else f"row {row}: "
        super().__init__(where + message)
        self.path = path
        self.row = row


class CaptureError(TraceReplayError):
    """A program cannot be recorded here: what is missing, and what to install or do."""


class ScenarioError(TraceReplayError, ValueError):
    """A scenario does not describe a machine; carries every problem found, not only the first."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ResultError(TraceReplayError):
    """A run directory cannot be read or written as asked."""


class OutputError(TraceReplayError):
    """A file cannot be written as asked."""


class CheckError(TraceReplayError):
    """Something that was to be checked does not hold."""

    exit_code = 1


class InvariantError(CheckError):
    """A law of the model does not hold in the state of a simulation: a defect of tracereplay."""


class UsageError(TraceReplayError):
    """The command line's words do not fit together."""

    exit_code = 2
