"""Three production servers whose page sharing VMware has published: what sharing gives in daily use.

Stresses the sharing scan with contents of few copies.  A: ten Windows NT VMs, 2,048 MB; B: nine Linux VMs,
1,846 MB; C: five Linux VMs, 1,658 MB.
Source: Waldspurger, "Memory resource management in VMware ESX server", OSDI 2002.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias

from tracereplay.catalog import Count, Duration, Kind, Share
from tracereplay.problems import one_of
from tracereplay.trace.synth import Generated
from tracereplay.trace.synth._hosts import filled, new_host, scaled_pages
from tracereplay.trace.synth._population import Shares, population


class Server(NamedTuple):
    """``memory`` of all VMs in MiB, the fraction of it that is ``reclaimed``, and pages per shared frame."""

    family: str
    vms: int
    memory: int
    reclaimed: float
    copies: float


HOSTS = {
    "A": Server("windows", 10, 2048, 0.329, 4.25),
    "B": Server("linux", 9, 1846, 0.187, 2.78),
    "C": Server("linux", 5, 1658, 0.072, 3.67),
}
Name: TypeAlias = Annotated[str, Kind(", ".join(HOSTS), lambda value: one_of(value, HOSTS))]


def generate(
    *,
    host: Name = "A",
    scale: Share = 1 / 16,
    touches: Count = 2,
    duration: Duration = 60 * 10**9,
    seed: Count = 0,
) -> Generated:
    """Server ``host`` with ``scale`` of its memory; every page is touched ``touches`` times on average.

    All sharing is between VMs: how much of it was zero pages or within a VM was not published.
    """
    server = HOSTS[host]
    pages = scaled_pages(server.memory, scale, server.vms)
    families = [server.family] * server.vms
    host_vms = new_host(families, pages, duration, seed)
    keys = population(families, pages, Shares(inter=server.reclaimed, copies=server.copies))
    return filled(host_vms, keys, touches)
