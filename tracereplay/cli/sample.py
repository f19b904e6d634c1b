"""``tracereplay sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, say_written
from tracereplay.errors import UsageError


def sample(
    source: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    rate: str = "10%",
    by: Literal["pages", "contents"] = "pages",
    salt: int = 0,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Keep a part of a trace that stands for the whole.

    By pages, a memory of RATE times the size misses RATE times as often as on the whole trace. By contents,
    RATE times what sharing reclaims is left, and all of what the zero page does.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    output
        Trace file to write.
    rate
        Share of the pages or contents.
    by
        What is sampled: pages for miss ratios, contents for sharing.
    salt
        Another number gives another sample.
    """
    from tracereplay.files import check_target
    from tracereplay.trace.sample import sample_trace
    from tracereplay.trace.writer import write_trace

    if output is None:
        raise UsageError("sample: expected -o FILE, as in: sample t.parquet --rate 10% -o small.parquet")
    check_target(output, force=force)
    metadata = write_trace(output, sample_trace(source, rate, by=by, salt=salt), force=force)
    if json:
        print_json(metadata.to_dict())
    say_written(metadata, output, quiet=quiet)
