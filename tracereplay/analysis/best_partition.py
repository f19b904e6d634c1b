"""The split of a memory between VMs with the fewest misses in all, from the curve of each.

A VM gets one of the sizes at which its curve *steps* down: a multiple-choice knapsack problem.  With the
lower convex hull of each curve in its place, memory is best handed out where a page saves most misses; that
gives a bound that no split is below, and a first split.  The rate at which memory runs out, misses a page, is
a *price*: at it a step costs its *excess* over the cheapest step of its VM.  A split misses as much as the
bound and all its excesses at least, so steps and sums of steps that exceed what the best split so far misses
beyond the bound are left out.  Of the others the fewest misses for every amount of memory are found VM by VM
(dynamic programming), first in large units of memory, then in ever smaller ones.
Sources: Stone, Turek, Wolf, "Optimal partitioning of cache memory", IEEE Transactions on Computers 1992, for
convex curves; Dyer, Kayal, Walker, "A branch and bound algorithm for solving the multiple-choice knapsack
problem", Journal of Computational and Applied Mathematics 1984.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from tracereplay.analysis.curve import Curve
from tracereplay.core import _jit
from tracereplay.errors import UsageError

VM = TypeVar("VM", int, str)

_MOST_PAIRS = 1 << 31
"""With more pairs of amounts for one VM more, units are not made smaller: a bound on the time it takes."""
_FIRST_UNITS = 1 << 10
"""The search begins with so many units of memory, or fewer."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Partition(Generic[VM]):
    """A split of a memory: ``pages`` and ``misses`` of each VM; some pages may be left over.

    No split has fewer misses than ``bound``.  ``exact`` if none has fewer than this one; otherwise none does
    whose sizes are multiples of ``unit`` pages.
    """

    pages: dict[VM, int]
    misses: dict[VM, float]
    bound: float
    unit: int
    exact: bool

    @property
    def total(self) -> float:
        """Misses of all VMs together."""
        return sum(self.misses.values())


class Steps(NamedTuple):
    """The sizes at which a curve falls below all that it was at smaller ones."""

    pages: np.ndarray  # int64[n], ascending
    misses: np.ndarray  # float64[n], descending
    corners: np.ndarray  # int64[m], which are corners of the lower convex hull


class Problem(NamedTuple):
    """What is to be split, and what is known of every split."""

    steps: Sequence[Steps]
    memory: int
    price: float  # misses a page
    bound: float

    def misses(self, chosen: Sequence[int]) -> float:
        """Misses of all VMs together, each at the step that is chosen for it."""
        return sum(float(of_vm.misses[step]) for of_vm, step in zip(self.steps, chosen, strict=True))


class Points(NamedTuple):
    """Amounts of memory that are worth having, of one VM or of several together."""

    units: np.ndarray  # int64[n]
    misses: np.ndarray  # float64[n]
    excess: np.ndarray  # float64[n]


class Sums(NamedTuple):
    """By units of memory: the fewest misses of some VMs together, and what the last of them has of it."""

    misses: np.ndarray  # float64[units + 1]
    excess: np.ndarray  # float64[units + 1]
    last: np.ndarray  # int64[units + 1]


def best_partition(
    curves: Mapping[VM, Curve],
    memory: int,
    *,
    least: Mapping[VM, int] | None = None,
    unit: int = 1,
    jit: bool = True,
) -> Partition[VM]:
    """The split of ``memory`` pages between VMs with the fewest misses in all.

    A VM has one of the sizes of its curve, so the first one at least, or nothing if it makes no accesses;
    ``least`` says which VMs that do have no fewer than how many pages.  Sizes in multiples of ``unit`` pages
    are tried, single pages being exact, or where that would take too long, of the smallest of 2 · ``unit``,
    4 · ``unit``, … with which it does not.
    UsageError: less memory than the VMs need at least.
    """
    steps = {vm: steps_of(curve, (least or {}).get(vm, 0), jit=jit) for vm, curve in curves.items()}
    return split(steps, memory, unit=unit, jit=jit)


def steps_of(curve: Curve, least: int = 0, *, jit: bool = True) -> Steps:
    """The steps of a curve from ``least`` pages on; from none on where there are no accesses."""
    if not curve.accesses:
        return Steps(np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64))
    first = max(int(np.searchsorted(curve.sizes, least, "right")) - 1, 0)
    misses = curve.misses[first:].astype(np.float64)
    lowest = np.minimum.accumulate(misses)
    falls = np.flatnonzero(np.append(True, lowest[1:] < lowest[:-1]))
    pages, misses = np.maximum(curve.sizes[first:][falls], least), misses[falls]
    corners = np.empty(len(falls), np.int64)
    n = _kernel("find_corners", jit)(pages, misses, corners)
    return Steps(pages, misses, corners[:n])


