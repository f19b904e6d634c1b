"""Tables as files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tracereplay.errors import OutputError, UsageError
from tracereplay.report import table_file


@pytest.mark.parametrize("ending", table_file.ENDINGS)
def test_files(tmp_path, ending):
    """What is read again is the table; Parquet keeps what is said once of all."""
    table, path = pd.DataFrame({"vm": ["a", "b"], "misses": [1, 2]}, index=[7, 8]), tmp_path / f"t{ending}"
    table.attrs = {"page_size": 4096, "accesses": {"a": 3}}
    table_file.save(table, path)
    found = pd.read_csv(path) if ending == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(found, table.reset_index(drop=True), check_dtype=ending == ".parquet")
    assert found.attrs == ({} if ending == ".csv" else table.attrs)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_target_is_checked_beforehand(tmp_path):
    """An ending that says no format, a file that exists."""
    with pytest.raises(UsageError, match=r"expected a file that ends in one of .parquet, .csv"):
        table_file.check_target(Path("t.json"), force=False)
    (tmp_path / "t.csv").touch()
    with pytest.raises(OutputError, match="exists already"):
        table_file.check_target(tmp_path / "t.csv", force=False)
    table_file.check_target(tmp_path / "t.csv", force=True)
