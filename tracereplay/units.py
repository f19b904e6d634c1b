"""Texts with units ⇄ numbers: sizes, times, counts, fractions.  Exact: no float takes part.

Each ``parse_*`` takes what a user may write in a scenario or on the command line (an integer or a
text) and raises ValueError with a whole message: what was found, what was expected, a suggestion.
``check_*`` tells whether a text has the right form while page size or time unit are not known yet.
"""

from __future__ import annotations

import math
import operator
import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from tracereplay.problems import nearest, wrong

Number: TypeAlias = int | float | Fraction

LIMIT = 2**63 - 1
"""Largest number that a parser returns; the kernels count in 64 bits."""

BYTES = {
    "B": 1,
    **{f"{k}iB": 1024**i for i, k in enumerate("KMGTP", start=1)},
    **{f"{k}B": 1000**i for i, k in enumerate("kMGTP", start=1)},
}
NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
               "min": 60 * 10**9, "h": 3600 * 10**9}  # fmt: skip
COUNTS = {"k": 10**3, "M": 10**6, "G": 10**9}

_FORM = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?|\.[0-9]+) *([A-Za-zµ%]*)")
_RATIO = re.compile(r"[0-9]{1,18}/[1-9][0-9]{0,17}")
_MEANT_TIME = {"M": "m", "H": "h", "S": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
               "mins": "min", "minute": "min", "minutes": "min", "hr": "h", "hour": "h", "hours": "h",
               "msec": "ms", "usec": "us", "nsec": "ns", "μs": "us"}  # fmt: skip

_SIZE = 'a size such as "64MiB", a percentage such as "75%" or an integer number of pages'
_TIME = 'a time such as "10s" or an integer in the trace\'s time unit'
_LONGEST = 64
_COUNT = 'a count such as 1000 or "100k"'
_FRACTION = 'a fraction such as 0.65 or "65%"'


def parse_size(value: object, *, page_size: int, of: int | None = None) -> int:
    """Pages that ``value`` names, rounded down.

    An integer (or digits alone) is pages; "64MiB" and "64MB" are bytes, binary and decimal; "75%" is of
    ``of`` pages and gives at least 1 unless it is 0 %.
    """
    amount, unit = _split_size(value)
    if unit == "%":
        if of is None:
            raise wrong(value, 'a size such as "64MiB" or an integer number of pages: there is nothing here '
                               "that a percentage could be of")  # fmt: skip
        pages = max(math.floor(amount * of / 100), 1) if amount else 0
    else:
        pages = math.floor(amount * BYTES[unit] / page_size) if unit else int(amount)
    return _bounded(value, pages)


def check_size(value: object) -> int | str:
    """``value`` if ``parse_size`` could read it: an int, or its text."""
    _split_size(value)
    return value.strip() if isinstance(value, str) else operator.index(value)  # type: ignore[arg-type]


def _split_size(value: object) -> tuple[Fraction, str]:
    """Amount and unit of a size: a key of BYTES, "%", or "" for pages."""
    if isinstance(value, float) and math.isfinite(value) and value > 0:
        percent = Decimal(repr(float(value))) * 100
        raise wrong(value, _SIZE, f"{percent.normalize():f}%" if value <= 1 else int(value))
    number, suffix, digits = _split(value, _SIZE)
    if suffix in ("", "%", "pages", "page"):
        if suffix != "%" and number.denominator != 1:
            raise wrong(value, _SIZE, f"{digits}%" if number > 1 else f"{shown_number(number * 100)}%")
        return number, "%" if suffix == "%" else ""
    spelled = {unit.casefold(): unit for unit in BYTES}
    if suffix.casefold() in spelled:
        return number, spelled[suffix.casefold()]
    if len(suffix) == 1 and suffix.upper() in "KMGTP":
        expected = f"{_SIZE}, with a unit that says whether it is binary or decimal"
        raise wrong(value, expected, f"{digits}{suffix.upper()}iB")
    raise wrong(value, _SIZE, _completed(digits, nearest(suffix, BYTES)))


def parse_time(value: object, unit: str) -> int:
    """``value`` in the trace's time unit: "ns", or one that counts, such as "accesses".

    An integer (or digits alone) is in that unit already.  Durations ("250ms") need a trace in ns, counts
    with a suffix ("100k") one that is not: there "5M" could be read as minutes.
    """
    amount, suffix = _split_time(value)
    if suffix in COUNTS and unit == "ns":
        raise wrong(value, "a duration, as the trace's time is in ns",
                    f"{shown_number(amount)}m" if suffix == "M" else None)  # fmt: skip
    if suffix in NANOSECONDS and unit != "ns":
        raise wrong(value, f'an integer number of {unit}, such as 1000 or "100k": the trace\'s time is '
                           f"counted in {unit}, it has no clock")  # fmt: skip
    exact = amount * {**COUNTS, **NANOSECONDS, "": 1}[suffix]
    if exact.denominator != 1:
        raise wrong(value, f"a whole number of {unit}")
    return _bounded(value, int(exact))


