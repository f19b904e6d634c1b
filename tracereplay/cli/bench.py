"""``tracereplay bench``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Json, Quiet, print_json, print_text, say
from tracereplay.errors import UsageError


def bench(
    *,
    against: str | None = None,
    policy: str | None = None,
    accesses: str = "20M",
    pages: str = "1M",
    frames: str = "100k",
    alpha: float = 1.0,
    rounds: int = 3,
    directory: Annotated[Path | None, Parameter(name="--dir")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure replay speed on this machine, alone or beside another simulator in the same run.

    A Zipf trace goes through one level of memory, through all its sizes at once, and through guest and host
    with page sharing, for one machine and for several.

    Parameters
    ----------
    against
        The other simulator: libcachesim, whose policies read the same pages from its own binary file.
    policy
        Policies to time in one level of memory, such as lru,clock,arc; default: all.
    accesses
        Rows of the trace, such as 20M.
    pages
        Distinct pages it draws from.
    frames
        Memory of the one-level simulations in pages.
    alpha
        Exponent of the Zipf distribution.
    rounds
        How often each is timed; the best counts.
    directory
        Where the trace files go while it runs (5 bytes an access, 29 with a rival); default: a temporary one.
    """
    from tracereplay.analysis.mrc import parse_policies
    from tracereplay.studies import bench as study

    workload = study.Workload(
        accesses=_count("accesses", accesses),
        pages=_count("pages", pages),
        alpha=alpha,
        frames=_count("frames", frames),
    )
    if directory is not None and not directory.is_dir():
        raise UsageError(f"--dir: found {directory}; expected a directory that exists")
    with tempfile.TemporaryDirectory(prefix="tracereplay-bench-", dir=directory) as folder:
        found = study.bench(
            workload,
            Path(folder),
            rounds=rounds,
            against=against,
            chosen=None if policy is None else parse_policies(policy),
            say=lambda text: say(text, quiet=quiet),
        )
    if json:
        print_json(found)
    else:
        print_text(_text(found))


def _count(flag: str, text: str) -> int:
    from tracereplay.units import parse_count

    try:
        return parse_count(text)
    except ValueError as error:
        raise UsageError(f"--{flag}: {error}") from None


def _text(found: dict[str, Any]) -> Any:
    from rich.console import Group

    from tracereplay.report.table import plain_table
    from tracereplay.units import format_bytes

    compared = "misses_agree" in found
    table = plain_table()
    table.add_column("")
    for title in ("M accesses/s", *(["x rival's LRU"] if compared else []), "misses"):
        table.add_column(title, justify="right")
    for name, row in found["results"].items():
        ratio = [f"{row['ratio']:.1f}"] if compared else []
        misses = "-" if row["misses"] is None else f"{row['misses']:,}"
        table.add_row(name, f"{row['accesses_per_second'] / 1e6:.1f}", *ratio, misses)
    memory, workload = found["memory"], found["workload"]
    lines = [
        f"Zipf({workload['alpha']}) trace: {workload['accesses']:,} accesses, "
        f"{memory['distinct_pages']:,} pages touched; one level: {workload['frames']:,} frames.",
        f"Two levels in a process of its own: {memory['wall_seconds']} s, peak memory "
        f"{format_bytes(memory['peak_bytes'])} (64 bytes a page + 400 MB would be "
        f"{format_bytes(memory['allowed_bytes'])}).",
        f"Kernels were ready after {found['compile_seconds']:.1f} s.",
    ]
    if compared:
        agree = [policy for policy, same in found["misses_agree"].items() if same]
        lines.append(f"Misses agree with the rival's for: {', '.join(agree) or 'none'}.")
    return Group(table, "", *lines)
