"""Traces from and to other tools' formats: which format, which file, what became of every record."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tracereplay import __version__
from tracereplay.errors import OutputError, TraceError, UsageError
from tracereplay.files import appearing, check_target
from tracereplay.problems import shown
from tracereplay.progress import Progress
from tracereplay.trace import formats
from tracereplay.trace.batch import Batch
from tracereplay.trace.formats._records import Findings, tables
from tracereplay.trace.formats._source import HEAD_BYTES, STANDARD_INPUT, Source, compression, first_lines
from tracereplay.trace.reader import Trace, open_trace
from tracereplay.trace.sample import sample_of
from tracereplay.trace.schema import COLUMNS, Metadata, Op
from tracereplay.trace.writer import MetadataFields, write_recorded

DETECT = "auto"

_SHOWN = 60

Paths = str | os.PathLike[str]


def import_trace(
    format: str,
    source: Paths | Sequence[Paths],
    target: Paths,
    *,
    page_size: int | None = None,
    name: str | None = None,
    family: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **parameters: Any,
) -> Metadata:
    """Write a foreign trace as a trace file and return its metadata.

    ``format`` is a name such as ``"lackey"``, with parameters if wanted (``"csv:page=lbn"``; also as
    keywords), or ``"auto"``: told from the content.  ``source`` is a file, ``"-"`` (standard input), or
    several in order; a directory where the format is one.  An access that crosses pages (``page_size`` bytes,
    4096 unless the format says) touches each.  ``name`` and ``family`` are of the VM, where the format names
    none.  Records left out are counted by reason in ``metadata.source["skipped"]``.  ``progress`` hears of
    bytes (read, all).

    TraceError: a file that cannot be read, or is not of the format (file, line or byte, found, expected);
    OutputError: a target that exists (unless ``force``).  UsageError: no such format, or wrong parameters.
    """
    if page_size is not None and not 1 <= page_size < 2**64:
        raise UsageError(f"import: found a page size of {page_size} bytes; expected 1 to 2^64 - 1")
    target = check_target(target, force=force)
    listed = [source] if isinstance(source, str | os.PathLike) else list(source)
    _keep_apart(target, listed)
    if not listed:
        raise UsageError("import: found no source; expected at least one file, or - for standard input")
    with ExitStack() as files:
        sources = [files.enter_context(Source(path, progress)) for path in listed]
        kind, given = _chosen(format, parameters, sources)
        findings = Findings(page_size)
        rows = tables(formats.get(kind).read(sources, findings, **given), findings)

        def said() -> MetadataFields:
            names = findings.vms or (name or _stem(sources[0]),)
            left_out = [member for source in sources for member in source.left_out]
            return {
                "page_size": findings.page_size,
                "time_unit": findings.time_unit,
                "page_space": findings.page_space,
                "vms": [{"name": vm, "family": findings.families.get(vm, family)} for vm in names],
                "source": {
                    "tool": f"tracereplay import {kind}",
                    "version": __version__,
                    "files": [Path(s.name).name for s in sources],
                    "parameters": given,
                    "skipped": dict(findings.skipped),
                    **findings.said,
                    **({"members left out": left_out} if left_out else {}),
                },
            }

        return write_recorded(target, _blamed(rows, sources, findings), said, force=force)


def _keep_apart(target: Path, sources: Sequence[object]) -> None:
    """OutputError where the target is one of the sources, which would be lost, forced or not."""
    for source in sources:
        same = isinstance(source, str | os.PathLike) and os.path.isfile(source) and target.exists()
        if same and os.path.samefile(source, target):  # type: ignore[arg-type]
            raise OutputError(
                f"{target}: found one of the sources; expected another name, as it would be lost"
            )


def _blamed(
    rows: Iterator[pa.RecordBatch], sources: Sequence[Source], findings: Findings
) -> Iterator[pa.RecordBatch]:
    """``rows``; a TraceError among them that names no file gets the name of that which is being read.

    TraceError names the sources if there are none, and what was left out.
    """
    found = 0
    try:
        for batch in rows:
            found += len(batch)
            yield batch
    except TraceError as error:
        if error.path is not None:
            raise
        read = [sources[0].name, *(source.name for source in sources if source.opened)]
        raise TraceError(str(error), read[-1]) from None
    if not found:
        skipped = ", ".join(f"{count:,} {why}" for why, count in findings.skipped.items())
        left_out = f" (left out: {skipped})" if skipped else ""
        files = sources[0].name + f" and {len(sources) - 1} more" * (len(sources) > 1)
        raise TraceError(f"found no rows{left_out}; expected at least one access", files)


def _chosen(
    format: str, parameters: Mapping[str, Any], sources: Sequence[Source]
) -> tuple[str, dict[str, Any]]:
    """Name and parameters of the format."""
    try:
        if format == DETECT:
            format = detect(sources[0])
        return formats.parse(format, parameters)
    except ValueError as error:
        raise UsageError(f"import: {error}") from None


def detect(source: Source) -> str:
    """The one format that the content of ``source`` can be; TraceError names those that are possible."""
    if source.name not in STANDARD_INPUT and Path(source.name).is_dir():
        raise TraceError("a directory; say which format it is", source.name)
    head = source.head()
    found = formats.matching(head)
    if len(found) == 1:
        return found[0]
    which = f"it could be {' or '.join(found)}" if found else _unknown(source, head)
    raise TraceError(f"the format cannot be told: {which}; name it (tracereplay import --list)", source.name)


def _unknown(source: Source, head: bytes) -> str:
    """How a file begins that is of no format; TraceError where it could not be of any."""
    if not head.strip() and len(head) < HEAD_BYTES:
        source.refuse("an empty file", "a trace")
    source.refuse_utf16(head)
    if (kind := compression(head)) is not None:
        source.refuse(f"{kind} within what was decompressed", "a trace, compressed once: decompress it")
    line = b"".join(first_lines(head, 1)).decode("utf-8", "replace")
    if not line or not line.isprintable() or "\ufffd" in line:
        return "its beginning is none that is known"
    said = line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
    return f"its beginning, {shown(said)}, is none that is known"


def export_trace(
    format: str,
    source: object,
    target: Paths,
    *,
    vm: int | None = None,
    force: bool = False,
    **parameters: Any,
) -> dict[str, Any]:
    """Write a trace (anything ``open_trace`` takes) in another tool's format.

    Formats without VMs take one: ``vm``, which may be left out where there is only one.  Returns ``rows``
    written, ``frees_left_out`` (FREE rows, where the format has none), ``fetches_as_reads`` (where it tells
    reads and writes alone), ``changed`` (what could not be written as it is: rows by reason),
    ``columns_left_out`` (what the trace has and the format cannot say) and ``metadata_left_out`` (what an
    import of the file would take to be something else).
    TraceError and OutputError as ``write_trace``; UsageError: no such format or VM.
    """
    target = check_target(target, force=force)
    if target.suffix in (".gz", ".bz2", ".xz", ".zst", ".zip"):
        raise UsageError(
            f"export: found {target}; expected another ending: what is written is not compressed"
        )
    _keep_apart(target, [source])
    trace = open_trace(source)
    try:
        kind, given = formats.parse_for_writing(format, parameters)
    except ValueError as error:
        raise UsageError(f"export: {error}") from None
    carried = formats.get(kind).CARRIES
    if "vm" not in carried and vm is None and trace.n_vms > 1:
        raise UsageError(
            f"export: found {trace.n_vms} VMs; expected one, as {kind} has none: choose with --vm"
        )
    if vm is not None and not 0 <= vm < trace.n_vms:
        raise UsageError(f"export: found VM {vm}; expected 0 to {trace.n_vms - 1}")
    counts = {"rows": 0, "frees_left_out": 0, "fetches_as_reads": 0}
    with appearing(target) as temporary, temporary.open("w+b") as sink:
        rows = _kept(trace, vm, carried, counts)
        changed = formats.get(kind).write(rows, sink, trace.metadata, **given)
        if not counts["rows"]:
            which = "" if vm is None else f" of VM {vm}"
            raise TraceError(f"found no rows{which} that {kind} can say; expected at least one", trace.name)
    return {
        **counts,
        "changed": changed or {},
        "columns_left_out": [c for c in COLUMNS if c in trace.columns and c not in carried],
        "metadata_left_out": _not_told(kind, trace, vm),
    }


def _not_told(kind: str, trace: Trace, vm: int | None) -> dict[str, Any]:
    """What the metadata say of ``vm`` (None: of all) and an import of ``kind`` would not assume."""
    said, assumed = trace.metadata, Findings()
    facts = {
        "page_size": (said.page_size, assumed.page_size),
        "time_unit": (said.time_unit, formats.defaults(kind).get("time_unit", said.time_unit)),
        "page_space": (said.page_space, assumed.page_space),
        "exact_above": (said.exact_above, None),
        "sample": (sample_of(said), None),
    }
    found = {key: value for key, (value, default) in facts.items() if value != default}
    chosen = [(i, v) for i, v in enumerate(said.vms) if vm in (None, i)]
    if any((v.name, v.family) != (f"vm{i}", None) for i, v in chosen):
        found["vms"] = [{"name": v.name, "family": v.family} for _, v in chosen]
    return found


def _kept(trace: Trace, vm: int | None, carried: Collection[str], counts: dict[str, int]) -> Iterator[Batch]:
    """The rows to be written, counted."""
    row = 0
    for batch in trace.batches():
        chosen = np.ones(len(batch.page), np.bool_) if vm is None else batch.vm == vm
        if "free" not in carried:
            frees = chosen & (batch.op == Op.FREE)
            counts["frees_left_out"] += int(frees.sum())
            chosen &= ~frees
        if "op" in carried and "fetch" not in carried:
            counts["fetches_as_reads"] += int((chosen & (batch.op == Op.FETCH)).sum())
        if n := int(chosen.sum()):
            yield Batch(row, *(column[chosen] for column in batch[1:]))
            row += n
    counts["rows"] = row


def _stem(source: Source) -> str:
    """A VM's name from a file's: without its folder and all of its endings."""
    name = Path(source.name).name
    return "vm0" if source.name in STANDARD_INPUT else name.lstrip(".").split(".")[0] or name
