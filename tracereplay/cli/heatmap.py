"""``tracereplay heatmap``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, say

if TYPE_CHECKING:
    from tracereplay.analysis.heat import Heat


def heatmap(
    source: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    vm: str = "0",
    op: str | None = None,
    time_bins: int | None = None,
    page_bins: int | None = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show where and when a VM touches its memory: in the terminal, or as a picture.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    output
        Picture to write: .svg, .png or .pdf.
    vm
        Name or index of the VM.
    op
        Count one operation only: read, write, free or fetch.
    time_bins
        Columns; default: 360 of a picture, as many as fit a terminal, at most 60.
    page_bins
        Rows; default: 240 of a picture, 20 of the terminal.
    """
    from rich.console import Console

    from tracereplay.analysis.heat import heat
    from tracereplay.report import style
    from tracereplay.report.heatmap import TERMINAL_LINES, columns_within, terminal
    from tracereplay.report.heatmap import heatmap as draw

    if output is not None:
        style.check_target(output, force=force)
    console = Console()
    coloured = console.color_system is not None and not console.no_color
    bins = {"time_bins": columns_within(console.width), "page_bins": TERMINAL_LINES * (1 + coloured)}
    said = {key: n for key, n in (("time_bins", time_bins), ("page_bins", page_bins)) if n is not None}
    found = heat(source, vm=vm, op=op, **(({} if output else bins) | said))
    if json:
        print_json(_data(found))
    if output is not None:
        style.save(draw(found), output)
        say(f"heat map of {found.vm} written to {output}", quiet=quiet)
    elif not json:
        print_text(terminal(found, colour=coloured), wrap=False)


def _data(found: Heat) -> dict[str, Any]:
    return {
        "vm": found.vm,
        "op": found.op,
        "first_time": found.first_time,
        "time_per_bin": found.time_per_bin,
        "time_unit": found.time_unit,
        "pages_per_bin": found.pages_per_bin,
        "page_size": found.page_size,
        "first_pages": found.pages[found.page_edges[:-1]].tolist(),
        "counts": found.counts.tolist(),
    }
