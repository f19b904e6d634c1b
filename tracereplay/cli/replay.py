"""``tracereplay replay``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from tracereplay.cli._console import Force, Json, Quiet, print_json, print_text, progress, say, warn
from tracereplay.errors import ScenarioError, UsageError

if TYPE_CHECKING:
    from tracereplay.scenario import Scenario

_FLAGS = {
    "host.memory": "--host-memory",
    "vm.*.memory": "--memory",
    "vm.*.policy": "--guest",
    "host.policy": "--host",
    "balloon.controller": "--balloon",
    "sharing.mode": "--sharing",
    "tick": "--tick",
    "seed": "--seed",
}
"""Dotted keys of a scenario, and the flags that set them."""
_WITH_SETTINGS = ("balloon.controller", "sharing.mode")


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
    from tracereplay.scenario import with_settings

    values = (host_memory, memory, guest, host, balloon, sharing, tick, seed)
    given = _settings(dict(zip(_FLAGS, values, strict=True)), settings or [])
    said = _said(sources, given)
    with _as_said(said, given, UsageError):
        scenario = with_settings(said, {key: setting.value for key, setting in given.items()})
    if output is not None:
        check_target(output, force=force)
    with _as_said(said, given, ScenarioError), progress("replay", quiet=quiet) as update:
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


class _Setting(NamedTuple):
    """The value of a key, and the words that said it."""

    value: Any
    words: str


def _settings(flags: Mapping[str, str | None], pairs: list[str]) -> dict[str, _Setting]:
    """Flags and ``--set`` pairs by the dotted keys of a scenario that they set."""
    from tracereplay.settings import choice_settings, setting

    found: dict[str, _Setting] = {}
    for key, text in flags.items():
        if text is not None:
            values = choice_settings(key, text) if key in _WITH_SETTINGS else {key: text}
            for name, value in values.items():
                of = "" if name == key else f", {name.rpartition('.')[2]}"
                found[name] = _Setting(value, f"{_FLAGS[key]}{of}")
    for key, value in map(setting, pairs):
        found[key] = _Setting(value, f"--set {key}")
    return found


def _said(sources: list[str], given: Mapping[str, _Setting]) -> Scenario:
    """The scenario without settings, with an entry for each VM where one of them is set by itself."""
    from tracereplay.scenario import Scenario

    tomls = [source for source in sources if source.endswith(".toml")]
    if tomls and len(sources) > 1:
        raise UsageError(f"found {tomls[0]} beside other sources; expected one scenario, or only traces")
    said = Scenario.load(tomls[0]) if tomls else Scenario.from_traces(sources)
    if any(key.startswith("vm.") and not key.startswith("vm.*.") for key in given):
        from tracereplay.machine import spelled_out
        from tracereplay.run import open_traces

        said = spelled_out(said, open_traces(said, None))
    return said


@contextmanager
def _as_said(
    said: Scenario, given: Mapping[str, _Setting], kind: type[UsageError | ScenarioError]
) -> Iterator[None]:
    """Problems of settings as the command line said them, raised as ``kind`` if there is one.

    A word that means nothing is a mistake of usage; one that does not fit the traces makes a bad scenario.
    """
    try:
        yield
    except ScenarioError as error:
        words = _words(said, given)
        lines, ours = [], False
        for problem in error.problems:
            key, colon, rest = problem.partition(": ")
            known = [words[k] for k in (key, key.rpartition(".")[0]) if k in words]  # .0: of a list
            ours = ours or bool(known)
            lines.append(f"{known[0]}{colon}{rest}" if known else problem)
        lines = list(dict.fromkeys(lines))
        raise kind("\n".join(lines)) if ours else ScenarioError(lines) from None


def _words(said: Scenario, given: Mapping[str, _Setting]) -> dict[str, str]:
    """What said a key, for every VM that a key means."""
    found = {key: setting.words for key, setting in given.items()}
    for key, setting in given.items():
        section, _, rest = key.partition(".")
        of, _, field = rest.rpartition(".")
        if section != "vm":
            found.setdefault(section, setting.words)
        else:
            chosen = (i for i, vm in enumerate(said.vm) if of in ("*", str(i), vm.name))
            found |= {f"vm.{i}.{field}": setting.words for i in chosen}
    return found
