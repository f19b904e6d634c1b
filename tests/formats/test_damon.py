"""DAMON's recordings: regions with accesses become touches of their pages, from JSON and from perf script."""

from __future__ import annotations

import json
import zlib

import pyarrow.parquet as pq
import pytest
from formats.importing import imported, refused, sample

from tracereplay.trace.convert import import_trace

Said = tuple[int, int, list[tuple[int, int, int]]]
"""A snapshot: its end in ns, its target, its regions (first page, pages, accesses)."""
RECORDING: list[Said] = [
    (1_000_000_000, 7, [(0, 2, 3), (10, 100, 0)]),
    (1_000_050_000, 8, [(5, 1, 20)]),
    (1_100_000_000, 7, [(0, 1, 0), (1, 3, 1)]),
]


def as_json(snapshots: list[Said], **more: object) -> bytes:
    """What ``damo record`` writes: a record for each target, numbers with commas."""
    records = []
    for target in sorted({target for _, target, _ in snapshots}):
        told = [
            {
                "start_time": f"{end - 100_000_000}",
                "end_time": f"{end}",
                "regions": [
                    {
                        "start": f"{first * 4096:,}",
                        "end": f"{(first + pages) * 4096:,}",
                        "nr_accesses": {"samples": accesses, "percent": None},
                        "age": {"usec": None, "aggr_intervals": None},
                    }
                    for first, pages, accesses in regions
                ],
            }
            for end, of, regions in snapshots
            if of == target
        ]
        records.append(
            {"kdamond_idx": None, "intervals": None, **more, "target_id": target, "snapshots": told}
        )
    return json.dumps(records).encode()


def as_perf(snapshots: list[Said], after: str = "") -> bytes:
    """What ``perf script`` prints; ``after`` follows the accesses, as the age does on new kernels."""
    return "".join(
        f"       kdamond.0  4452 [000] {end // 10**9}.{end % 10**9 // 1000:06}: damon:damon_aggregated: "
        f"target_id={target} nr_regions={len(regions)} {first * 4096}-{(first + pages) * 4096}: {n}{after}\n"
        for end, target, regions in snapshots
        for first, pages, n in regions
    ).encode()


EXAMPLE = as_perf(RECORDING)
ROWS = {
    "time": [0, 0, 50_000, 100_000_000, 100_000_000, 100_000_000],
    "vm": [0, 0, 1, 0, 0, 0],
    "page": [0, 1, 5, 1, 2, 3],
}


@pytest.mark.parametrize(
    "content",
    [
        as_json(RECORDING),
        zlib.compress(as_json(RECORDING)),
        as_perf(RECORDING),
        as_perf(RECORDING, " 12"),
    ],
    ids=["json", "json_compressed", "perf", "perf-with-age"],
)
def test_regions_become_touches(tmp_path, content):
    """Every page of each region with accesses, by time over all targets; told apart, and found by content."""
    metadata, rows = imported(tmp_path, "auto", content)
    assert rows == ROWS
    assert [vm.name for vm in metadata.vms] == ["target 7", "target 8"]
    source = metadata.source
    assert (source["sampled"], source["snapshots"], source["regions_touched"]) == (True, 3, 3)
    assert source["skipped"] == {"regions without accesses": 2}
    assert metadata.time_unit == "ns"


def test_least(tmp_path):
    """Regions with fewer accesses than ``least`` are counted apart from those with none."""
    metadata, rows = imported(tmp_path, "damon:least=3", EXAMPLE)
    assert rows["page"] == [0, 1, 5]
    assert metadata.source["skipped"] == {"regions without accesses": 2, "regions below least": 1}


def test_intervals_are_kept(tmp_path):
    """What damo says of its intervals is in the metadata."""
    intervals = {"sample_us": "5 ms", "aggr_us": "100 ms"}
    assert (
        imported(tmp_path, "auto", as_json(RECORDING, intervals=intervals))[0].source["intervals"]
        == intervals
    )


def test_large_regions_are_cut(tmp_path):
    """A region of 3 GiB is every page of it, once."""
    pages = 3 << 18
    _, rows = imported(tmp_path, "damon", as_perf([(1000, 0, [(5, pages, 1)])]))
    assert rows["page"] == list(range(5, 5 + pages))


