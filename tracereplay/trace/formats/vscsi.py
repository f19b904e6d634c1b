"""VMware's vSCSI traces, versions 1 and 2: SCSI commands of a virtual disk, 32 or 40 bytes each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.catalog import Flag
from tracereplay.trace.formats._codes import LEFT_OUT, operations, table
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source
from tracereplay.trace.schema import Op

SAMPLE = "u32 sn, u32 bytes, u32 nSG, u16 command, u16 version, u64 sector, u64 us, 32 bytes a record"

_LAYOUTS = {
    1: np.dtype(
        [
            ("serial", "<u4"),
            ("bytes", "<u4"),
            ("segments", "<u4"),
            ("command", "<u2"),
            ("version", "<u2"),
            ("sector", "<u8"),
            ("time", "<u8"),
        ]
    ),
    2: np.dtype(
        [
            ("command", "<u2"),
            ("version", "<u2"),
            ("serial", "<u4"),
            ("bytes", "<u4"),
            ("segments", "<u4"),
            ("sector", "<u8"),
            ("time", "<u8"),
            ("response", "<u8"),
        ]
    ),
}
_SECTOR = np.uint64(512)
_NANOSECONDS = np.uint64(1000)
# READ and WRITE of 6, 10, 16 and 12 bytes
_OPS = table({Op.READ: (0x08, 0x28, 0x88, 0xA8), Op.WRITE: (0x0A, 0x2A, 0x8A, 0xAA)}, 1 << 16)


def looks_like(head: bytes) -> bool:
    """Whether the first two records carry the version of their layout, and commands that read or write."""
    version = _version(head)
    return version is not None and bool((_OPS[_first_two(head, version)["command"]] != LEFT_OUT).all())


def read(sources: Sequence[Source], findings: Findings, *, objects: Flag = False) -> Iterator[Records]:
    """The byte range of each read and write, time in ns; other commands are left out.

    ``objects``: a command is one access of one page, whose number is that of the first sector, whatever its
    size, as libCacheSim has it.
    """
    findings.blocks = objects
    findings.time_unit = "ns"
    for source in sources:
        version = _version(source.head())
        if version is None:
            source.refuse(
                "a beginning that carries neither version 1 nor 2", "vSCSI records of 32 or 40 bytes"
            )
        at = 0
        for found in source.records(_LAYOUTS[version]):
            _check_version(source, found, version, at)
            op = operations(found["command"], _OPS, findings, "SCSI commands")
            _check_bounds(source, found, op != LEFT_OUT, at)
            at += found.nbytes
            yield _records(found[op != LEFT_OUT], op[op != LEFT_OUT], objects)


def _first_two(head: bytes, version: int) -> np.ndarray:
    """The first two records, or the only one, in the layout of ``version``."""
    layout = _LAYOUTS[version]
    return np.frombuffer(head, layout, min(len(head) // layout.itemsize, 2))


def _version(head: bytes) -> int | None:
    """The version whose layout has that version in the first two records, as libCacheSim tells it."""
    for version in _LAYOUTS:
        first = _first_two(head, version)
        if len(first) and (first["version"] >> 8 == version).all():
            return version
    return None


def _check_version(source: Source, found: np.ndarray, version: int, at: int) -> None:
    wrong = np.flatnonzero(found["version"] >> 8 != version)
    if len(wrong):
        record = int(wrong[0])
        source.refuse_byte(
            at + record * found.dtype.itemsize,
            f"a record of vSCSI version {found['version'][record] >> 8}",
            f"version {version}, as that of the first record",
        )


def _check_bounds(source: Source, found: np.ndarray, kept: np.ndarray, at: int) -> None:
    """TraceError for a read or write whose first byte or time in ns is beyond 64 bits."""
    for name, unit in (("sector", _SECTOR), ("time", _NANOSECONDS)):
        most = np.uint64(2**64 - 1) // unit
        beyond = np.flatnonzero(kept & (found[name] > most))
        if len(beyond):
            record = int(beyond[0])
            offset = at + record * found.dtype.itemsize
            source.refuse_byte(offset, f"a record of {name} {found[name][record]}", f"at most {most}")


def _records(found: np.ndarray, op: np.ndarray, objects: bool) -> Records:
    """Reads and writes as accesses."""
    time = found["time"] * _NANOSECONDS
    if objects:
        return Records(found["sector"].copy(), op=op, time=time)
    return Records(found["sector"] * _SECTOR, found["bytes"].astype(np.uint64), op, time)