def check_time(value: object) -> int | str:
    """``value`` if ``parse_time`` could read it for some trace: an int, or its text."""
    amount, suffix = _split_time(value)
    if not suffix and amount.denominator == 1:
        return int(amount)
    return str(value).strip()


def _split_time(value: object) -> tuple[Fraction, str]:
    """Amount and suffix of a time: a key of NANOSECONDS or COUNTS, or ""."""
    number, suffix, digits = _split(value, _TIME)
    suffix = "k" if suffix == "K" else suffix
    if suffix in NANOSECONDS or suffix in COUNTS or (not suffix and number.denominator == 1):
        return number, suffix
    meant = (_MEANT_TIME.get(suffix) or nearest(suffix, NANOSECONDS)) if suffix else "s"
    raise wrong(value, _TIME, _completed(digits, meant))


def parse_count(value: object, limit: int = LIMIT) -> int:
    """A whole number from 0 to ``limit``: 1000, "1000", "100k", "1.5M", "2G" (decimal)."""
    number, suffix, digits = _split(value, _COUNT)
    suffix = "k" if suffix == "K" else suffix
    if suffix and suffix not in COUNTS:
        raise wrong(value, _COUNT, _completed(digits, nearest(suffix, COUNTS)))
    exact = number * COUNTS.get(suffix, 1)
    if exact.denominator != 1:
        raise wrong(value, f"a whole number: {_COUNT}")
    return _bounded(value, int(exact), limit)


def parse_fraction(value: object) -> Fraction:
    """A fraction ≥ 0, exact in decimal: 0.65, "0.65", "65%" and "13/20" are all 13/20."""
    if isinstance(value, Fraction) or (isinstance(value, str) and _RATIO.fullmatch(value)):
        value, given = Fraction(value), value
        if value >= 0:
            return value
        raise wrong(str(given), f"{_FRACTION}; it cannot be negative")
    amount, suffix, _ = _split(value, _FRACTION)
    if suffix not in ("", "%"):
        raise wrong(value, _FRACTION)
    return amount / 100 if suffix else amount


class _Amount(NamedTuple):
    number: Fraction
    suffix: str
    digits: str


def _split(value: object, expected: str) -> _Amount:
    """Amount ≥ 0, the letters after it, and its digits as written; bool, NaN and the like are errors."""
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, float) and math.isfinite(value):
        text = f"{Decimal(repr(float(value))):f}"
    else:
        try:
            text = str(operator.index(value if not isinstance(value, bool) else None))  # type: ignore[arg-type]
        except TypeError:
            raise wrong(value, expected) from None
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if match:
        return _Amount(Fraction(match[1].replace("_", "")), match[2], match[1])
    if re.match(r"-\s*[0-9.]", text):
        expected += "; it cannot be negative"
    raise wrong(value, expected)


def _completed(digits: str, unit: str | None) -> str | None:
    """The suggestion ``digits`` with ``unit``, if a unit was guessed."""
    return f"{digits}{unit}" if unit else None


def _bounded(value: object, number: int, limit: int = LIMIT) -> int:
    if number > limit:
        raise wrong(value, f"a number up to {limit}")
    return number


def shown_number(number: Number) -> str:
    """``number`` with three significant digits, all digits before the point, no trailing zeros."""
    exact = Fraction(number)
    digits = 2 if abs(exact) < 10 else 1 if abs(exact) < 100 else 0
    text = f"{float(round(exact, digits)):.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_bytes(number: Number) -> str:
    """Bytes in binary units with three significant digits: ``"1.5 GiB"``."""
    return _scaled(number, [(1024**i, f" {k}iB") for i, k in enumerate("KMGTP", start=1)], " B", 1024)


def format_count(number: Number) -> str:
    """A count in decimal units with three significant digits: ``"1.23M"``; below 1000 as it is."""
    return _scaled(number, [(10**3, "k"), (10**6, "M"), (10**9, "G"), (10**12, "T")], "", 1000)


def _scaled(number: Number, steps: list[tuple[int, str]], base: str, radix: int) -> str:
    """``number`` over the largest step that leaves at least 1 once rounded."""
    exact = Fraction(number)
    scale, unit = 1, base
    for step, name in steps:
        # what would be shown as 1000 (or 1024) of the smaller unit is 1 of the larger
        if round(abs(exact) / scale) < radix:
            break
        scale, unit = step, name
    return shown_number(exact / scale) + unit


def format_duration_ns(number: Number) -> str:
    """Nanoseconds as ``"250 ms"``, ``"1.5 s"``, ``"2m 05s"`` or ``"1h 02m"``."""
    exact = Fraction(number)
    sign, size = ("-" if exact < 0 else ""), abs(exact)
    if round(size / 10**9) >= 60:
        minutes, seconds = divmod(round(size / 10**9), 60)
        if minutes < 60:
            return f"{sign}{minutes}m {seconds:02d}s"
        hours, minutes = divmod(round(size / (60 * 10**9)), 60)
        return f"{sign}{hours}h {minutes:02d}m"
    return sign + _scaled(size, [(10**3, " us"), (10**6, " ms"), (10**9, " s")], " ns", 1000)
