"""``tracereplay replay``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn
from tracereplay.errors import UsageError

if TYPE_CHECKING:
    from tracereplay.scenario import Scenario


def replay(
    sources: Annotated[list[str], Parameter(name="source", negative="")],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    host_memory: str | None = None,
    memory: str | None = None,
    guest: str | None = None,
    host: str | None = None,
    balloon: str | None = None,
    sharing: str | None = None,
    tick: str | None = None,
    seed: str | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Replay a scenario, or traces with settings, and say what it cost.

    Parameters
    ----------
    sources
        A scenario (.toml), or traces: Parquet files, directories of part files, s3:// or gs:// URIs.
    output
        Run directory to write: summary.json, timeline.parquet, provenance.json.
    host_memory
        Host memory: "75%" of the VMs' memory together (default), a size such as 256MiB, or pages.
    memory
        Memory of every VM: "100%" of its trace's footprint (default), a size, or pages.
    guest
        Replacement policy of the guests (default lru); see `tracereplay policies`.
    host
        Replacement policy of the host (default random).
    balloon
        Balloon controller, with settings: static; sizes come with --set 'vm.*.balloon=20%'.
    sharing
        Page sharing, with settings: none, ideal, esx, esx-sequential, ksm:rate=1000.
    tick
        Interval of balloons and sharing scans: 1s (traces in ns) or a number in the trace's unit.
    seed
        Start of every random stream.
    settings
        Any other key of a scenario as key=value, such as --set host.skip_fill_reads=true or
        --set vm.web.memory=64MiB (a VM by its name or index in the run, or * for all).
    check
        Verify the model's laws at every tick and batch; a broken law ends with exit code 1.
    """
    from tracereplay.run import replay as run
    from tracereplay.run_directory import check_target

    flags = {
        "host.memory": host_memory,
        "vm.*.memory": memory,
        "vm.*.policy": guest,
        "host.policy": host,
        "balloon.controller": balloon,
        "sharing.mode": sharing,
        "tick": tick,
        "seed": seed,
    }
    scenario = _scenario(sources, _settings(flags, settings or []))
    if output is not None:
        check_target(output, force=force)
    with progress("replay", quiet=quiet) as update:
        result = run(scenario, check=check, progress=update)
    warn(result.warnings)
    if json:
        print_json(result.summary())
    else:
        from tracereplay.report.table import vm_table

        print_text(vm_table(result))
    if check:
        say(f"laws checked: {len(result.laws)}, all hold", quiet=quiet)
    if output is not None:
        say(f"run written to {result.save(output, force=force)}", quiet=quiet)


def _settings(flags: dict[str, str | None], pairs: list[str]) -> dict[str, Any]:
    """Flags and ``--set`` pairs as dotted keys of a scenario."""
    from tracereplay.settings import choice_settings, setting

    found: dict[str, Any] = {}
    for key, value in flags.items():
        if value is None:
            continue
        if key in ("balloon.controller", "sharing.mode"):
            found |= choice_settings(key, value)
        else:
            found[key] = value
    return found | dict(setting(pair) for pair in pairs)


def _scenario(sources: list[str], settings: dict[str, Any]) -> Scenario:
    from tracereplay.scenario import Scenario, with_settings

    tomls = [source for source in sources if source.endswith(".toml")]
    if tomls and len(sources) > 1:
        raise UsageError(f"found {tomls[0]} beside other sources; expected one scenario, or only traces")
    said = Scenario.load(tomls[0]) if tomls else Scenario.from_traces(sources)
    if any(key.startswith("vm.") and not key.startswith("vm.*.") for key in settings):
        from tracereplay.machine import spelled_out
        from tracereplay.run import open_traces

        said = spelled_out(said, open_traces(said, None))
    return with_settings(said, settings)
