"""What estimates from samples of pages share: what to sample, which rows that keeps, how sure a mean is.

A page is in a sample if its hash says so (SHARDS: Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC
construction with SHARDS", FAST 2015), so all its accesses are; ``sample_trace`` draws the same pages.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tracereplay.core import _jit
from tracereplay.errors import UsageError
from tracereplay.problems import one_of, problem, shown, wrong
from tracereplay.progress import Progress
from tracereplay.trace.feed import ahead
from tracereplay.trace.hashing import greatest_hash, mixed, page_keys, salt_offset
from tracereplay.trace.ids import Ids, read_only
from tracereplay.trace.per_vm import vm_batches
from tracereplay.trace.reader import Trace
from tracereplay.units import parse_count, parse_fraction

_FORM = 'a rate such as "1%", a number of pages such as 8192, or "pages=8192,salts=8"'
_STUDENT_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Quantiles 0.975 of Student's t, from one degree of freedom on."""
_FEWEST_SALTS, _MOST_SALTS = 2, len(_STUDENT_T) + 1


@dataclass(frozen=True)
class Sample:
    """Which pages to sample: those of a fixed ``rate`` (above 0, at most 1) or a fixed number, ``pages``.

    ``salts`` samples are drawn, each by another hash; what differs between them gives the error band.
    ValueError: not just one of rate and pages, or numbers out of range.
    """

    rate: Fraction | None = None
    pages: int | None = None
    salts: int = 8

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.pages is None):
            found = "neither rate nor pages" if self.rate is None else "both rate and pages"
            raise ValueError(problem(found, "one of them"))
        if self.rate is not None and not 0 < self.rate <= 1:
            raise ValueError(problem(f"rate {shown(float(self.rate))}", "a rate above 0 and at most 1"))
        if self.pages is not None and self.pages < 1:
            raise ValueError(problem(f"{self.pages} pages", "at least 1"))
        if not _FEWEST_SALTS <= self.salts <= _MOST_SALTS:
            raise ValueError(problem(f"{self.salts} salts", f"{_FEWEST_SALTS} to {_MOST_SALTS}"))

    @classmethod
    def parse(cls, value: object) -> Sample:
        """The sample that a user asks for; a Sample comes back.

        "1%", 0.01 and a Fraction are a rate; 8192, "8192" and "8k" a number of pages; "rate=1%,salts=4" and
        "pages=8192,salts=4" say the salts, too.  UsageError for anything else.
        """
        if isinstance(value, Sample):
            return value
        try:
            named = isinstance(value, str) and "=" in value
            return cls(**(_by_name(str(value)) if named else _by_form(value)))
        except ValueError as error:
            raise UsageError(f"sample: {error}") from None


def _by_name(text: str) -> dict:
    """The fields in "key=value,key=value"."""
    parsers: dict[str, Callable] = {"rate": parse_fraction, "pages": parse_count, "salts": parse_count}
    found = {}
    for pair in text.split(","):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise wrong(text, _FORM)
        parse = parsers[one_of(key, parsers)]
        found[key] = parse(value)
    return found


def _by_form(value: object) -> dict:
    """The field that a value without a name means."""
    if not isinstance(value, float | Fraction):
        try:
            return {"pages": parse_count(value)}
        except ValueError:
            pass
    try:
        return {"rate": parse_fraction(value)}
    except ValueError:
        raise wrong(value, _FORM) from None


def band(estimates: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and ends of the 95 % band (Student's t) of estimates, float64[salts, n], each float64[n].

    What is estimated is known to be from 0 to ``most``.  The band speaks of the spread between samples only,
    not of a bias that they share.
    """
    salts = len(estimates)
    mean = estimates.mean(axis=0)
    half = _STUDENT_T[salts - 2] * estimates.std(axis=0, ddof=1) / math.sqrt(salts)
    low, mean, high = (np.clip(line, 0, most) for line in (mean - half, mean, mean + half))
    return mean, low, high


class KeyRows(NamedTuple):
    """Consecutive rows of one VM, with what samples hash of their pages."""

    vm: int
    row: int  # of the trace, from which on they are
    keys: np.ndarray  # uint64
    ops: np.ndarray  # uint8


def key_rows(trace: Trace, vms: Collection[int], progress: Progress | None = None) -> Iterator[KeyRows]:
    """The rows of the VMs ``vms``, in order within each; they are made ahead in a thread."""
    for rows in ahead(_key_rows(trace, vms)):
        yield rows
        if progress is not None:
            progress(rows.row, trace.n_rows)
    if progress is not None:
        progress(trace.n_rows, trace.n_rows)


def _key_rows(trace: Trace, vms: Collection[int]) -> Iterator[KeyRows]:
    for vm, rows in vm_batches(trace, ("op",), vms):
        yield KeyRows(vm, rows.row, page_keys(rows.page, np.array([vm])), rows.op)


def find_rows(keys, offset, greatest, rows, hashes):
    """Write the rows whose hash is at most ``greatest``, and their hashes; return how many there are.

    Without a branch: which rows are in the sample is nothing that a processor could foresee.
    """
    n = 0
    for row in range(keys.shape[0]):
        rows[n] = row
        hashes[n] = mixed(keys[row] + offset)
        n += hashes[n] <= greatest
    return n


@functools.cache
def _find_rows() -> _jit.Kernel:
    return _jit.specialise(find_rows)


def rows_below(keys: np.ndarray, salt: int, greatest: np.uint64) -> tuple[np.ndarray, np.ndarray]:
    """The rows (int64) whose page keys (uint64) hash to ``greatest`` or less, and their hashes (uint64)."""
    rows, hashes = np.empty(len(keys), np.int64), np.empty(len(keys), np.uint64)
    n = _find_rows()(read_only(keys), salt_offset(salt), greatest, rows, hashes)
    return rows[:n], hashes[:n]


class SampledPages:
    """The pages of one VM that a sample of fixed rate holds, with dense ids in order of first sight."""

    def __init__(self, rate: Fraction, salt: int) -> None:
        self._salt = salt
        self._greatest = greatest_hash(rate)
        self._ids = Ids(direct_entries=0)

    def __len__(self) -> int:
        """How many there are so far."""
        return len(self._ids)

    def take(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of rows by their page keys (uint64): which are in the sample (int64), and their ids (int32)."""
        rows, hashes = rows_below(keys, self._salt, self._greatest)
        return rows, self._ids.encode(hashes)
