"""What info tells of a trace, and what it finds."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from trace_rows import FULL

from tracereplay.errors import TraceError
from tracereplay.trace import info, open_trace, write_trace


def test_everything_is_told(tmp_path):
    """The whole description of a small file, and that JSON takes it."""
    path = tmp_path / "t.parquet"
    write_trace(path, FULL, vms=["a", {"name": "b", "family": "linux"}], reduction={"exact_above": 2})
    found = info(path)
    assert json.loads(json.dumps(found)) == found
    encodings = found.pop("encodings")
    assert list(encodings) == ["time", "vm", "page", "op", "content"]
    assert encodings["time"]["codec"] == ["ZSTD"]
    assert "DELTA_BINARY_PACKED" in encodings["time"]["encodings"]
    assert sum(e["bytes"] for e in encodings.values()) < path.stat().st_size
    assert found == {
        "name": str(path),
        "has_metadata": True,
        "metadata": json.loads(open_trace(path).metadata.to_json()),
        "rows": 5,
        "files": 1,
        "row_groups": 1,
        "columns": ["time", "vm", "page", "op", "content"],
        "vms": [{"name": "a", "family": None, "pages": 1}, {"name": "b", "family": "linux", "pages": 3}],
        "time_unit": "accesses",
        "time_range": [3, 12],
        "exact_above": 2,
        "bytes": path.stat().st_size,
        "bytes_per_row": round(path.stat().st_size / 5, 3),
        "ops": {"read": 1, "write": 2, "free": 1, "fetch": 1},
        "health": "ok",
    }


def test_bare_tables_and_files_are_described(tmp_path):
    """Without metadata the VMs are counted and named."""
    pq.write_table(FULL, tmp_path / "t.parquet")
    for source in (FULL, tmp_path / "t.parquet"):
        found = info(source)
        assert found["vms"] == [
            {"name": "vm0", "family": None, "pages": 1},
            {"name": "vm1", "family": None, "pages": 3},
        ]
        assert (found["has_metadata"], found["time_range"], found["health"]) == (False, [3, 12], "ok")


def test_without_check_no_row_is_read(tmp_path):
    """check=False answers from the footer alone, even of a file with damaged rows."""
    path = tmp_path / "t.parquet"
    write_trace(path, {"page": np.arange(10_000)})
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    found = info(path, check=False)
    assert (found["rows"], found["vms"][0]["pages"], found["ops"], found["health"]) == (
        10_000,
        10_000,
        None,
        None,
    )
    found = info(path)
    assert found["ops"] is None
    assert "damaged at or after this row" in found["health"]


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        (
            '{"format": 1, "vms": [{"name": "a", "pages": 9}, {"name": "b"}]}',
            "vms[0].pages: found 9; expected 1",
        ),
        ('{"format": 1, "time_range": [0, 12]}', "time_range: found [0, 12]; expected [3, 12]"),
    ],
)
def test_metadata_that_contradict_the_rows_are_a_finding(said, finding):
    """Health compares what the metadata say with what is there."""
    assert finding in info(FULL.replace_schema_metadata({"tracereplay": said}))["health"]


def test_bad_rows_are_a_finding_and_unreadable_files_an_error(tmp_path):
    """A trace that opens is described, with its first bad row; one that does not is refused."""
    found = info({"time": [4, 3], "page": [1, 2]})
    assert found["health"].startswith("<table>: row 1: column time: found 3; expected 4 or more")
    assert (found["ops"], found["time_range"]) == (None, None)
    with pytest.raises(TraceError, match="no such file"):
        info(tmp_path / "none.parquet")
