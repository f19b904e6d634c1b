"""``tracereplay dedup``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Json, Quiet, print_json, print_text, progress, warn
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group
    from rich.table import Table

    from tracereplay.analysis.content_curve import ContentCurves
    from tracereplay.trace import Trace


def dedup(
    sources: Annotated[list[str], Parameter(name="trace", negative="")],
    /,
    *,
    memory: Annotated[str | None, Parameter(name=["--memory", "-m"])] = None,
    miss_ratio: str | None = None,
    sample: str | None = None,
    jobs: int = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what VMs miss when memory holds each content once, and how much less of it they need.

    Misses are those of LRU memories: of pages, and of contents alone (each VM shares inside its part), both
    split between VMs as is best; of contents together, one memory for all.

    Parameters
    ----------
    sources
        Traces with contents (Parquet files, directories of part files, URIs), each of one VM or more.
    memory
        Sizes of memory: 256MiB, pages, or percentages of all pages together; several with commas.
    miss_ratio
        Say how much memory is needed for these miss ratios, such as 5%; several with commas.
    sample
        Estimate from a sample of contents and pages, with 95 % bands: 10%, or rate=10%,salts=8.
    jobs
        Threads for the curves of pages.
    """
    from tracereplay.analysis.content_curve import content_curves

    ratios = _ratios(miss_ratio)
    with _on_one_clock(sources) as trace, progress("dedup", quiet=quiet) as update:
        found = content_curves(trace, sample=sample, jobs=jobs, progress=update)
    table = found.table(_sizes(found, memory))
    needed = found.needed(ratios)
    if json:
        print_json(_data(found, table, needed))
    else:
        print_text(_text(found, table, needed))


@contextmanager
def _on_one_clock(sources: list[str]) -> Iterator[Trace]:
    """The trace, or all of them in a temporary file that is there as long as it is needed."""
    from tracereplay.trace import open_trace, write_trace
    from tracereplay.trace.merge import merge

    traces = [open_trace(source) for source in sources]
    without = [trace.name for trace in traces if not trace.has_content]
    if len(traces) == 1 or len(without) == len(traces):
        yield traces[0]
        return
    if without:
        warn([f"no page contents in {', '.join(without)}: what is written there is not shared"])
    with TemporaryDirectory() as folder:
        merged = Path(folder) / "merged.parquet"
        write_trace(merged, merge(traces))
        yield open_trace(merged)


def _ratios(text: str | None) -> list[float]:
    from tracereplay.units import parse_fraction

    try:
        return [float(parse_fraction(ratio)) for ratio in (text or "").split(",") if text]
    except ValueError as error:
        raise UsageError(f"dedup: miss ratio: {error}") from None


def _sizes(found: ContentCurves, text: str | None) -> list[int] | None:
    from tracereplay.units import parse_size

    if text is None:
        return None
    pages = sum(int(curve.sizes[-1]) for curve in found.pages.values())
    try:
        return [parse_size(size, page_size=found.page_size, of=pages) for size in text.split(",")]
    except ValueError as error:
        raise UsageError(f"dedup: memory: {error}") from None


def _data(found: ContentCurves, table: pd.DataFrame, needed: pd.DataFrame) -> dict[str, Any]:
    tables = {"footprints": found.footprints, "misses": table, "needed": needed}
    plain = {name: data.astype(object).where(data.notna(), None) for name, data in tables.items()}
    records = {name: data.to_dict(orient="records") for name, data in plain.items()}
    return {"page_size": found.page_size, "exact_above": found.exact_above, **records}


def _text(found: ContentCurves, table: pd.DataFrame, needed: pd.DataFrame) -> Group:
    """Footprints by group, misses by size and, if asked for, sizes by miss ratio."""
    from rich.console import Group

    parts: list[Any] = ["", _needed(needed, found.page_size)] if len(needed) else []
    return Group(_footprints(found.footprints), "", _misses(table, found.page_size), *parts)


def _footprints(data: pd.DataFrame) -> Table:
    from tracereplay.report.names import ALL_VMS

    shown = _table("footprints", "pages", "contents\nalone", "contents\ntogether", *_band(data), "shared")
    names = [*data["vms"][:-1], ALL_VMS] if len(data) > 1 else data["vms"]
    for name, row in zip(names, data.to_dict(orient="records"), strict=True):
        half = [_count((row["contents_high"] - row["contents_low"]) / 2) for _ in _band(data)]
        counts = [_count(row[name]) for name in ("pages", "contents_alone", "contents")]
        shown.add_row(name, *counts, *half, _count(row["shared"]))
    return shown


def _misses(data: pd.DataFrame, page_size: int) -> Table:
    titles = (
        "misses of\npages",
        "contents\nalone",
        "contents\ntogether",
        *_band(data),
        "same misses\ntogether in",
    )
    shown = _table("memory", *titles)
    for row in data.to_dict(orient="records"):
        counts = [_count(row[f"misses_{name}"]) for name in ("pages", "contents_alone", "contents_together")]
        half = [_count((row["high"] - row["low"]) / 2) for _ in _band(data)]
        shown.add_row(
            _bytes(row["size_pages"], page_size), *counts, *half, _bytes(row["same_misses"], page_size)
        )
    return shown


def _needed(data: pd.DataFrame, page_size: int) -> Table:
    shown = _table("needed for a\nmiss ratio of", "pages", "contents\nalone", "contents\ntogether")
    for row in data.to_dict(orient="records"):
        sizes = [row[name] for name in ("pages", "contents_alone", "contents_together")]
        shown.add_row(f"{row['miss_ratio']:.4g}", *(_bytes(size, page_size) for size in sizes))
    return shown


def _table(first: str, *titles: str) -> Table:
    from tracereplay.report.table import plain_table

    shown = plain_table()
    shown.add_column(first, overflow="ellipsis", no_wrap=True)
    for title in titles:
        shown.add_column(title, justify="right", no_wrap=True)
    return shown


def _band(data: pd.DataFrame) -> list[str]:
    """The title of a column for half the 95 % band, where the numbers are estimates."""
    return ["± 95 %"] if {"low", "contents_low"} & set(data) else []


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _bytes(pages: Any, page_size: int) -> str:
    """A size; never, where nothing misses as little."""
    import pandas as pd

    from tracereplay.units import format_bytes

    return "never" if pd.isna(pages) else format_bytes(int(pages) * page_size)
