"""Which VMs hold which contents, so that ideal sharing gives back just what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from tracereplay.trace.synth._hosts import CROSS, INTER, SELF, Keys, key, own
from tracereplay.trace.synth._one_vm import expect

_FAMILY_BITS = 40


Copies: TypeAlias = tuple[tuple[int, float], ...]
"""Numbers of VMs, and how many of the contents that VMs share are in so many, in proportion."""


class Shares(NamedTuple):
    """What ideal sharing gives back, as fractions of all memory of all VMs, in the gauges' four kinds.

    ``copies`` is the number of pages behind a frame that VMs of a family share: the mean, or how it is
    distributed; None: one in each VM.
    """

    zero: float = 0.0
    self: float = 0.0
    inter: float = 0.0
    cross: float = 0.0
    copies: float | Copies | None = None


class _Families(NamedTuple):
    """Each VM's family, its rank among the family's VMs, and how many these are: int64[vms]."""

    of: np.ndarray
    rank: np.ndarray
    size: np.ndarray


class _Groups(NamedTuple):
    """A family's shared contents: so many ``contents`` have so many ``copies``, most copies first."""

    copies: np.ndarray  # int64[classes]
    contents: np.ndarray  # int64[classes]


def population(names: Sequence[str], pages: int, shares: Shares) -> Keys:
    """Contents of VMs of families ``names`` with ``pages`` pages each; ValueError where they do not fit.

    A content shared within a VM has two copies; one shared between families has one in each of them.
    """
    families = _families(names)
    by_family = _groups(families, pages, shares)
    ends = _ends(families, pages, shares, by_family)

    def keys(vm: np.ndarray, slot: np.ndarray) -> np.ndarray:
        zero, within, inter, cross = ends[vm].T
        dealt = (slot - within) * families.size[vm] + families.rank[vm]
        group = np.zeros(len(vm), np.int64)
        for family, groups in enumerate(by_family):
            here = families.of[vm] == family
            group[here] = _group(dealt[here], groups)
        made = [
            np.zeros(len(slot), np.uint64),
            key(SELF, vm << 32 | (slot - zero) // 2),
            key(INTER, families.of[vm] << _FAMILY_BITS | group),
            key(CROSS, (slot - inter) * families.size[vm] + families.rank[vm]),
        ]
        return np.select([slot < zero, slot < within, slot < inter, slot < cross], made, own(vm, slot))

    return keys


def _families(names: Sequence[str]) -> _Families:
    different = list(dict.fromkeys(names))
    of = np.array([different.index(name) for name in names])
    rank = np.array([np.count_nonzero(of[:vm] == of[vm]) for vm in range(len(of))])
    return _Families(of, rank, np.bincount(of)[of])


def _groups(families: _Families, pages: int, shares: Shares) -> list[_Groups]:
    """What each family shares among its VMs: of what is given back, as much for each VM that is not alone."""
    not_alone = families.size[families.size > 1]
    most = int(families.size.max())
    copies = most if shares.copies is None else shares.copies
    if shares.inter:
        expect(most > 1, "inter", shares.inter, "0, as no two VMs are of one family")
        for n in [n for n, _ in copies] if isinstance(copies, tuple) else [copies]:
            expect(1 < n <= most, "copies", n, f"more than 1 and at most {most}, the VMs of a family")
    found = []
    for size in np.bincount(families.of).tolist():
        if size == 1 or not shares.inter:
            found.append(_Groups(np.array([1]), np.array([0])))
            continue
        given_back = shares.inter * pages * len(families.of) * size / len(not_alone)
        if isinstance(copies, tuple):
            found.append(_distributed(copies, size, given_back))
        else:
            found.append(_around(copies, size, given_back))
    return found


def _around(mean: float, size: int, given_back: float) -> _Groups:
    """Contents in ``mean`` of ``size`` VMs, those in the next fewer and next more, that give so much back."""
    mean = min(mean, size)
    contents = max(round(given_back / (mean - 1)), 1)
    fewer, larger = divmod(round(contents * mean), contents)
    return _Groups(np.array([fewer + 1, fewer]), np.array([larger, contents - larger]))


def _distributed(copies: Copies, size: int, given_back: float) -> _Groups:
    """Contents in so many of ``size`` VMs each, in these proportions, that give so much back."""
    shares = np.zeros(size + 1)
    for n, share in copies:
        shares[min(n, size)] += share
    numbers = np.arange(size, 1, -1)
    shares = shares[numbers] / shares.sum()
    contents = max(round(given_back / float(shares @ (numbers - 1))), 1)
    ends = np.rint(np.cumsum(shares) * contents).astype(np.int64)
    return _Groups(numbers, np.diff(ends, prepend=0))


def _ends(families: _Families, pages: int, shares: Shares, groups: list[_Groups]) -> np.ndarray:
    """Where zero pages and those shared within a VM, in its family, across families end, int64[vms, 4]."""
    n, n_families = len(families.of), families.of.max() + 1
    expect(not shares.cross or n_families > 1, "cross", shares.cross, "0, as all VMs are of one family")
    crossing = round(shares.cross * n * pages / max(n_families - 1, 1))
    among = np.array([group.copies @ group.contents for group in groups])[families.of]
    counts = (
        _spread(round(shares.zero * n * pages) + (shares.zero > 0), n),
        2 * _spread(round(shares.self * n * pages), n),
        _dealt(among, families),
        _dealt(np.full(n, crossing), families),
    )
    ends = np.cumsum(counts, axis=0).T
    most = int(ends.max())
    if most > pages:
        raise ValueError(
            f"zero, self, inter, cross: found shares that need {most} pages in a VM; expected at most its "
            f"{pages}: a page that is given back needs another one that stays"
        )
    return ends


def _spread(total: int, n: int) -> np.ndarray:
    """``total`` as ``n`` numbers that differ by 1 at most."""
    return np.diff(np.arange(n + 1) * total // n)


def _dealt(totals: np.ndarray, families: _Families) -> np.ndarray:
    """What falls to each VM when its family's total is dealt out, one by one."""
    return (totals - families.rank + families.size - 1) // families.size


def _group(dealt: np.ndarray, groups: _Groups) -> np.ndarray:
    """The content to which a page belongs that was dealt out in this place; any beyond the last one."""
    pages = groups.copies * groups.contents
    ends = np.cumsum(pages)
    kind = np.minimum(np.searchsorted(ends, dealt, side="right"), len(ends) - 1)
    before = np.cumsum(groups.contents) - groups.contents
    return np.asarray(before[kind] + (dealt - (ends - pages)[kind]) // groups.copies[kind])
