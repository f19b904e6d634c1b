"""What numbers in binary records stand for: operations and VMs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracereplay.trace.formats._records import Findings
from tracereplay.trace.schema import Op

LEFT_OUT = 255


def table(ops: Mapping[Op, tuple[int, ...]], codes: int) -> np.ndarray:
    """``schema.Op`` by code (uint8[codes]); LEFT_OUT for codes that ``ops`` does not list."""
    by_code = np.full(codes, LEFT_OUT, np.uint8)
    for op, listed in ops.items():
        by_code[list(listed)] = op
    return by_code


def operations(codes: np.ndarray, by_code: np.ndarray, findings: Findings, what: str) -> np.ndarray:
    """The operation of each code (uint8); those LEFT_OUT are counted as ``what`` and the code."""
    op = by_code[codes]
    for code, count in zip(*np.unique(codes[op == LEFT_OUT], return_counts=True), strict=True):
        findings.skip(f"{what} 0x{code:02x}", int(count))
    return op


def numbered_vms(numbers: np.ndarray, findings: Findings, kind: str) -> np.ndarray:
    """Indices (uint16) of VMs that a format tells apart by number; named by ``kind`` and that number."""
    distinct, which = np.unique(numbers, return_inverse=True)
    return np.array([findings.vm(f"{kind} {n}") for n in distinct], np.uint16)[which]
