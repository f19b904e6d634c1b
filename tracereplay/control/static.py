"""Static balloons: each VM's target is a size, or follows a schedule of sizes over time."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracereplay.control import Targets
    from tracereplay.machine import Machine


def controller(machine: Machine) -> Targets:
    """The schedule's latest entry not after ``elapsed``; the last listed among equals; 0 before any."""
    schedules = [vm.balloon_schedule for vm in machine.vms]
    starts = [[time for time, _ in schedule] for schedule in schedules]

    def targets(elapsed: int) -> list[int]:
        found = [bisect.bisect_right(times, elapsed) for times in starts]
        return [schedule[n - 1][1] if n else 0 for schedule, n in zip(schedules, found, strict=True)]

    return targets
