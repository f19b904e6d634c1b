"""Texts with units become exact numbers, and wrong ones an explanation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracereplay import units


@pytest.mark.parametrize(
    ("value", "pages"),
    [
        (4096, 4096),
        ("4096", 4096),
        ("4_096 pages", 4096),
        (np.int64(7), 7),
        (0, 0),
        ("4KiB", 1),
        ("4095B", 0),
        ("64MiB", 16384),
        ("64 mib", 16384),
        ("64MB", 15625),
        ("1.5GiB", 393216),
        ("1TB", 244140625),
        ("1TiB", 2**28),
        ("75%", 750),
        ("75 %", 750),
        ("33.33%", 333),
        ("250%", 2500),
        ("0.01%", 1),
        ("0%", 0),
    ],
)
def test_sizes_are_pages_rounded_down(value, pages):
    """Every spelling of a size gives the pages that one counts by hand (4096 bytes, 100 % = 1000)."""
    assert units.parse_size(value, page_size=4096, of=1000) == pages
    assert units.parse_size(units.check_size(value), page_size=4096, of=1000) == pages


@pytest.mark.parametrize(
    ("value", "unit", "time"),
    [
        (5, "ns", 5),
        ("5", "accesses", 5),
        (1e9, "ns", 10**9),
        ("10s", "ns", 10**10),
        ("250 ms", "ns", 250 * 10**6),
        ("1.5us", "ns", 1500),
        ("7µs", "ns", 7000),
        ("3m", "ns", 180 * 10**9),
        ("3min", "ns", 180 * 10**9),
        ("1h", "ns", 3600 * 10**9),
        ("100k", "accesses", 100_000),
        ("1.5M", "instructions", 1_500_000),
    ],
)
def test_times_are_in_the_traces_unit(value, unit, time):
    """Durations become ns exactly; integers and counts stay in the unit of the trace."""
    assert units.parse_time(value, unit) == time
    assert units.parse_time(units.check_time(value), unit) == time


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        ("0", 0),
        ("100k", 100_000),
        ("100K", 100_000),
        ("1.5M", 1_500_000),
        (1000.0, 1000),
        ("2G", 2 * 10**9),
    ],
)
def test_counts(value, count):
    """Counts take decimal suffixes and integral floats."""
    assert units.parse_count(value) == count


@pytest.mark.parametrize("value", [0.65, "0.65", "65%", "65 %", "13/20", Fraction(13, 20), ".65"])
def test_fractions_are_exact_in_decimal(value):
    """0.65 is 13/20, not the nearest binary number, so floor(0.65·20) is 13."""
    assert units.parse_fraction(value) == Fraction(13, 20)


SIZE = 'a size such as "64MiB", a percentage such as "75%" or an integer number of pages'
TIME = 'a time such as "10s" or an integer in the trace\'s time unit'
NO_CLOCK = "the trace's time is counted in accesses, it has no clock"
BAD_SIZES = [
    ("64M", f'{SIZE}, with a unit that says whether it is binary or decimal; did you mean "64MiB"?'),
    ("2g", f'{SIZE}, with a unit that says whether it is binary or decimal; did you mean "2GiB"?'),
    ("64Mbi", f'{SIZE}; did you mean "64MB"?'),
    (0.75, f'{SIZE}; did you mean "75%"?'),
    ("0.75", f'{SIZE}; did you mean "75%"?'),
    (4096.0, f"{SIZE}; did you mean 4096?"),
    (-3, f"{SIZE}; it cannot be negative"),
    ("-3MiB", f"{SIZE}; it cannot be negative"),
    ("", SIZE),
    ("lots", SIZE),
    ("1e5", SIZE),
    ("9" * 100, SIZE),
    (True, SIZE),
    (None, SIZE),
    ([1], SIZE),
    ({}, SIZE),
    (float("nan"), SIZE),
    (float("inf"), SIZE),
    (2**63, "a number up to 9223372036854775807"),
]
BAD_TIMES = [
    ("10s", "accesses", f'an integer number of accesses, such as 1000 or "100k": {NO_CLOCK}'),
    ("5M", "ns", 'a duration, as the trace\'s time is in ns; did you mean "5m"?'),
    ("5k", "ns", "a duration, as the trace's time is in ns"),
    ("0.5ns", "ns", "a whole number of ns"),
    ("10sec", "ns", f'{TIME}; did you mean "10s"?'),
    ("10S", "ns", f'{TIME}; did you mean "10s"?'),
    ("2 minutes", "ns", f'{TIME}; did you mean "2min"?'),
    (1.5, "ns", f'{TIME}; did you mean "1.5s"?'),
    ("1m30s", "ns", TIME),
    (-1, "ns", f"{TIME}; it cannot be negative"),
    (False, "ns", TIME),
]


@pytest.mark.parametrize(("value", "rest"), BAD_SIZES)
def test_wrong_sizes_are_explained(value, rest):
    """A size that cannot be read says what was expected and, if it can be guessed, what was meant."""
    with pytest.raises(ValueError, match=r"^found ") as caught:
        units.parse_size(value, page_size=4096, of=1000)
    assert str(caught.value).partition("; expected ")[2] == rest


@pytest.mark.parametrize(("value", "unit", "rest"), BAD_TIMES)
def test_wrong_times_are_explained(value, unit, rest):
    """A time that cannot be read says which unit the trace has, and what was probably meant."""
    with pytest.raises(ValueError, match=r"^found ") as caught:
        units.parse_time(value, unit)
    assert str(caught.value).partition("; expected ")[2] == rest


@pytest.mark.parametrize(
    ("parse", "value", "message"),
    [
        (units.parse_count, 1.5, 'found 1.5; expected a whole number: a count such as 1000 or "100k"'),
        (
            units.parse_count,
            "10KB",
            'found "10KB"; expected a count such as 1000 or "100k"; did you mean "10k"?',
        ),
        (units.parse_count, -1, 'found -1; expected a count such as 1000 or "100k"; it cannot be negative'),
        (units.parse_fraction, "half", 'found "half"; expected a fraction such as 0.65 or "65%"'),
        (
            units.parse_fraction,
            -0.5,
            'found -0.5; expected a fraction such as 0.65 or "65%"; it cannot be negative',
        ),
        (units.parse_fraction, "5s", 'found "5s"; expected a fraction such as 0.65 or "65%"'),
    ],
)
def test_wrong_counts_and_fractions_are_explained(parse, value, message):
    """The whole message, word for word."""
    with pytest.raises(ValueError, match=r"^found ") as caught:
        parse(value)
    assert str(caught.value) == message


def test_a_percentage_of_nothing_is_refused():
    """Where a percentage has no reference the message says so."""
    with pytest.raises(ValueError, match="nothing here that a percentage could be of"):
        units.parse_size("75%", page_size=4096)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (2**20 - 1, "1 MiB"),
        (3 * 2**29, "1.5 GiB"),
        (5 * 2**40, "5 TiB"),
        (-4096, "-4 KiB"),
    ],
)
def test_format_bytes(number, text):
    """Binary units, three digits, never "1024 KiB"."""
    assert units.format_bytes(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_234_567, "1.23M"),
        (12.345, "12.3"),
        (-1500, "-1.5k"),
    ],
)
def test_format_count(number, text):
    """Decimal units, three digits, never "1000k"."""
    assert units.format_count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 ns"),
        (1500, "1.5 us"),
        (250_000_000, "250 ms"),
        (1.5e9, "1.5 s"),
        (59.6e9, "1m 00s"),
        (125e9, "2m 05s"),
        (3725e9, "1h 02m"),
        (-90e9, "-1m 30s"),
    ],
)
def test_format_duration(number, text):
    """The unit follows the size; minutes and hours from 60 seconds on."""
    assert units.format_duration_ns(number) == text


@given(st.integers(0, 2**60))
def test_formatted_sizes_can_be_read_again(number):
    """What is printed can be typed: within half a percent, the text names the same size and count."""
    read = units.parse_size(units.format_bytes(number), page_size=1)
    assert abs(read - number) <= number / 200 + 1
    count = number % (999 * 10**9)  # from 999.5G on it is "1T", which is for reading only
    assert abs(units.parse_count(units.format_count(count)) - count) <= count / 200


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary(), st.none()))
def test_any_value_is_read_or_refused_with_a_message(value):
    """Nothing that a user can write escapes as another exception."""
    parsers = [
        lambda v: units.parse_size(v, page_size=4096, of=10),
        lambda v: units.parse_time(v, "ns"),
        units.parse_count,
        units.parse_fraction,
    ]
    for parse in parsers:
        try:
            assert parse(value) >= 0
        except ValueError as error:
            assert str(error).startswith("found ")  # noqa: PT017
