"""``tracereplay stat``."""

from __future__ import annotations

from pathlib import Path

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn


def stat(
    source: str,
    /,
    *,
    vm: str | None = None,
    window: str | None = None,
    plot: Path | None = None,
    jobs: int = 1,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say how a trace reuses its pages: mix, working sets, idle memory, popularity, phases.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    vm
        Name or index of the VM; default: all.
    window
        Length of the windows of time: 10ms, or a number in the trace's unit; default: 50 windows.
    plot
        Picture to write: .svg, .png or .pdf.
    jobs
        Threads for stack distances; they change no number.
    """
    from tracereplay.analysis import statistics
    from tracereplay.report import statistics as report
    from tracereplay.report import style

    if plot is not None:
        style.check_target(plot, force=force)
    with progress("measuring", quiet=quiet) as update:
        found = statistics.stat(source, vm=vm, window=window, jobs=jobs, progress=update)
    warn(found.warnings)
    if plot is not None:
        style.save(report.picture(found), plot)
        say(f"picture written to {plot}", quiet=quiet)
    if json:
        print_json(found.to_dict())
    else:
        print_text(report.terminal(found))
