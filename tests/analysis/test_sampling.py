"""Samples: what a user may ask for, which pages they hold, and how sure a mean of several is."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.analysis import sampling
from tracereplay.analysis.sampling import Sample, SampledPages, band, key_rows
from tracereplay.errors import UsageError
from tracereplay.trace import open_trace

ASKED = [
    ("1%", Sample(rate=Fraction(1, 100))),
    (0.01, Sample(rate=Fraction(1, 100))),
    ("0.5", Sample(rate=Fraction(1, 2))),
    (Fraction(1, 3), Sample(rate=Fraction(1, 3))),
    ("1/3", Sample(rate=Fraction(1, 3))),
    (1.0, Sample(rate=Fraction(1))),
    ("100%", Sample(rate=Fraction(1))),
    (1, Sample(pages=1)),
    (8192, Sample(pages=8192)),
    ("8192", Sample(pages=8192)),
    (" 8k ", Sample(pages=8000)),
    ("1.5k", Sample(pages=1500)),
    (np.int64(5), Sample(pages=5)),
    ("rate=1%", Sample(rate=Fraction(1, 100))),
    ("rate=0.1, salts=31", Sample(rate=Fraction(1, 10), salts=31)),
    ("salts=4,pages=8192", Sample(pages=8192, salts=4)),
    (Sample(pages=7, salts=2), Sample(pages=7, salts=2)),
]


@pytest.mark.parametrize(("value", "sample"), ASKED)
def test_what_a_user_may_ask_for(value, sample):
    """Rates are shares, integers are pages, and both may be named."""
    assert Sample.parse(value) == sample


FORM = 'a rate such as "1%", a number of pages such as 8192, or "pages=8192,salts=8"'
WRONG = {
    f'sample: found "many"; expected {FORM}': "many",
    f"sample: found nothing; expected {FORM}": None,
    f"sample: found true; expected {FORM}": True,
    f"sample: found -5; expected {FORM}": -5,
    f'sample: found "pages=5,4"; expected {FORM}': "pages=5,4",
    "sample: found 0 pages; expected at least 1": 0,
    "sample: found rate 0.0; expected a rate above 0 and at most 1": "0%",
    "sample: found rate 1.5; expected a rate above 0 and at most 1": "150%",
    "sample: found 1 salts; expected 2 to 31": "pages=5,salts=1",
    "sample: found 32 salts; expected 2 to 31": "pages=5,salts=32",
    "sample: found both rate and pages; expected one of them": "rate=1%,pages=5",
    "sample: found neither rate nor pages; expected one of them": "salts=4",
    'sample: found "page"; expected one of "rate", "pages", "salts"; did you mean "pages"?': "page=5",
    'sample: found "x"; expected a count such as 1000 or "100k"': "pages=x",
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_sample(message):
    """Found, expected, the nearest."""
    with pytest.raises(UsageError) as caught:
        Sample.parse(WRONG[message])
    assert str(caught.value) == message


def test_the_same_pages_as_a_sampled_trace():
    """The rows of either VM are those that ``sample_trace`` keeps; ids are in order of first sight."""
    rng = np.random.default_rng(3)
    rows = {
        "vm": rng.integers(0, 2, 5000),
        "page": rng.integers(0, 300, 5000),
        "op": rng.integers(0, 4, 5000),
    }
    trace = open_trace(rows)
    for salt in (0, 5):
        kept = tr.sample_trace(trace, 0.3, salt=salt).read_all()
        for vm, _, keys, ops in key_rows(trace, [1, 0]):
            pages = SampledPages(Fraction(3, 10), salt)
            half = len(keys) // 2
            (first, ids), (second, more) = pages.take(keys[:half]), pages.take(keys[half:])
            found = np.concatenate([first, second + half])
            mine = np.asarray(kept["vm"]) == vm
            expected = np.asarray(kept["page"])[mine]
            assert rows["page"][rows["vm"] == vm][found].tolist() == expected.tolist()
            assert ops[found].tolist() == np.asarray(kept["op"])[mine].tolist()
            order = {page: number for number, page in enumerate(dict.fromkeys(expected.tolist()))}
            assert [*ids, *more] == [order[page] for page in expected.tolist()]
            assert len(pages) == len(order)


def test_a_band_by_hand():
    """Of 1 and 3, and of 50 and 50: mean ± t · s / √2 with s = √2, between 0 and what there can be."""
    mean, low, high = band(np.array([[1.0, 50.0, 97.0], [3.0, 50.0, 105.0]]), 100)
    assert mean.tolist() == [2, 50, 100]
    assert low.tolist() == pytest.approx([0, 50, 101 - 12.706 * 4])
    assert high.tolist() == pytest.approx([2 + 12.706, 50, 100])


def test_quantiles_of_student_t():
    """From its density, integrated: 2.5 % lie above each."""
    for degrees, quantile in enumerate(sampling._STUDENT_T, start=1):
        x = np.linspace(0, quantile, 100_001)
        density = (1 + x * x / degrees) ** (-(degrees + 1) / 2)
        log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
        scale = math.exp(log_scale) / math.sqrt(degrees * math.pi)
        assert scale * np.trapezoid(density, x) == pytest.approx(0.475, abs=3e-5)
