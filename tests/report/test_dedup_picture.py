"""What sharing memory is worth, as a picture: by its lines and words."""

from __future__ import annotations

import numpy as np
import pytest

import tracereplay as tr
from tracereplay.report import style
from tracereplay.report.dedup import figure

PAGE = 4096


def two_vms(n: int) -> dict[str, object]:
    """Two VMs that go through the same ``n`` contents four times, each content in both at a time."""
    page = np.tile(np.repeat(np.arange(n), 2), 4)
    return {"vm": [0, 1] * (4 * n), "page": page, "op": [1] * (8 * n), "content": page + 1}


def test_lines():
    """Miss ratios of the table, from the top: together the second VM finds what the first has written."""
    found = tr.content_curves(two_vms(8))
    axes = figure(found).axes[0]
    table = found.table(found.sizes(40))
    together, alone, pages = (line.get_ydata().tolist() for line in axes.lines)
    assert axes.lines[0].get_xdata().tolist() == [size * PAGE for size in range(2, 17)]
    for line, name in ((pages, "pages"), (alone, "contents_alone"), (together, "contents_together")):
        assert line == (table[f"misses_{name}"] / 64).tolist()
    # eight frames hold all contents of both; what has them in pages misses first touches alone
    assert (together[:6], together[6:]) == ([0.5] * 6, [8 / 64] * 9)
    assert pages[-1] == 16 / 64
    assert [text.get_text() for text in axes.get_legend().texts] == [
        "pages",
        "contents alone",
        "contents together",
    ]


def test_the_same_misses():
    """An arrow from a memory of pages to one of contents that misses no more, where both are drawn."""
    arrow, words = figure(tr.content_curves(two_vms(8))).axes[0].texts
    (same, height), (size, start) = arrow.xy, arrow.xyann
    assert (same < size, height == start) == (True, True)
    said = f"{same / 1024:.0f} KiB of contents together\nmiss as {size / 1024:.0f} KiB of pages do"
    assert words.get_text() == said
    apart = two_vms(8) | {"content": np.arange(64) + 1}
    assert len(figure(tr.content_curves(apart)).axes[0].texts) == 0


@pytest.mark.parametrize("sample", [None, "rate=50%,salts=2"])
def test_bands(sample):
    """Estimates have one; the bytes are the same every time."""
    found = tr.content_curves(two_vms(40), sample=sample)
    first, second = (style.rendered(figure(found), "svg") for _ in range(2))
    assert first == second
    assert (b"95 % band" in first) == (sample is not None)
