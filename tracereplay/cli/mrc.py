"""``tracereplay mrc``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn


def mrc(
    traces: Annotated[list[str], Parameter(name="trace", negative="")],
    /,
    *,
    policy: str = "lru",
    sizes: str | None = None,
    sample: str | None = None,
    vm: str | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    plot: Path | None = None,
    jobs: int = 1,
    seed: int = 0,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what a memory of each size would miss: LRU exactly at every size, other policies by simulation.

    The terminal shows miss ratios at some of the sizes; -o and --json have misses, too, and all sizes.

    Parameters
    ----------
    traces
        Traces: Parquet files, directories of part files, s3:// or gs:// URIs.
    policy
        One or several with commas, such as lru,fifo,clock,opt; see `tracereplay policies`. OPT is the floor.
    sizes
        With commas: pages, 64MiB, 50% of a VM's footprint. Default: every size of an exact LRU, else 50.
    sample
        Estimate from a part of the pages: 1%, 8192 (pages), rate=1%,salts=4; with 95 % bands.
    vm
        Name or index of the VM; default: all.
    output
        Table to write: .parquet or .csv.
    plot
        Picture to write: .svg, .png or .pdf.
    jobs
        Threads; they change no number.
    seed
        Of policies that draw.
    """
    from tracereplay.analysis import mrc as analysis
    from tracereplay.report import curves, style, table_file

    if output is not None:
        table_file.check_target(output, force=force)
    if plot is not None:
        style.check_target(plot, force=force)
    source = traces[0] if len(traces) == 1 else traces
    with progress("measuring", quiet=quiet) as update:
        table = analysis.mrc(
            source, policy, sizes=sizes, sample=sample, vm=vm, jobs=jobs, seed=seed, progress=update
        )
    warn(table.attrs["warnings"])
    if output is not None:
        table_file.save(table, output)
        say(f"curves written to {output}", quiet=quiet)
    if plot is not None:
        style.save(curves.miss_ratio_curves(table), plot)
        say(f"picture written to {plot}", quiet=quiet)
    if json:
        print_json({**table.attrs, "curves": table.to_dict(orient="records")})
    else:
        print_text(curves.terminal(table))
    say(curves.verdict(table), quiet=quiet)
