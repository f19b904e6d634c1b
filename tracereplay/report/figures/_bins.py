"""A run's timeline as what happened per bin of time, and what held at the end of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tracereplay.report.names import labels
from tracereplay.report.style import OTHERS, quantity
from tracereplay.result import Result

BINS = 100
"""As many bins as a figure has at most, but for what is left over at the end."""
MOST_VMS = 7
"""VMs that a figure shows by name."""


def per_bin(result: Result, names: Sequence[str]) -> pd.DataFrame:
    """Events per bin over all VMs: the growth of cumulative counters.

    Index ``time``: the end of each bin, in the trace's unit from the run's first access.  ``attrs``:
    ``bin`` (width), ``time_unit``, ``page_size``.
    """
    ends = at_bins(result, names)
    return _described(ends - ends.shift(fill_value=0), ends.attrs)


def at_bins(result: Result, names: Sequence[str]) -> pd.DataFrame:
    """Counters so far and gauges over all VMs at the end of each bin; else as ``per_bin``."""
    return _binned(result, result.timeline.groupby("time")[list(names)].sum())


def at_bins_by_vm(result: Result, name: str) -> pd.DataFrame:
    """One of them, a column per VM in the run's order."""
    by_vm = result.timeline.pivot(index="time", columns="vm", values=name)
    by_vm.columns.name = None
    return _binned(result, by_vm[list(result.vms.index)])


def _binned(result: Result, samples: pd.DataFrame) -> pd.DataFrame:
    """The last sample of each bin; bins are an equal number of samples, the last one may have fewer."""
    machine = result.machine
    each = max(-(-(len(samples) - 1) // BINS), 1)
    chosen = np.unique(np.append(np.arange(each - 1, len(samples), each), len(samples) - 1))
    found = samples.iloc[chosen]
    ends = found.index.to_numpy(np.int64) - machine["first_time"]
    ends[-1] += 1  # a tick's sample is taken before the rows of its time, the run's last one after them
    found.index = pd.Index(ends, name="time")
    width = machine["tick"] * machine["timeline_every"] * each or int(ends[-1])
    attrs = {"bin": width, "time_unit": machine["time_unit"], "page_size": machine["page_size"]}
    return _described(found, attrs)


def named(data: pd.DataFrame, by: pd.DataFrame | None = None, reserved: Sequence[str] = ()) -> pd.DataFrame:
    """Columns per VM, all but the MOST_VMS with the greatest values (in ``by``) summed as others.

    VMs that are called like the others, the index or a ``reserved`` column get other names (``labels``).
    """
    largest = set((data if by is None else by).max().nlargest(MOST_VMS).index)
    rest = [vm for vm in data if vm not in largest]
    called = labels(list(map(str, data)), [OTHERS, *map(str, filter(None, data.index.names)), *reserved])
    shown = data.drop(columns=rest).rename(columns=called)
    return _described(shown.assign(**{OTHERS: data[rest].sum(axis=1)}) if rest else shown, data.attrs)


def bin_text(data: pd.DataFrame) -> str:
    """How wide a bin is, and where its time starts, for captions."""
    width = quantity(data.attrs["bin"], data.attrs["time_unit"])
    return f"Bins of {width}; time in {data.attrs['time_unit']} from the run's first access."


def _described(table: pd.DataFrame, attrs: Mapping[Any, Any]) -> pd.DataFrame:
    table.attrs = dict(attrs)
    return table
