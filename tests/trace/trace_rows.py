"""The small trace that the tests of this folder share, and how to look at all rows of one."""

from __future__ import annotations

import pyarrow as pa

from tracereplay.trace import Trace

TIME = [3, 3, 7, 9, 12]
VM = [0, 1, 1, 0, 1]
PAGE = [5, 5, 2**40, 5, 6]
OP = [0, 1, 2, 3, 1]
CONTENT = [None, 2**64 - 1, 0, None, 7]
FULL = pa.table(
    {
        "time": pa.array(TIME, pa.uint64()),
        "vm": pa.array(VM, pa.uint16()),
        "page": pa.array(PAGE, pa.uint64()),
        "op": pa.array(OP, pa.uint8()),
        "content": pa.array(CONTENT, pa.uint64()),
    }
)


def rows(trace: Trace, **options) -> dict[str, list]:
    """A trace's rows column by column, with the batches put together again; unknown contents as 0."""
    found: dict[str, list] = {name: [] for name in ("time", "vm", "page", "op", "content", "known")}
    at = 0
    for batch in trace.batches(**options):
        assert batch.row == at
        for name, values in found.items():
            values.extend(getattr(batch, name).tolist())
        at += len(batch.page)
    assert at == trace.n_rows
    found["content"] = [c if k else 0 for c, k in zip(found["content"], found["known"], strict=True)]
    return found


EXPECTED = {
    "time": TIME,
    "vm": VM,
    "page": PAGE,
    "op": OP,
    "content": [0, 2**64 - 1, 0, 0, 7],
    "known": [False, True, True, False, True],
}
