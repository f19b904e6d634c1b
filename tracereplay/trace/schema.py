"""The trace file's vocabulary: columns, operations and the metadata that travels in the file.

A trace is a Parquet file (or any Arrow table) with a ``page`` column and up to four more; everything
else about it is one JSON text under the metadata key ``tracereplay``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from numbers import Integral
from typing import Any, NoReturn

from tracereplay.errors import TraceError

FORMAT = 1
METADATA_KEY = b"tracereplay"
TIME_UNITS = ("ns", "instructions", "accesses")
PAGE_SPACES = ("guest-virtual", "guest-physical")
_COUNTED_BY_RECORDERS = ("raw_accesses", "accesses_before_reduction")
MAX_VMS = 1 << 16
"""VM indices are uint16."""


class Op(IntEnum):
    """What an access does; ``FETCH`` is a read that marks the page as code."""

    READ = 0
    WRITE = 1
    FREE = 2
    FETCH = 3


COLUMNS = ("time", "vm", "page", "op", "content")
"""Every column that means something, in the order in which files store them."""


@dataclass(frozen=True)
class VMInfo:
    """One VM of a trace; ``pages`` is its footprint (distinct pages over all rows), None if not known.

    ``raw_accesses`` is how many accesses the VM made, FREE rows left out, where the rows are what a reduction
    has left of them; None if nobody knows, or nothing was left out.
    """

    name: str
    family: str | None = None
    pages: int | None = None
    raw_accesses: int | None = None


@dataclass(frozen=True)
class Metadata:
    """What a trace says of itself; the defaults are what a bare Parquet file is taken to mean.

    ``rows``, ``time_range`` (first and last time) and ``vms[].pages`` restate facts of the rows and are None
    where nobody has counted; ``reduction`` tells what a lossy recorder left out.
    """

    page_size: int = 4096
    time_unit: str = "accesses"
    page_space: str = "guest-virtual"
    vms: tuple[VMInfo, ...] = ()
    rows: int | None = None
    time_range: tuple[int, int] | None = None
    source: dict[str, Any] | None = None
    reduction: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None

    @property
    def exact_above(self) -> int | None:
        """Smallest memory in pages for which LRU faults are exact; None when nothing was left out."""
        return None if self.reduction is None else self.reduction.get("exact_above")

    def to_json(self) -> str:
        """The text for the file: format number first, fixed key order, so equal metadata are equal bytes."""
        return json.dumps(self.to_dict(), default=_plain)

    def to_dict(self) -> dict[str, Any]:
        """The same as dicts and lists."""
        return {
            "format": FORMAT,
            "page_size": self.page_size,
            "time_unit": self.time_unit,
            "page_space": self.page_space,
            "vms": [self._vm_to_dict(vm) for vm in self.vms],
            "rows": self.rows,
            "time_range": None if self.time_range is None else list(self.time_range),
            "source": self.source,
            "reduction": self.reduction,
            "provenance": self.provenance,
        }

    def _vm_to_dict(self, vm: VMInfo) -> dict[str, Any]:
        """``raw_accesses`` only of a reduced trace, there even where it is null: nobody shall guess it."""
        said = {"name": vm.name, "family": vm.family, "pages": vm.pages}
        return said if self.reduction is None else {**said, "raw_accesses": vm.raw_accesses}

    @classmethod
    def from_json(cls, text: str | bytes, path: object = None) -> Metadata:
        """Metadata out of a file's JSON. Unknown keys are ignored; a wrong shape is a TraceError."""
        try:
            fields = json.loads(text)
        except ValueError as problem:
            raise TraceError(
                f"metadata: the text is not JSON ({problem}); write the trace again",
                path,
            ) from None
        if not isinstance(fields, dict):
            _refuse(path, "the whole", fields, "an object")
        if fields.get("format") != FORMAT:
            raise TraceError(
                f"found trace format {fields.get('format')!r}; this version reads format {FORMAT}; "
                "use a tracereplay that knows it, or write the trace again",
                path,
            )
        return cls.from_fields(fields, path)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], path: object = None) -> Metadata:
        """Metadata out of already parsed JSON fields, each checked; missing or null ones get the default."""
        given = {k: v for k, v in fields.items() if k in cls.__dataclass_fields__ and v is not None}
        for key, (fits, expected) in _SHAPES.items():
            if key in given and not fits(given[key]):
                _refuse(path, key, given[key], expected)
        if "vms" in given:
            given["vms"] = tuple(_vm(v, i, path) for i, v in enumerate(_with_raw_accesses(given)))
        if "time_range" in given:
            given["time_range"] = (int(given["time_range"][0]), int(given["time_range"][1]))
        exact = given.get("reduction", {}).get("exact_above")
        if exact is not None and not _is_count(exact):
            _refuse(path, "reduction.exact_above", exact, "a whole number of pages")
        return cls(**given)


def _is_count(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def _is_span(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(map(_is_count, value))
        and value[0] <= value[1]
    )


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


_SHAPES = {
    "page_size": (lambda v: _is_count(v) and v > 0, "a whole number of bytes above 0"),
    "time_unit": (lambda v: v in TIME_UNITS, "one of " + ", ".join(TIME_UNITS)),
    "page_space": (lambda v: v in PAGE_SPACES, "one of " + ", ".join(PAGE_SPACES)),
    "vms": (
        lambda v: isinstance(v, list | tuple) and len(v) <= MAX_VMS,
        f"a list of at most {MAX_VMS} VMs",
    ),
    "rows": (_is_count, "a whole number"),
    "time_range": (_is_span, "[first, last], whole numbers in order"),
    "source": (_is_object, "an object"),
    "reduction": (_is_object, "an object"),
    "provenance": (_is_object, "an object"),
}


def _with_raw_accesses(given: Mapping[str, Any]) -> list[Any]:
    """``vms``; what a recorder of one VM says of its accesses in ``source`` is that VM's, if it does not say.

    Recorders count what they have seen; only of a reduced trace that is not what the rows say.
    """
    vms, source = list(given["vms"]), given.get("source", {})
    counts = [source[key] for key in _COUNTED_BY_RECORDERS if _is_count(source.get(key))]
    if len(vms) != 1 or "reduction" not in given or not counts:
        return vms
    said = {"name": vms[0]} if isinstance(vms[0], str) else vms[0]
    return [{"raw_accesses": counts[0], **said}] if isinstance(said, Mapping) else vms


def _vm(value: object, index: int, path: object) -> VMInfo:
    """One entry of ``vms``: a name, an object or a VMInfo."""
    if isinstance(value, VMInfo):
        value = asdict(value)
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        _refuse(path, f"vms[{index}]", value, "a name or an object with a name")
    name, family, pages = value.get("name", f"vm{index}"), value.get("family"), value.get("pages")
    if not isinstance(name, str) or not name:
        _refuse(path, f"vms[{index}].name", name, "a text")
    if family is not None and not isinstance(family, str):
        _refuse(path, f"vms[{index}].family", family, "a text or null")
    raw_accesses = value.get("raw_accesses")
    for key, count in (("pages", pages), ("raw_accesses", raw_accesses)):
        if count is not None and not _is_count(count):
            _refuse(path, f"vms[{index}].{key}", count, "a whole number or null")
    return VMInfo(name, family, pages, raw_accesses)


def _refuse(path: object, key: str, found: object, expected: str) -> NoReturn:
    shown = repr(found)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise TraceError(
        f"metadata: {key}: found {shown}; expected {expected}; correct it and write the trace again", path
    )


def _plain(value: object) -> object:
    """NumPy's scalars as Python's, for json; anything else stays an error."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not fit into JSON")
