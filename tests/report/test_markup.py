"""Tables as HTML: escaped, with headings that a screen reader can follow, numbers as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from tracereplay.report import markup


def test_a_table_word_for_word():
    """Columns and rows have headings with scope; names may break, texts are to the left, sums are marked."""
    found = markup.table(
        "Two <VMs>",
        ["VM", ("guest_faults", "pages"), "policy"],
        [("a&b", 1234, "lru"), ("all", 2, "")],
        sums=1,
    )
    assert str(found) == (
        '<div class="scroll" role="group" aria-label="Two &lt;VMs&gt;" tabindex="0">'
        '<table class="sortable">\n'
        '<thead><tr><th scope="col" class="text"><span class="name">VM</span></th>'
        '<th scope="col"><span class="name">guest_<wbr>faults</span><span class="unit">pages</span></th>'
        '<th scope="col" class="text"><span class="name">policy</span></th></tr></thead>\n'
        '<tbody>\n<tr><th scope="row">a&amp;b</th><td>1,234</td><td class="text">lru</td></tr>\n'
        '<tr class="sum"><th scope="row">all</th><td>2</td><td class="text"></td></tr>\n'
        "</tbody></table></div>"
    )


def test_long_names_of_rows_are_marked():
    """From more than forty characters on, so that they break."""
    found = str(markup.table("names", ["VM"], [("a" * 40,), ("b" * 41,)]))
    assert f'<th scope="row">{"a" * 40}</th>' in found
    assert f'<th scope="row" class="long">{"b" * 41}</th>' in found


def test_a_table_without_rows():
    """Headings alone, and nothing to sort."""
    found = str(markup.table("none", ["a"], [], sortable=False))
    assert "<table>\n<thead>" in found
    assert "<tbody>\n\n</tbody>" in found


SHOWN = {
    "a text": ("a", "a"),
    "a whole number": (1234567, "1,234,567"),
    "one from numpy": (np.int64(-5), "-5"),
    "a float that is whole": (5402.0, "5,402"),
    "two decimals": (1234.567, "1,234.57"),
    "small": (0.012345, "0.0123"),
    "below zero": (-29.9519, "-29.95"),
    "nothing": (float("nan"), "–"),
}


@pytest.mark.parametrize("case", SHOWN)
def test_numbers_as_people_read_them(case):
    """Whole numbers in full, others as precisely as one can use."""
    value, expected = SHOWN[case]
    assert markup.shown(value) == expected
