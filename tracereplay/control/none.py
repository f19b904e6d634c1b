"""No balloon: every target is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracereplay.control import Targets
    from tracereplay.machine import Machine


def controller(machine: Machine) -> Targets:
    """Targets of 0 pages at any time."""
    off = (0,) * len(machine.vms)
    return lambda elapsed: off
