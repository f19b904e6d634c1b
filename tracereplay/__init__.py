"""tracereplay: page-access traces through guest paging, hypervisor paging, balloons and page sharing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracereplay.provenance import rerun
    from tracereplay.result import Result, load_run
    from tracereplay.run import replay
    from tracereplay.scenario import Scenario
    from tracereplay.trace import Trace, info, open_trace, write_trace
    from tracereplay.trace.convert import export_trace, import_trace
    from tracereplay.trace.synth import synth

__version__ = "0.1.0"

_HOME = {
    "replay": "tracereplay.run",
    "export_trace": "tracereplay.trace.convert",
    "import_trace": "tracereplay.trace.convert",
    "synth": "tracereplay.trace.synth",
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
    "Result",
    "Scenario",
    "Trace",
    "export_trace",
    "import_trace",
    "info",
    "load_run",
    "open_trace",
    "replay",
    "rerun",
    "synth",
    "write_trace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tracereplay' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
