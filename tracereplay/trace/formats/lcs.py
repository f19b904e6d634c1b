"""libCacheSim's lcs, versions 1 to 8: a header of 8,192 bytes, then requests of 24 to 100 bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tracereplay.catalog import Flag
from tracereplay.trace.formats._codes import LEFT_OUT, numbered_vms, operations, table
from tracereplay.trace.formats._records import Findings, Records
from tracereplay.trace.formats._source import Source
from tracereplay.trace.formats.oracleGeneral import NANOSECONDS
from tracereplay.trace.schema import Op

SAMPLE = "u64 0x123456789abcdef0, u64 version, …; u32 time in s, u64 object, … a record"

_MAGIC = (0x123456789ABCDEF0).to_bytes(8, "little")
_HEADER = np.dtype(
    {
        "names": ["magic", "version", "requests", "end"],
        "formats": ["V8", "<u8", "<i8", "V8"],
        "offsets": [0, 8, 24, 8184],
        "itemsize": 8192,
    }
)
# lcs.h: version 3 and later are version 3 with so many features of 4 bytes after it
_RECORD_BYTES = {1: 24, 2: 28, 3: 36, 4: 40, 5: 44, 6: 52, 7: 68, 8: 100}
# req_op_e: 0 none, 1 get, 2 gets, 3–8 set … prepend, 9 delete, 10 and 11 incr, decr, 12 read, 13 and 14 write
_OPS = table({Op.READ: (0, 1, 2, 12), Op.WRITE: (3, 4, 5, 6, 7, 8, 10, 11, 13, 14), Op.FREE: (9,)}, 256)


def looks_like(head: bytes) -> bool:
    """Whether it begins with the magic number."""
    return head.startswith(_MAGIC)


def read(sources: Sequence[Source], findings: Findings, *, tenants: Flag = False) -> Iterator[Records]:
    """One access of a page a request: an object is a page, whatever its size; time in ns.

    From version 2 on requests have an operation: get and read are READ, delete is FREE, the others WRITE.
    ``tenants``: each tenant is a VM (version 2 and later).
    """
    findings.blocks = True
    findings.time_unit = "ns"
    for source in sources:
        header = _header(source)
        version, done = int(header["version"]), 0
        if tenants and version == 1:
            source.refuse("lcs version 1", "version 2 or later for tenants=true: version 1 has no tenants")
        for found in source.records(_layout(version), skip=_HEADER.itemsize):
            yield _records(found, findings, tenants)
            done += len(found)
        if done != header["requests"]:
            said = f"{header['requests']:,} as its header says: the file is cut off, or its header is wrong"
            source.refuse(f"{done:,} requests", said)


def _layout(version: int) -> np.dtype:
    """The fields of a request that matter."""
    fields = [("time", "<u4", 0), ("object", "<u8", 4)]
    if version > 1:
        at = 16 if version == 2 else 20
        fields += [("op", "u1", at), ("tenant", "<u4", at)]
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": _RECORD_BYTES[version]}
    )


def _header(source: Source) -> np.void:
    """The checked header."""
    head = source.head()
    if len(head) < _HEADER.itemsize:
        source.refuse(f"{len(head)} bytes", f"a header of {_HEADER.itemsize} bytes")
    header = np.frombuffer(head, _HEADER, 1)[0]
    for name in ("magic", "end"):
        if bytes(header[name]) != _MAGIC:
            at = _HEADER.fields[name][1]  # type: ignore[index]
            source.refuse_byte(at, f"0x{bytes(header[name])[::-1].hex()}", f"0x{_MAGIC[::-1].hex()}")
    if int(header["version"]) not in _RECORD_BYTES:
        source.refuse_byte(8, f"lcs version {header['version']}", "1 to 8")
    return header


def _records(found: np.ndarray, findings: Findings, tenants: bool) -> Records:
    """The requests of known operation as accesses."""
    op = vm = None
    if found.dtype.itemsize > _RECORD_BYTES[1]:
        op = operations(found["op"], _OPS, findings, "requests of the unknown operation")
        found, op = found[op != LEFT_OUT], op[op != LEFT_OUT]
        if tenants:
            vm = numbered_vms(found["tenant"] >> np.uint32(8), findings, "tenant")
    return Records(found["object"].copy(), op=op, time=found["time"] * NANOSECONDS, vm=vm)
