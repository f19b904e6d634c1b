"""What a reduced trace says of the accesses that were left out, and who still may say it."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tracereplay as tr
from tracereplay.bundled import trace_path
from tracereplay.errors import TraceError
from tracereplay.trace import Metadata, VMInfo, open_trace, write_trace
from tracereplay.trace.schema import METADATA_KEY

# accesses of web: 9, FREE rows left out; of db: 6
ROWS = {
    "vm": [0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1],
    "page": [1, 1, 1, 2, 1, 1, 2, 2, 1, 2, 1, 1, 2, 2, 1, 1],
    "op": [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0],
}
COUNTS = (9, 6)


def small(path, rows=ROWS, **said):
    """The rows reduced to what memories of two pages miss."""
    table = pa.table(rows).replace_schema_metadata(
        {METADATA_KEY: Metadata(vms=(VMInfo("web"), VMInfo("db")), **said).to_json()}
    )
    write_trace(path, tr.reduce_trace(table, 2))
    return path


def test_reduction_counts_before(tmp_path):
    """By VM, FREE rows left out; reducing further keeps the counts."""
    path = small(tmp_path / "small.parquet")
    once = open_trace(path)
    assert once.n_rows < 16
    assert once.raw_accesses() == COUNTS
    twice = open_trace(pa.table(tr.reduce_trace(path, 3)))
    assert [(vm.name, vm.raw_accesses) for vm in twice.metadata.vms] == [("web", 9), ("db", 6)]


def test_whole_traces_are_counted():
    """From the rows, and not written: a trace that is not reduced has one key less."""
    trace = open_trace(ROWS)
    assert trace.raw_accesses() == COUNTS
    assert open_trace({"page": [1, 2, 1]}).raw_accesses() == (3,)
    said = Metadata(vms=(VMInfo("a"),))
    assert said.to_dict()["vms"] == [{"name": "a", "family": None, "pages": None}]


@pytest.mark.parametrize("key", ["raw_accesses", "accesses_before_reduction"])
def test_what_recorders_say(key):
    """The count of a recorder of one VM is that VM's, unless the VM says or nothing was left out."""
    source, reduction = {key: 1000}, {"method": "sad", "exact_above": 2}

    def counted(vms, **said):
        return [vm.raw_accesses for vm in Metadata.from_fields({"vms": vms, "source": source, **said}).vms]

    assert counted(["a"], reduction=reduction) == [1000]
    assert counted([{"name": "a", "raw_accesses": 7}], reduction=reduction) == [7]
    assert counted([{"name": "a", "raw_accesses": None}], reduction=reduction) == [None]
    assert counted(["a"]) == [None]
    assert counted(["a", "b"], reduction=reduction) == [None, None]


def test_bundled_traces():
    """Those of one program know their accesses; the guests' recorder did not say."""
    assert open_trace(trace_path("gzip")).raw_accesses() == (24_657_933,)
    assert open_trace(trace_path("two-guests")).raw_accesses() == (None, None)


def test_who_may_still_say_it(tmp_path):
    """VMs that are whole; not a window of rows, a sample, or rows that another tool has filtered."""
    path = small(tmp_path / "small.parquet")

    def left(rows):
        return open_trace(pa.table(rows)).raw_accesses()

    assert left(tr.slice_trace(path, vms=["db"])) == (6,)
    assert left(tr.slice_trace(path, rows="1:")) == (None, None)
    assert left(tr.slice_trace(path, time=":9")) == (None, None)
    assert left(tr.sample_trace(path, 0.99)) == (None, None)
    table = pq.read_table(path)
    pq.write_table(table.slice(1), tmp_path / "filtered.parquet")
    write_trace(tmp_path / "again.parquet", tmp_path / "filtered.parquet")
    assert open_trace(tmp_path / "again.parquet").raw_accesses() == (None, None)


def test_a_slice_does_not_inherit_from_the_recorder(tmp_path):
    """The recorder counted the whole, and its count still stands in the source."""
    write_trace(tmp_path / "cut.parquet", tr.slice_trace(trace_path("gzip"), rows=":100"))
    cut = open_trace(tmp_path / "cut.parquet")
    assert cut.metadata.source["accesses_before_reduction"] == 24_657_933
    assert cut.raw_accesses() == (None,)
    assert cut.metadata.to_dict()["vms"][0]["raw_accesses"] is None


def test_merged(tmp_path):
    """Each VM keeps its own; beside reduced traces those of whole ones are counted."""
    path = small(tmp_path / "small.parquet")
    write_trace(tmp_path / "cut.parquet", tr.slice_trace(path, rows="1:"))
    merged = tr.merge([path, {"page": [1, 2, 1], "op": [0, 2, 0]}, tmp_path / "cut.parquet"])
    assert [vm.raw_accesses for vm in open_metadata(merged).vms] == [9, 6, 2, None, None]
    whole = open_metadata(tr.merge([ROWS, ROWS]))
    assert [vm.raw_accesses for vm in whole.vms] == [None] * 4


def open_metadata(reader):
    return Metadata.from_json(reader.schema.metadata[METADATA_KEY])


def test_a_wrong_count_is_refused():
    """As all metadata are, with the place."""
    text = json.dumps({"format": 1, "vms": [{"name": "a", "raw_accesses": -1}]})
    with pytest.raises(TraceError, match=r"vms\[0\].raw_accesses: found -1; expected a whole number or null"):
        Metadata.from_json(text)


def test_miss_ratios_are_those_of_the_whole_trace(tmp_path):
    """By VM and size, of a trace and its reduction, in curves and in the best split."""
    path = small(tmp_path / "small.parquet")
    sizes = [2, 3]
    assert tr.mrc(path, sizes=sizes).equals(tr.mrc(ROWS, sizes=sizes).replace({"vm0": "web", "vm1": "db"}))
    of_whole = tr.partition(ROWS, 4)["miss_ratio"].tolist()
    assert tr.partition(path, 4)["miss_ratio"].tolist() == of_whole
