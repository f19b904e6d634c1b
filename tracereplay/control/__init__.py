"""What the hypervisor decides at each tick, in plain Python: one file per balloon controller.

A controller module offers ``controller(machine)``, which returns a function from the time elapsed
since the run's first access to the target size of each VM's balloon, in pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tracereplay.catalog import Catalog

if TYPE_CHECKING:
    from tracereplay.machine import Machine

Targets = Callable[[int], Sequence[int]]

_CATALOG = Catalog(__name__, "balloon controller", "controller")

get = _CATALOG.get


def names() -> tuple[str, ...]:
    """Names of all balloon controllers, ``none`` first."""
    return ("none", *(name for name in _CATALOG.names() if name != "none"))


def targets(machine: Machine) -> Targets:
    """The controller that the machine asks for, ready to be called at each tick."""
    made: Targets = get(machine.balloon.controller).controller(machine)
    return made
