"""What can be told of a trace: its metadata, size, layout, mix of operations and health."""

from __future__ import annotations

import json
from typing import Any

from tracereplay.errors import TraceError
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.schema import COLUMNS
from tracereplay.trace.source import ParquetSource, TableSource


def info(source: object, *, check: bool = True) -> dict[str, Any]:
    """A description of a trace that JSON can hold; sizes in bytes, footprints in pages.

    With ``check`` (the default) every row is read, checksums included: ``ops`` counts them and ``health`` is
    "ok" or the first finding; without, both are None. TraceError when the trace cannot be opened.
    """
    trace = open_trace(source)
    ops, health, footprints = _read_all(trace) if check else (None, None, None)
    listed: tuple[int | None, ...] = tuple(vm.pages for vm in trace.metadata.vms)
    pages = footprints or listed or (None,) * _n_vms(trace)
    size = _size(trace)
    return {
        "name": trace.name,
        "has_metadata": trace.has_metadata,
        "metadata": json.loads(trace.metadata.to_json()),
        "rows": trace.n_rows,
        "files": len(trace.source.parts),
        "row_groups": sum(p.file.num_row_groups for p in trace.source.parts if p.file is not None),
        "columns": [c for c in COLUMNS if c in trace.columns],
        "vms": [
            {"name": name, "family": family, "pages": n}
            for (name, family), n in zip(_names(trace, len(pages)), pages, strict=True)
        ],
        "time_unit": trace.metadata.time_unit,
        "time_range": _time_range(trace),
        "exact_above": trace.metadata.exact_above,
        "bytes": size,
        "bytes_per_row": round(size / trace.n_rows, 3),
        "encodings": _encodings(trace),
        "ops": ops,
        "health": health,
    }


def _read_all(trace: Trace) -> tuple[dict[str, int] | None, str, tuple[int, ...] | None]:
    """Counts of the operations, health, footprints, from one pass; nothing is counted of a bad trace."""
    # Numba is behind it: not before it is needed.
    from tracereplay.trace.check import metadata
    from tracereplay.trace.survey import survey

    try:
        found = survey(trace)
    except TraceError as finding:
        return None, str(finding), None
    verdict = metadata(trace, found)
    if verdict.level == "error":
        return None, verdict.text, None
    return {op.name.lower(): n for op, n in found.ops.items()}, "ok", found.footprints


def _n_vms(trace: Trace) -> int:
    try:
        return trace.n_vms
    except TraceError:
        return 0


def _names(trace: Trace, n: int) -> list[tuple[str, str | None]]:
    return [(vm.name, vm.family) for vm in trace.metadata.vms] or [(f"vm{i}", None) for i in range(n)]


def _time_range(trace: Trace) -> list[int] | None:
    try:
        return list(trace.time_range())
    except TraceError:
        return None


def _size(trace: Trace) -> int:
    """Bytes of the files as they lie there, or of the table in memory."""
    source = trace.source
    if isinstance(source, ParquetSource):
        return sum(int(i.size or 0) for i in source.filesystem.get_file_info([p.path for p in source.parts]))
    assert isinstance(source, TableSource)
    return int(source.table.nbytes)


def _encodings(trace: Trace) -> dict[str, dict[str, Any]]:
    """Per column: codec, encodings and compressed bytes over all row groups; empty for tables."""
    found: dict[str, dict[str, Any]] = {}
    for part in trace.source.parts:
        if part.file is None:
            continue
        for g in range(part.file.num_row_groups):
            group = part.file.row_group(g)
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema in trace.columns:
                    entry = found.setdefault(chunk.path_in_schema, {"codec": [], "encodings": [], "bytes": 0})
                    entry["codec"] = sorted({*entry["codec"], chunk.compression})
                    entry["encodings"] = sorted({*entry["encodings"], *chunk.encodings})
                    entry["bytes"] += chunk.total_compressed_size
    return found
