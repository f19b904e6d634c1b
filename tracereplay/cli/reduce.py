"""``tracereplay reduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say, say_written
from tracereplay.errors import UsageError


def reduce(
    source: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    exact_above: str | None = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Leave out the accesses that no memory of so many pages or more could miss.

    Faults and write-backs under LRU and faults under OPT stay as they are in every memory of that size or
    more. Smaller ones are refused when the trace is replayed.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    output
        Trace file to write.
    exact_above
        Smallest memory that shall be exact: pages, a size such as 64MiB, or 10% of the smallest footprint.
    """
    from tracereplay.files import check_target
    from tracereplay.trace import open_trace
    from tracereplay.trace.reduce import reduce_trace
    from tracereplay.trace.writer import write_trace

    if output is None or exact_above is None:
        raise UsageError(
            "reduce: expected --exact-above K and -o FILE, as in: "
            "reduce t.parquet --exact-above 10% -o small.parquet"
        )
    check_target(output, force=force)
    trace = open_trace(source)
    metadata = write_trace(output, reduce_trace(trace, exact_above), force=force)
    if json:
        print_json(metadata.to_dict())
    say_written(metadata, output, quiet=quiet)
    share = f"{100 * (metadata.rows or 0) / trace.n_rows:.3g} % of {trace.n_rows:,} rows"
    say(f"{share}; exact for memories of {metadata.exact_above:,} pages or more", quiet=quiet)
