"""A run's page, with what only its traces tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tracereplay.files import appearing, check_target
from tracereplay.problems import one_of
from tracereplay.report.html import Told, page
from tracereplay.report.names import VOCABULARIES
from tracereplay.result import Result
from tracereplay.studies.run_traces import Sources, extras_from, sources
from tracereplay.trace.reader import Trace
from tracereplay.trace.sample import sample_of


class Report(NamedTuple):
    """A page that was written, and what is missing from it."""

    path: Path
    warnings: tuple[str, ...]


def write_report(
    result: Result,
    path: str | os.PathLike[str],
    *,
    names: str = "tracereplay",
    title: str | None = None,
    traces: bool = True,
    force: bool = False,
) -> Report:
    """Write the page of a run; ``traces`` says whether those that it has read are read once more.

    ValueError for an unknown vocabulary; OutputError when the file exists (unless ``force``) or cannot be
    written.
    """
    one_of(names, VOCABULARIES)
    target = check_target(path, force=force)
    found = sources(result) if traces else Sources({}, ("the run's traces were not to be read",))
    told = Told(extras_from(result, found), found.warnings, limits(found.traces))
    with appearing(target) as temporary:
        temporary.write_text(page(result, told, names=names, title=title), encoding="utf-8")
    return Report(target, found.warnings if traces else ())


def limits(traces: Mapping[str, Trace]) -> tuple[str, ...]:
    """What to mind of traces that are not the whole: reductions, samples, and recordings of now and then."""
    said = []
    if reduced := sum(trace.metadata.exact_above is not None for trace in traces.values()):
        said.append(
            f"Reduced traces ({reduced} of {len(traces)}) hold only those accesses that some memory might "
            "miss; the time of the others is not in the estimate."
        )
    for key, trace in traces.items():
        sample = sample_of(trace.metadata)
        if sample is not None:
            said.append(
                f"Sampled: {key} is a sample of {sample['rate']:.3g} of the {sample['by']}, so its counts "
                "are not those of the whole trace."
            )
        elif (trace.metadata.source or {}).get("sampled"):
            said.append(f"Sampled: {key} was recorded by looking now and then, so accesses are missing.")
    return tuple(said)
