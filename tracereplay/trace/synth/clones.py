"""VMs more or less alike, from one image to another operating system: how much sharing depends on it.

Stresses the sharing scan, sharing domains and families.  What ideal sharing gives back is set in four kinds
(zero pages, within a VM, between VMs of a family, between families) or fitted from a trace.
Source of the defaults: Barker et al., "An empirical study of memory sharing in virtual machines", USENIX ATC
2012: some 15 % in all, 85 % of that inside a VM; below 2 % between VMs, but 50–100 MB for the same software
(here 75 of 256 MB); below 5 MB between families; address space randomisation costs more than 10 % of it in
three systems of four.  Zero pages, which they leave out, are those of one VM in ``esx-best-case``.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from tracereplay.catalog import Count, Duration, Flag, Kind, Number, Pages, Share, Text
from tracereplay.problems import one_of
from tracereplay.trace.reader import open_trace
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import filled, in_turn, new_host
from tracereplay.trace.synth._one_vm import expect
from tracereplay.trace.synth._population import Shares, population
from tracereplay.trace.synth._sharing import fitted_shares

RELATIONS = {
    "same-image": (("linux",), Shares(zero=0.07, self=0.13, inter=0.29)),
    "same-family": (("linux",), Shares(zero=0.07, self=0.13, inter=0.02)),
    "other-family": (("linux", "windows"), Shares(zero=0.07, self=0.13, inter=0.02, cross=0.01)),
}
"""The families to which VMs belong in turn, and what ideal sharing gives back."""
ASLR_LEAVES = 0.9
"""Of what is shared between VMs, with address space randomisation."""

Relation: TypeAlias = Annotated[str, Kind(", ".join(RELATIONS), lambda value: one_of(value, RELATIONS))]


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
    copies: Number | None = None,
    like: Text | None = None,
    touches: Count = 2,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """``vms`` VMs of ``pages`` pages each; every page is touched ``touches`` times on average.

    ``zero``, ``self``, ``inter`` and ``cross`` are what ideal sharing gives back, as fractions of all memory;
    ``copies`` is the mean number of VMs of a family that have a content which they share, all by default.
    What is not said comes from ``relation`` and ``aslr``, or from the trace ``like`` and its families.
    """
    families, found = _like(like) if like is not None else _by_relation(relation, aslr, vms)
    said = {"zero": zero, "self": self, "inter": inter, "cross": cross, "copies": copies}
    shares = found._replace(**{name: value for name, value in said.items() if value is not None})
    names = in_turn(families, vms)
    host = new_host(names, pages, duration, seed, aslr=aslr)
    keys = population(names, pages, shares)
    return filled(host, keys, touches)


def _by_relation(relation: str, aslr: bool, vms: int) -> tuple[tuple[str, ...], Shares]:
    families, shares = RELATIONS[relation]
    left = ASLR_LEAVES if aslr else 1.0
    # VMs that are alone in their family, or of one family, have nobody to share with
    inter = shares.inter * left * (vms > len(families))
    return families, shares._replace(inter=inter, cross=shares.cross * left * (vms > 1))


def _like(path: str) -> tuple[tuple[str, ...], Shares]:
    trace = open_trace(path)
    expect(trace.has_content, "like", path, "a trace with page contents")
    infos = trace.metadata.vms
    families = [(infos[vm].family if vm < len(infos) else None) or "unknown" for vm in range(trace.n_vms)]
    return tuple(families), fitted_shares(trace, families)
