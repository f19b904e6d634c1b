"""``tracereplay surface``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, records, say, warn

if TYPE_CHECKING:
    import pandas as pd

    from tracereplay.studies.random_host import Law


def surface(
    source: str,
    /,
    *,
    guest_sizes: str | None = None,
    host_sizes: str | None = None,
    vm: str | None = None,
    random_host: Annotated[bool, Parameter(negative="")] = False,
    seeds: int = 3,
    jobs: int = 1,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    plot: Path | None = None,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Say what guest and host read and write at every size of both, exactly, LRU in both.

    The terminal shows reads at some of the sizes, and where more memory for the guest costs most.

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    guest_sizes
        With commas: pages, 64MiB, 50% of the VM's footprint. Default: some 80 from 1/16 of it on.
    host_sizes
        The same of the host. Default: 40.
    vm
        Name or index of the VM; needed if there are several.
    random_host
        Measure a host that chooses at random, too, by replays at 6 sizes of each (or those given).
    seeds
        Replays of each pair of sizes of the random host.
    jobs
        Threads for them; they change no number.
    output
        Table to write: .parquet or .csv; with a random host, too, a column host_policy says which is which.
    plot
        Picture to write, of the random host, too, if it is measured: .svg, .png or .pdf.
    """
    from tracereplay.analysis.double_paging import double_paging_surface
    from tracereplay.report import style, table_file
    from tracereplay.report import surface as report
    from tracereplay.studies.random_host import doubled_law, random_host_surface

    if output is not None:
        table_file.check_target(output, force=force)
    if plot is not None:
        style.check_target(plot, force=force)
    exact = double_paging_surface(source, guest_sizes, host_sizes, vm=vm)
    warn(exact.attrs["warnings"])
    picture = None if plot is None else report.figure(exact)
    measured = None
    if random_host:
        with progress("replaying", quiet=quiet, unit="replays") as update:
            measured = random_host_surface(
                source, guest_sizes, host_sizes, vm=vm, seeds=seeds, jobs=jobs, progress=update
            )
        warn([text for text in measured.attrs["warnings"] if text not in exact.attrs["warnings"]])
    if output is not None:
        table_file.save(_both(exact, measured), output)
        say(f"table written to {output}", quiet=quiet)
    if picture is not None and plot is not None:
        style.save(picture if measured is None else report.figure(exact, measured), plot)
        say(f"picture written to {plot}", quiet=quiet)
    law = None if measured is None else doubled_law(measured)
    if json:
        print_json(_data(exact, measured, law))
    else:
        print_text(report.terminal(exact, measured, law))


def _both(exact: pd.DataFrame, measured: pd.DataFrame | None) -> pd.DataFrame:
    """The exact surface, and below it that of the random host if it was measured."""
    import pandas as pd

    if measured is None:
        return exact
    table = pd.concat([exact.assign(host_policy="lru"), measured.assign(host_policy="random")])
    table.attrs = measured.attrs
    return table


def _data(exact: pd.DataFrame, measured: pd.DataFrame | None, law: Law | None) -> dict[Any, Any]:
    """The surfaces and what they come to."""
    from tracereplay.analysis.double_paging import anomaly

    worst = anomaly(exact)
    data = {**exact.attrs, "anomaly": worst and worst._asdict(), "surface": records(exact)}
    if measured is not None:
        seeds, random = measured.attrs["seeds"], records(measured)
        data["random_host"] = {"seeds": seeds, "law": law and asdict(law), "surface": random}
    return data
