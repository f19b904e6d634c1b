"""ChampSim's instruction traces: instruction pointer and memory operands of each instruction, 64 bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.catalog import Flag
from tracereplay.trace.formats._codes import numbered_vms
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source
from tracereplay.trace.schema import Op

SAMPLE = "u64 ip, u8 branch, taken, registers[6], u64 writes[2], u64 reads[4], 64 bytes a record"

# inc/trace_instruction.h of ChampSim: input_instr and cloudsuite_instr
_INPUT = np.dtype(
    {
        "names": ["ip", "branch", "taken", "writes", "reads"],
        "formats": ["<u8", "u1", "u1", ("<u8", 2), ("<u8", 4)],
        "offsets": [0, 8, 9, 16, 32],
        "itemsize": 64,
    }
)
_CLOUDSUITE = np.dtype(
    {
        "names": ["ip", "branch", "taken", "writes", "reads", "asid"],
        "formats": ["<u8", "u1", "u1", ("<u8", 4), ("<u8", 4), "<u2"],
        "offsets": [0, 8, 9, 24, 56, 88],
        "itemsize": 96,
    }
)
_USER_END, _KERNEL_START = np.uint64(1 << 47), np.uint64(2**64 - (1 << 47))
_LONGEST_INSTRUCTION = 15


def looks_like(head: bytes) -> bool:
    """Whether ``head`` could be a run of instructions of 64 bytes: there is no magic number.

    Flags are 0 or 1, addresses are ones that processors have, and most instructions that do not branch are
    followed by the next one.
    """
    found = np.frombuffer(head[: len(head) // _INPUT.itemsize * _INPUT.itemsize], _INPUT)
    if len(found) < 2 or not _flags_fit(found).all() or not found["ip"].all():
        return False
    addresses = np.column_stack([found["ip"], found["writes"], found["reads"]])
    if ((addresses >= _USER_END) & (addresses < _KERNEL_START)).any():
        return False
    straight = found["branch"][:-1] == 0
    steps = (found["ip"][1:] - found["ip"][:-1])[straight]
    ahead = (steps > 0) & (steps <= _LONGEST_INSTRUCTION)
    return bool(found["branch"].any() and straight.any() and ahead.mean() > 0.5)


def read(
    sources: Sequence[Source], findings: Findings, *, instructions: Flag = True, cloudsuite: Flag = False
) -> Iterator[Records]:
    """Each instruction's fetch, reads, then writes, at the number of the instruction; unused slots are 0.

    Sizes of the accesses are not recorded: each touches one page.  ``instructions``: with the fetches of the
    code pages.  ``cloudsuite``: records of 96 bytes, whose ``asid`` is the VM.
    """
    findings.time_unit = "instructions"
    layout = _CLOUDSUITE if cloudsuite else _INPUT
    done = 0
    for source in sources:
        at = 0
        for found in source.records(layout):
            _check_flags(source, found, at)
            at += found.nbytes
            index, address, op = _used_slots(found, instructions)
            vm = numbered_vms(found["asid"], findings, "asid")[index] if cloudsuite else None
            yield Records(address, op=op, time=(done + index).astype(np.uint64), vm=vm)
            done += len(found)
    if not instructions:
        findings.skip("instruction fetches", done)


def _used_slots(found: np.ndarray, instructions: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each access the index of its instruction in ``found``, the address and the operation."""
    slots = [(Op.READ, found["reads"]), (Op.WRITE, found["writes"])]
    if instructions:
        slots.insert(0, (Op.FETCH, found["ip"][:, np.newaxis]))
    addresses = np.hstack([of_op for _, of_op in slots])
    ops = np.repeat(np.array([op for op, _ in slots], np.uint8), [of_op.shape[1] for _, of_op in slots])
    index, slot = np.nonzero(addresses)
    return index, addresses[index, slot], ops[slot]


def _flags_fit(found: np.ndarray) -> np.ndarray:
    return (found["branch"] <= 1) & (found["taken"] <= found["branch"])


def _check_flags(source: Source, found: np.ndarray, at: int) -> None:
    """Refuse what cannot be a branch's flags, as in a file of the other record size."""
    if not (fit := _flags_fit(found)).all():
        wrong = int(np.argmin(fit))
        size = found.dtype.itemsize
        source.refuse_byte(
            at + wrong * size + 8,
            f"the branch flags {found['branch'][wrong]} and {found['taken'][wrong]}",
            f"0 and 0, 1 and 0, or 1 and 1 in records of {size} bytes (cloudsuite=true: 96, else 64)",
        )
