"""``tracereplay dedup``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, records, say, warn

if TYPE_CHECKING:
    import pandas as pd

    from tracereplay.analysis.content_curve import ContentCurves
    from tracereplay.trace import Trace


def dedup(
    sources: Annotated[list[str], Parameter(name="trace", negative="")],
    /,
    *,
    memory: Annotated[str | None, Parameter(name=["--memory", "-m"])] = None,
    miss_ratio: str | None = None,
    sample: str | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    plot: Path | None = None,
    jobs: int = 1,
    json: Json = False,
    force: Force = False,
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
    output
        Table of misses by memory to write: .parquet or .csv.
    plot
        Picture of them to write: .svg, .png or .pdf.
    jobs
        Threads for the curves of pages; they change no number.
    """
    from tracereplay.analysis.content_curve import content_curves, parse_ratios
    from tracereplay.analysis.sizes import check_sizes
    from tracereplay.report import dedup as report
    from tracereplay.report import style, table_file

    ratios = [] if miss_ratio is None else parse_ratios(miss_ratio)
    if memory is not None:
        check_sizes("memory", memory)
    if output is not None:
        table_file.check_target(output, force=force)
    if plot is not None:
        style.check_target(plot, force=force)
    with _on_one_clock(sources) as trace, progress("dedup", quiet=quiet) as update:
        found = content_curves(trace, sample=sample, jobs=jobs, progress=update)
    table, needed = found.table(memory), found.needed(ratios)
    warn(found.warnings)
    if output is not None:
        table_file.save(table, output)
        say(f"table written to {output}", quiet=quiet)
    if plot is not None:
        style.save(report.figure(found), plot)
        say(f"picture written to {plot}", quiet=quiet)
    if json:
        print_json(_data(found, table, needed))
    else:
        print_text(report.terminal(found, table, needed))


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
        yield replace(open_trace(merged), name=", ".join(trace.name for trace in traces))


def _data(found: ContentCurves, table: pd.DataFrame, needed: pd.DataFrame) -> dict[str, Any]:
    tables = {"footprints": found.footprints, "misses": table, "needed": needed}
    said = {"page_size": found.page_size, "exact_above": found.exact_above, "warnings": found.warnings}
    return said | {name: records(data) for name, data in tables.items()}
