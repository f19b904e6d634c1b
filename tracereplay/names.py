"""Names of VMs: of one VM of a trace, one VM by its name, and names that do not repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from tracereplay.errors import UsageError
from tracereplay.problems import nearest, problem, shown

if TYPE_CHECKING:
    from tracereplay.trace.reader import Trace


def vm_name(trace: Trace, index: int) -> str:
    """What the metadata call VM ``index``; vm0, vm1, … where they do not list it."""
    listed = trace.metadata.vms
    return listed[index].name if index < len(listed) else f"vm{index}"


def long_name(trace: Trace, index: int, file: str | None = None) -> str:
    """VM ``index`` by the name of its file, with its own behind where the trace has several.

    ``file`` is another name for it.  Without one, a VM of a table in memory has its own name alone.
    """
    own = vm_name(trace, index)
    if file is None:
        if trace.source.parts[0].file is None:
            return own
        file = trace.name
    stem = PurePath(file).stem
    return stem if trace.n_vms == 1 else f"{stem}-{own}"


def vm_index(trace: Trace, vm: int | str) -> int:
    """`parse_vm` for what an argument ``vm`` says: UsageError."""
    try:
        return parse_vm(trace, vm)
    except ValueError as error:
        raise UsageError(f"vm: {error}") from None


def parse_vm(trace: Trace, vm: int | str) -> int:
    """The index of a VM given by name or index; ValueError says which there are."""
    names = [vm_name(trace, index) for index in range(trace.n_vms)]
    if isinstance(vm, str) and vm in names:
        return names.index(vm)
    if str(vm).isdecimal() and int(vm) < len(names):
        return int(vm)
    known = f"an index below {len(names)}, or one of {', '.join(map(shown, names[:8]))}"
    near = nearest(str(vm), names)
    raise ValueError(problem(shown(vm), known + "…" * (len(names) > 8), near and shown(near)))


def distinct(short: Sequence[str], long: Sequence[str]) -> list[str]:
    """A name of its own for each: the short one, the long one where that repeats, numbered if need be."""
    used = Counter(short)
    names: dict[str, None] = {}
    for name, longer in zip(short, long, strict=True):
        wanted = name if used[name] == 1 else longer
        candidates = (wanted if i == 1 else f"{wanted}-{i}" for i in range(1, len(short) + 2))
        names[next(c for c in candidates if c not in names)] = None
    return list(names)