def split(steps: Mapping[VM, Steps], memory: int, *, unit: int = 1, jit: bool = True) -> Partition[VM]:
    """``best_partition`` of curves whose steps are known."""
    problem, chosen = _along_hulls(list(steps.values()), memory)
    used = memory
    if problem.price:
        for doublings in reversed(range((memory // (unit * _FIRST_UNITS)).bit_length() + 1)):
            better = _refined(problem, chosen, unit << doublings, jit)
            if better is None:
                break
            chosen, used = better, unit << doublings
    total = problem.misses(chosen)
    exact = used == 1 or total - problem.bound <= _ROUNDING * total
    at = dict(zip(steps, chosen, strict=True))
    return Partition(
        pages={vm: int(found.pages[at[vm]]) for vm, found in steps.items()},
        misses={vm: float(found.misses[at[vm]]) for vm, found in steps.items()},
        bound=problem.bound,
        unit=1 if exact else used,
        exact=exact,
    )


def _along_hulls(steps: Sequence[Steps], memory: int) -> tuple[Problem, list[int]]:
    """The price and the bound, and each VM's step when memory goes where a page saves most.

    The price is 0 where there is memory enough for every VM's last step.
    UsageError: too little for the first ones.
    """
    left = memory - sum(int(of_vm.pages[0]) for of_vm in steps)
    if left < 0:
        needed = memory - left
        raise UsageError(f"memory: found {memory} pages; expected at least {needed}, which its VMs need")
    edges = [
        ((of_vm.misses[a] - of_vm.misses[b]) / (of_vm.pages[b] - of_vm.pages[a]), vm, b)
        for vm, of_vm in enumerate(steps)
        for a, b in itertools.pairwise(of_vm.corners)
    ]
    chosen, full, price = [0] * len(steps), set(), 0.0
    for rate, vm, corner in sorted(edges, key=lambda edge: -edge[0]):
        cost = steps[vm].pages[corner] - steps[vm].pages[chosen[vm]]
        if vm not in full and cost <= left:
            chosen[vm] = int(corner)
            left -= cost
        else:
            full.add(vm)
            price = price or float(rate)
    bound = sum(_cheapest(of_vm, price) for of_vm in steps) - price * memory
    return Problem(steps, memory, price, bound), chosen


def _cheapest(steps: Steps, price: float) -> float:
    """What a VM costs at least, in misses, when it pays the price for its pages."""
    return float((steps.misses[steps.corners] + price * steps.pages[steps.corners]).min())


def _refined(problem: Problem, chosen: list[int], unit: int, jit: bool) -> list[int] | None:
    """The best split in units, or ``chosen`` where none is better; None where that would take too long."""
    total, memory = problem.misses(chosen), problem.memory // unit
    slack = total - problem.bound + _ROUNDING * total
    front, stages = Points(np.zeros(1, np.int64), np.zeros(1), np.zeros(1)), []
    for steps in problem.steps:
        points = _points(steps, unit, problem.price, slack)
        if len(front.units) * len(points.units) > _MOST_PAIRS:
            return None
        sums = Sums(np.full(memory + 1, np.inf), np.zeros(memory + 1), np.zeros(memory + 1, np.int64))
        _kernel("combine", jit)(front, points, slack, sums)
        lowest = np.minimum.accumulate(sums.misses)
        units = np.flatnonzero(lowest < np.append(np.inf, lowest[:-1]))
        front = Points(units, sums.misses[units], sums.excess[units])
        stages.append((units, sums.last[units]))
    if not len(front.units) or front.misses[-1] >= total:
        return chosen
    return _steps_back(problem, stages, unit)


def _points(steps: Steps, unit: int, price: float, slack: float) -> Points:
    """A VM's steps within ``slack``, their sizes rounded up to units, the one of least excess first."""
    units = -(-steps.pages // unit)
    last = np.append(units[1:] != units[:-1], True)
    units, misses = units[last], steps.misses[last]
    excess = misses + price * unit * units - _cheapest(steps, price)
    order = np.argsort(excess, kind="stable")
    within = order[: np.searchsorted(excess[order], slack, "right")]
    return Points(units[within], misses[within], excess[within])


def _steps_back(problem: Problem, stages: Sequence[tuple[np.ndarray, np.ndarray]], unit: int) -> list[int]:
    """Each VM's step where all together miss least: the last VM has what it has there, and so on."""
    left, found = int(stages[-1][0][-1]), []
    for steps, (units, last) in zip(reversed(problem.steps), reversed(stages), strict=True):
        taken = int(last[np.searchsorted(units, left)])
        found.append(int(np.searchsorted(steps.pages, taken * unit, "right")) - 1)
        left -= taken
    return found[::-1]


def find_corners(pages, misses, corners):
    """Write which points are corners of the lower convex hull; return how many there are."""
    n = 0
    for i in range(pages.shape[0]):
        while n > 1:
            a, b = corners[n - 2], corners[n - 1]
            before = (misses[a] - misses[b]) * (pages[i] - pages[b])
            if before > (misses[b] - misses[i]) * (pages[b] - pages[a]):
                break
            n -= 1
        corners[n] = i
        n += 1
    return n


def combine(front, points, slack, sums):
    """Write what some VMs, ``front``, and a further one miss at least with every amount of memory.

    ``points`` are those of the further VM in the order of their excess; sums beyond ``slack`` are left out.
    """
    for i in range(front.units.shape[0]):
        for j in range(points.units.shape[0]):
            excess = front.excess[i] + points.excess[j]
            if excess > slack:
                break
            units, misses = front.units[i] + points.units[j], front.misses[i] + points.misses[j]
            if units < sums.misses.shape[0] and misses < sums.misses[units]:
                sums.misses[units] = misses
                sums.excess[units] = excess
                sums.last[units] = points.units[j]


@functools.cache
def _kernel(name: str, jit: bool) -> _jit.Kernel:
    kernels: dict[str, _jit.Kernel] = {"find_corners": find_corners, "combine": combine}
    return _jit.specialise(kernels[name], jit=jit)
