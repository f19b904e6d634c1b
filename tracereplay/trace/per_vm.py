"""The rows of a trace VM by VM, with dense page ids that each VM counts from 0."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from tracereplay.trace.ids import Ids
from tracereplay.trace.reader import Batch, Trace
from tracereplay.trace.schema import COLUMNS
from tracereplay.trace.stream import chosen


class VMRows(NamedTuple):
    """Consecutive rows of one VM."""

    vm: int
    batch: Batch  # its rows alone; ``row`` is that of the trace's batch
    page: np.ndarray  # int32, dense ids in order of first sight, from 0 for each VM
    n_pages: int  # page ids of the VM given out so far


def vm_rows(
    trace: Trace, columns: Collection[str] = COLUMNS, *, vms: Collection[int] | None = None
) -> Iterator[VMRows]:
    """All rows of the VMs ``vms`` (None = all), in order within each VM, decoding only ``columns``.

    ``page`` and, of a trace with several VMs, ``vm`` are always decoded.
    """
    wanted = range(trace.n_vms) if vms is None else vms
    ids = {vm: Ids() for vm in wanted}
    for batch in trace.batches({"page", *columns} | ({"vm"} if trace.n_vms > 1 else set())):
        for vm in np.unique(batch.vm).tolist():
            if vm in ids:
                rows = chosen(batch, batch.vm == vm)
                yield VMRows(vm, rows, ids[vm].encode(rows.page), len(ids[vm]))
