"""tracereplay: page-access traces through guest paging, hypervisor paging, balloons and page sharing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracereplay.analysis.content_curve import ContentCurves, content_curves
    from tracereplay.analysis.double_paging import double_paging_surface
    from tracereplay.analysis.heat import heat
    from tracereplay.analysis.mrc import mrc
    from tracereplay.analysis.partition import partition
    from tracereplay.analysis.statistics import stat
    from tracereplay.many import replay_many
    from tracereplay.provenance import rerun
    from tracereplay.report.heatmap import heatmap
    from tracereplay.result import Result, load_run
    from tracereplay.run import replay
    from tracereplay.scenario import Scenario
    from tracereplay.trace import Trace, info, open_trace, write_trace
    from tracereplay.trace.capture import capture
    from tracereplay.trace.check import check_trace
    from tracereplay.trace.convert import export_trace, import_trace
    from tracereplay.trace.merge import merge
    from tracereplay.trace.reduce import reduce_trace
    from tracereplay.trace.sample import estimated_reclaimed, sample_trace
    from tracereplay.trace.slice import slice_trace
    from tracereplay.trace.synth import synth

__version__ = "0.1.0"

_HOME = {
    "replay": "tracereplay.run",
    "replay_many": "tracereplay.many",
    "capture": "tracereplay.trace.capture",
    "export_trace": "tracereplay.trace.convert",
    "import_trace": "tracereplay.trace.convert",
    "synth": "tracereplay.trace.synth",
    "merge": "tracereplay.trace.merge",
    "slice_trace": "tracereplay.trace.slice",
    "reduce_trace": "tracereplay.trace.reduce",
    "sample_trace": "tracereplay.trace.sample",
    "estimated_reclaimed": "tracereplay.trace.sample",
    "check_trace": "tracereplay.trace.check",
    "ContentCurves": "tracereplay.analysis.content_curve",
    "content_curves": "tracereplay.analysis.content_curve",
    "double_paging_surface": "tracereplay.analysis.double_paging",
    "heat": "tracereplay.analysis.heat",
    "mrc": "tracereplay.analysis.mrc",
    "heatmap": "tracereplay.report.heatmap",
    "partition": "tracereplay.analysis.partition",
    "stat": "tracereplay.analysis.statistics",
    "rerun": "tracereplay.provenance",
    "Result": "tracereplay.result",
    "load_run": "tracereplay.result",
    "Scenario": "tracereplay.scenario",
    "Trace": "tracereplay.trace.reader",
    "info": "tracereplay.trace.info",
    "open_trace": "tracereplay.trace.reader",
    "write_trace": "tracereplay.trace.writer",
}
"""Public name → module; imported when first used, so that ``import tracereplay`` costs nothing."""

__all__ = [
    "ContentCurves",
    "Result",
    "Scenario",
    "Trace",
    "capture",
    "check_trace",
    "content_curves",
    "double_paging_surface",
    "estimated_reclaimed",
    "export_trace",
    "heat",
    "heatmap",
    "import_trace",
    "info",
    "load_run",
    "merge",
    "mrc",
    "open_trace",
    "partition",
    "reduce_trace",
    "replay",
    "replay_many",
    "rerun",
    "sample_trace",
    "slice_trace",
    "stat",
    "synth",
    "write_trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tracereplay' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
