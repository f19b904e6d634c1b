"""The rows of a trace VM by VM."""

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
    for vm, rows in vm_batches(trace, columns, wanted):
        yield VMRows(vm, rows, ids[vm].encode(rows.page), len(ids[vm]))


def vm_batches(trace: Trace, columns: Collection[str], vms: Collection[int]) -> Iterator[tuple[int, Batch]]:
    """The same with page numbers instead of ids: each VM and its rows, batch by batch."""
    for batch in trace.batches(decoded(trace, columns)):
        yield from by_vm(trace, batch, vms)


def decoded(trace: Trace, columns: Collection[str]) -> set[str]:
    """The columns that are to be decoded for ``by_vm``."""
    return {"page", *columns} | ({"vm"} if trace.n_vms > 1 else set())


def by_vm(trace: Trace, batch: Batch, vms: Collection[int]) -> Iterator[tuple[int, Batch]]:
    """The rows of a batch, each of ``vms`` by itself."""
    found = [0] if trace.n_vms == 1 else np.flatnonzero(np.bincount(batch.vm)).tolist()
    for vm in found:
        if vm in vms:
            yield vm, batch if len(found) == 1 else chosen(batch, batch.vm == vm)
