"""VMs more or less alike, from one image to another operating system: how much sharing depends on it.

Stresses the sharing scan, sharing domains and families.  What ideal sharing gives back is set in four kinds
(zero pages, within a VM, between VMs of a family, between families) or fitted from a trace.
Source of the defaults: Barker et al., "An empirical study of memory sharing in virtual machines", USENIX ATC
2012: some 15 % in all, 85 % of that inside a VM; below 2 % between VMs, but 50–100 MB for the same software
(here 75 of 256 MB); below 5 MB between families; address space randomisation costs more than 10 % of it in
three systems of four.  Zero pages, which they leave out, are those of one VM in ``esx-best-case``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from tracereplay.catalog import Count, Duration, Flag, Kind, Pages, Share, Text
from tracereplay.errors import TraceError
from tracereplay.problems import one_of, wrong
from tracereplay.trace.reader import open_trace
from tracereplay.trace.sample import told_sample
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import filled, in_turn, new_host
from tracereplay.trace.synth._one_vm import expect
from tracereplay.trace.synth._population import Copies, Shares, population
from tracereplay.trace.synth._sharing import fitted_shares
from tracereplay.units import parse_count, parse_fraction

RELATIONS = {
    "same-image": (("linux",), Shares(zero=0.07, self=0.13, inter=0.29)),
    "same-family": (("linux",), Shares(zero=0.07, self=0.13, inter=0.02)),
    "other-family": (("linux", "windows"), Shares(zero=0.07, self=0.13, inter=0.02, cross=0.01)),
}
"""The families to which VMs belong in turn, and what ideal sharing gives back."""
ASLR_LEAVES = 0.9
"""Of what is shared between VMs, with address space randomisation."""

Relation: TypeAlias = Annotated[str, Kind(", ".join(RELATIONS), lambda value: one_of(value, RELATIONS))]


def _copies(value: object) -> float | Copies:
    """A mean, or a distribution: "2:70%/5:30%", {2: 0.7, 5: 0.3}, its pairs; ValueError if it is neither."""
    expected = 'a number such as 2.5, or the shares of numbers as in "2:70%/5:30%"'
    pairs: Any = value
    try:
        if isinstance(value, str) and ":" in value:
            pairs = [pair.split(":") for pair in value.split("/")]
        if isinstance(pairs, int | float | str):
            return float(pairs)
        pairs = dict(pairs)
        found = tuple((parse_count(n), float(parse_fraction(share))) for n, share in pairs.items())
    except (TypeError, ValueError):
        raise wrong(value, expected) from None
    if not sum(share for _, share in found):
        raise wrong(value, expected)
    return found


Spread: TypeAlias = Annotated[float | Copies, Kind("number, or shares as in 2:70%/5:30%", _copies)]


def generate(
    *,
    vms: Count = 4,
    pages: Pages = 65_536,
    relation: Relation = "same-image",
    aslr: Flag = False,
    zero: Share | None = None,
    self: Share | None = None,
    inter: Share | None = None,
    cross: Share | None = None,
    copies: Spread | None = None,
    like: Text | None = None,
    touches: Count = 2,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """``vms`` VMs of ``pages`` pages each; every page is touched ``touches`` times on average.

    ``zero``, ``self``, ``inter`` and ``cross`` are what ideal sharing gives back, as fractions of all memory;
    ``copies`` is the number of VMs of a family that have a content which they share: the mean, or the shares
    of the contents that are in so many VMs; all VMs by default.  A content shared within a VM has two pages.
    What is not said comes from ``relation`` and ``aslr``, or from the trace ``like`` and its families.
    """
    families, found = _like(like) if like is not None else _by_relation(relation, aslr)
    names = in_turn(families, vms)
    found = _possible(found, names)
    said: dict[str, Any] = {"zero": zero, "self": self, "inter": inter, "cross": cross, "copies": copies}
    shares = found._replace(**{name: value for name, value in said.items() if value is not None})
    host = new_host(names, pages, duration, seed, aslr=aslr)
    keys = population(names, pages, shares)
    return filled(host, keys, touches)


def _by_relation(relation: str, aslr: bool) -> tuple[tuple[str, ...], Shares]:
    families, shares = RELATIONS[relation]
    left = ASLR_LEAVES if aslr else 1.0
    return families, shares._replace(inter=shares.inter * left, cross=shares.cross * left)


def _possible(shares: Shares, names: Sequence[str]) -> Shares:
    """What VMs of these families can have of it: one that is alone in its family has nobody to share with."""
    sizes = Counter(names)
    most = max(sizes.values())
    copies = shares.copies
    return shares._replace(
        inter=shares.inter * (most > 1),
        cross=shares.cross * (len(sizes) > 1),
        copies=tuple((min(n, most), share) for n, share in copies) if isinstance(copies, tuple) else copies,
    )


def _like(path: str) -> tuple[tuple[str, ...], Shares]:
    trace = open_trace(path)
    expect(trace.has_content, "like", path, "a trace with page contents")
    sampled = told_sample(trace.metadata)
    if sampled is not None:
        raise TraceError(f"found {sampled}; expected a whole trace, whose sharing can be fitted", trace.name)
    infos = trace.metadata.vms
    families = [(infos[vm].family if vm < len(infos) else None) or "unknown" for vm in range(trace.n_vms)]
    return tuple(families), fitted_shares(trace, families)