def test_other_events_and_lost_ones(tmp_path):
    """Other events are counted by name; snapshots that lack regions are used, and counted."""
    other = (
        b" kdamond.0 1 [000] 1.000001: damon:damos_before_apply: ctx_idx=0 scheme_idx=0 target_idx=0 "
        b"nr_regions=1 0-4096: 1 2\n swapper 0 [001] 1.000002: sched:sched_switch: prev=x ==> next=y\n"
    )
    lines = as_perf(
        [(1000, 0, [(0, 1, 1), (1, 1, 1), (2, 1, 1)]), (2000, 0, [(0, 1, 1), (1, 1, 1), (2, 1, 1)])]
    )
    first, _, rest = lines.partition(b"\n")
    lost = first + b"\n" + rest.partition(b"\n")[2].partition(b"\n")[2]
    metadata, rows = imported(tmp_path, "auto", lost.replace(b"\n", b"\n" + other, 1))
    assert (rows["page"], rows["time"]) == ([0, 0, 1, 2], [0, 1000, 1000, 1000])
    assert metadata.source["skipped"] == {
        "events damon:damos_before_apply": 1,
        "events sched:sched_switch": 1,
    }
    assert metadata.source["snapshots that lack regions"] == 1


EVENT = b" kdamond.0 1 [000] 1.000001: damon:damon_aggregated: "
BAD = {
    b"kdamond.0\n": 'source0:1: found "kdamond.0"; expected an event as perf script prints it, such as ',
    EVENT
    + b"target_id=0 nr_regions=1 4096: 1\n": 'source0:1: found "target_id=0 nr_regions=1 4096: 1"; expected '
    "target_id=… nr_regions=… START-END: ACCESSES",
    EVENT
    + b"target_id=0 nr_regions=1 8192-4096: 1\n": 'source0:1: found "target_id=0 nr_regions=1 8192-4096: 1"',
    b"[": "source0: byte 1: found the end of the file in place of {; expected a whole file: records ",
    b'[{"kdamond_idx":' + b"[" * 200_000: "source0: byte 16: found no JSON (maximum recursion depth exceeded",
    b'[{"target_id": 0}]': "source0: found record 0 without snapshots; expected "
    "records of damo: target_id, snapshots of end_time, regions of start, end, nr_accesses.samples",
    b'[{"snapshots": []}]': "source0: found record 0 without target_id; expected records of damo: ",
    b'[{"target_id": 0, "snapshots": 7}]': 'source0: byte 31: found "7" in place of [; expected a whole ',
    b'[{"target_id": 0, "snapshots": [7]}]': "source0: found record 0, snapshot 0 that cannot be read (TypeE",
    as_json(RECORDING).replace(b'"8,192"', b'"x"'): "source0: found record 0, snapshot 0 that cannot be read "
    "(ValueError: invalid literal for int() with base 10: 'x'); expected records of damo",
    zlib.compress(as_json(RECORDING))[:-30]: "source0: byte ",
    zlib.compress(b"x" * 99)[:2]
    + b"\xff" * 9: "source0: found data that cannot be decompressed (Error -3 while",
}


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_bad_file_is_named(tmp_path, content):
    """The line, byte, or record and snapshot; found and expected."""
    assert refused(tmp_path, "damon", content).startswith(BAD[content])


def test_real_working_set(tmp_path):
    """Mean and maximum of damo's own report, which leaves out the first 20 of 543 snapshots."""
    target = tmp_path / "t.parquet"
    metadata = import_trace("auto", sample("damon/damon.data"), target)
    pages = pq.read_table(target, columns=["time"])["time"].value_counts().field("counts").to_pylist()
    assert (metadata.source["snapshots"], len(pages)) == (543, 542)  # the first one has no accesses
    assert sum(pages[19:]) * 4096 // 523 == 113_456_913
    assert max(pages[19:]) * 4096 == 206_434_304


def test_real_perf_script(tmp_path):
    """Every event belongs to a whole snapshot; nothing is lost."""
    metadata = import_trace("auto", sample("damon/perf.data.script.gz"), tmp_path / "t.parquet")
    source = metadata.source
    assert source["regions_touched"] + source["skipped"]["regions without accesses"] == 10_260
    assert "snapshots that lack regions" not in source
