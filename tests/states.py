"""The state of a simulation as one flat dict, to compare two of them down to the last byte."""

from __future__ import annotations

from typing import Any

import numpy as np

_GROWING = ("ppn_of", "saved_of", "frame_of", "candidate_of")  # by page or content: empty at the end


def flat(state: Any, *, trimmed: bool = False) -> dict[str, Any]:
    """Every array and number of a state by its path, nested policy states included: (dtype, shape, bytes).

    ``trimmed`` leaves out the unused end of what grows as rows come, whose length is nobody's business.
    """
    found: dict[str, Any] = {}
    for name, value in state._asdict().items():
        if isinstance(value, np.ndarray):
            if trimmed and name in _GROWING:
                value = value[: len(np.trim_zeros(value + 1, "b"))]
            found[name] = (value.dtype.name, value.shape, value.tobytes())
        elif hasattr(value, "_asdict"):
            found |= {f"{name}.{inner}": leaf for inner, leaf in flat(value, trimmed=trimmed).items()}
        else:
            found[name] = value
    return found


def samples(run: Any) -> list[tuple[int, list, list, int]]:
    """The timeline of a run so far."""
    return [(s.time, s.counters.tolist(), s.gauges.tolist(), s.free_frames) for s in run._samples]
