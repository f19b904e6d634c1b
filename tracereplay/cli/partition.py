"""``tracereplay partition``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Json, Quiet, print_json, print_text, progress, warn
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group


def partition(
    sources: Annotated[list[str], Parameter(name="trace", negative="")],
    /,
    *,
    memory: Annotated[str | None, Parameter(name=["--memory", "-m"])] = None,
    policy: str = "lru",
    jobs: int = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Split a host's memory between VMs so that they miss least.

    Each VM keeps its part throughout: the best that static balloons can do, which balloon controllers can be
    measured against.

    Parameters
    ----------
    sources
        Traces (Parquet files, directories of part files, URIs), each of one VM or more.
    memory
        Memory to split: 256MiB, pages, or a percentage of all footprints together.
    policy
        Replacement policy of the VMs: lru, clock, or another of `tracereplay policies`.
    jobs
        Threads.
    """
    from tracereplay.analysis.partition import partition as best

    if memory is None:
        raise UsageError("partition: expected --memory, as in: partition a.parquet b.parquet --memory 75%")
    with progress("partition", quiet=quiet) as update:
        table = best(sources, memory, policy=policy, jobs=jobs, progress=update)
    warn(table.attrs["warnings"])
    if json:
        print_json({**table.attrs, "vms": table.to_dict(orient="records")})
    else:
        print_text(_text(table))


def _text(table: pd.DataFrame) -> Group:
    """A row per VM and one of all, and how good the split is."""
    from rich.console import Group

    from tracereplay.report.names import ALL_VMS
    from tracereplay.report.table import plain_table

    shown = plain_table()
    shown.add_column("VM", overflow="ellipsis", no_wrap=True)
    for title in ("pages", "misses", "miss\nratio", "in proportion:\npages", "\nmisses"):
        shown.add_column(title, justify="right", no_wrap=True)
    counts = table[["pages", "misses", "pages_proportional", "misses_proportional"]]
    for vm, ratio, of_vm in zip(table["vm"], table["miss_ratio"], counts.to_numpy(), strict=True):
        shown.add_row(vm, *_cells(of_vm, f"{ratio:.4f}"))
    shown.add_section()
    shown.add_row(ALL_VMS, *_cells(counts.sum(), ""))
    return Group(shown, "", _verdict(table.attrs))


def _cells(counts: Iterable[int], ratio: str) -> list[str]:
    pages, misses, *proportional = (f"{n:,}" for n in counts)
    return [pages, misses, ratio, *proportional]


def _verdict(said: Mapping[Any, Any]) -> str:
    from math import ceil

    from tracereplay.units import format_bytes

    memory = f"{said['memory']:,} pages ({format_bytes(said['memory'] * said['page_size'])})"
    best = "no split" if said["exact"] else f"no split in multiples of {said['unit']} pages"
    bound = "" if said["exact"] else f", and none at all fewer than {ceil(said['bound']):,}"
    return (
        f"{memory} under {said['policy']}: {best} has fewer misses{bound}.\n"
        f"In proportion to footprints: {said['total_proportional'] / max(said['total'], 1) - 1:+.1%}."
    )
