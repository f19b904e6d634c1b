"""The traces that come with the project are what their README says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tracereplay.trace import info

TRACES = Path(__file__).parents[2] / "traces"
if not TRACES.is_dir():
    pytest.skip("the tests run without the project's folder", allow_module_level=True)
LISTED = [
    [cell.strip(" `") for cell in line.strip("|\n ").split("|")]
    for line in (TRACES / "README.md").read_text().splitlines()
    if re.match(r"\| `[\w-]+\.parquet`", line)
]


def _numbers(text: str) -> list[int]:
    return [int(n.replace(",", "")) for n in text.split(" + ")]


def test_the_readme_lists_every_file():
    """No trace without a description, no description without a trace."""
    assert sorted(row[0] for row in LISTED) == sorted(p.name for p in TRACES.glob("*.parquet"))
    assert {p.name for p in TRACES.iterdir()} == {"README.md", *(row[0] for row in LISTED)}


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row[0])
def test_a_listed_trace_is_healthy_and_as_described(row):
    """Rows, pages, exactness and digest agree with the README; every row passes the checks."""
    name, _, rows, pages, exact_above, digest = row
    found = info(TRACES / name)
    assert found["health"] == "ok"
    assert [found["rows"]] == _numbers(rows)
    assert [vm["pages"] for vm in found["vms"]] == _numbers(pages)
    assert [found["exact_above"]] == _numbers(exact_above)
    assert hashlib.sha256((TRACES / name).read_bytes()).hexdigest() == digest
    assert found["metadata"]["source"]["tool"]
