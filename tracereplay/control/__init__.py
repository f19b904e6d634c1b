"""What the hypervisor decides at each tick, in plain Python: one file per balloon controller.

A controller module offers ``controller(machine)``, which returns a function from the time elapsed
since the run's first access to the target size of each VM's balloon, in pages.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracereplay.machine import Machine

Targets = Callable[[int], Sequence[int]]


@functools.cache
def names() -> tuple[str, ...]:
    """Names of all balloon controllers, ``none`` first."""
    found = {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")}
    return ("none", *sorted(found - {"none"}))


def describe(name: str) -> str:
    """First line of the controller's docstring."""
    return (importlib.import_module(f"{__name__}.{name}").__doc__ or "").strip().splitlines()[0]


def targets(machine: Machine) -> Targets:
    """The controller that the machine asks for, ready to be called at each tick."""
    module = importlib.import_module(f"{__name__}.{machine.balloon.controller}")
    made: Targets = module.controller(machine)
    return made
