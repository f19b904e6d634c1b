"""A simulated host with its guests: the state arrays and the kernels specialised for them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tracereplay import policies
from tracereplay.core import _jit, engine, gauges, invariants, mixed, rng
from tracereplay.core.arrays import grown
from tracereplay.core.counters import COUNTERS
from tracereplay.core.sharing import esx, ksm, off
from tracereplay.core.state import FREE, NEVER, NONE, UNBACKED, UNKNOWN, Options, State

if TYPE_CHECKING:
    from tracereplay.machine import Machine

SHARING_MODES: dict[str, tuple[ModuleType, str | None]] = {
    "none": (off, None),
    "ideal": (esx, "scan_all"),
    "esx": (esx, "scan_random"),
    "esx-sequential": (esx, "scan_sequential"),
    "ksm": (ksm, "scan"),
}
"""Mode → the dialect that binds the sharing hooks, and its scan."""

_SHARING_HOOKS = ("is_shared", "drop_mapping", "keeps_frame", "share_victim", "unmap_all")


class Simulator:
    """Owns all mutable state of one run; ``reserve``, ``replay``, ``resize_balloon`` and ``scan`` mutate it.

    ``jit=False`` runs the same kernels uncompiled.
    """

    def __init__(self, machine: Machine, *, jit: bool = True) -> None:
        self._jit = jit
        self._dialect, self._scan = SHARING_MODES[machine.sharing.mode]
        self._scan_rate = machine.sharing.rate
        self._n_frames = machine.host.frames
        guest, guest_hooks = _guest_policy(machine)
        self._guest_policies = [name for name, _ in _guest_groups(machine)]
        self._foreseeing = np.array([policies.needs_future(vm.policy) for vm in machine.vms])
        self._tag = "-".join((guest, machine.host.policy, self._dialect.__name__.rpartition(".")[2]))
        self._hooks = {name: getattr(self._dialect, name) for name in _SHARING_HOOKS}
        self._hooks |= {f"guest_{hook}": function for hook, function in guest_hooks.items()}
        self._hooks |= {f"host_{hook}": f for hook, f in policies.hooks(machine.host.policy).items()}
        self._kernels: dict[Callable, Callable] = {}
        self.state = initial_state(machine)
        n_notes = len(self.state.mappers) if self._scan else 0
        self._notes = gauges.notes([vm.family for vm in machine.vms], n_notes)

    @property
    def counters(self) -> np.ndarray:
        """Cumulative counters, int64[vms, counters]; a live view."""
        return self.state.counters

    @property
    def free_frames(self) -> int:
        """Host frames not in use."""
        return self._n_frames - len(self.state.mappers) + int(self.state.n_free_frames[0])

    def reserve(self, n_pages: int, n_contents: int) -> None:
        """Make room for page ids below ``n_pages`` and content ids below ``n_contents``."""
        s = self.state
        if n_pages > len(s.ppn_of):
            s = s._replace(
                ppn_of=grown(s.ppn_of, n_pages, NEVER), saved_of=grown(s.saved_of, n_pages, UNKNOWN)
            )
        if self._scan and n_contents > len(s.frame_of):
            s = s._replace(
                frame_of=grown(s.frame_of, n_contents, NONE),
                candidate_of=grown(s.candidate_of, n_contents, NONE),
            )
        self.state = s

    @property
    def needs_future(self) -> bool:
        """Whether a guest's policy wants ``foresee`` to be called before its rows are replayed."""
        return bool(self._foreseeing.any())

    def foresee(self, vms: np.ndarray, ops: np.ndarray, next_uses: np.ndarray) -> None:
        """Tell guest policies that need the future when the page of each of the next rows is used next.

        ``next_uses`` (int64) is that of ``NextUses``.  To be called before the first of the rows is replayed.
        """
        known = next_uses[self._foreseeing[vms] & (ops != FREE)]
        self.state = self.state._replace(
            guest_policy=_foreseen(self.state.guest_policy, self._guest_policies, known)
        )

    def replay(self, batch: tuple[np.ndarray, ...], start: int, stop: int) -> None:
        """Replay rows ``start … stop − 1`` of ``(vms, pages, ops, contents)``."""
        self._kernel(engine.replay)(self.state, *batch, start, stop)

    def resize_balloon(self, vm: int, target: int, rate: int) -> None:
        """Move the balloon of ``vm`` towards ``target`` pages, by at most ``rate``."""
        if self.state.n_ballooned[vm] != target:
            self._kernel(engine.resize_balloon)(self.state, vm, target, rate)

    def scan(self, rate: int | None = None) -> None:
        """Let the sharing scan do its work of one tick: ``rate`` candidates, or what the scenario says."""
        if self._scan:
            scan = self._kernel(getattr(self._dialect, self._scan))
            scan(self.state, self._scan_rate if rate is None else rate)

    def measure(self) -> np.ndarray:
        """The gauges now, int64[vms, gauges]."""
        return gauges.gauges(self.state, self._notes, _count_shared(self._jit))

    def live_contents(self, n_contents: int) -> np.ndarray:
        """Which content ids some part of the state still names, bool[n_contents]."""
        s = self.state
        live = np.zeros(n_contents, np.bool_)
        live[: s.options.n_domains] = True
        for held in (s.content_of, s.saved_of, s.remembered_of):
            live[held[held >= 0]] = True
        for by_content in (s.frame_of, s.candidate_of):
            live[np.flatnonzero(by_content != NONE)] = True
        return live

    def check(self) -> None:
        """Raise InvariantError if a law of the model does not hold now."""
        invariants.check(self.state)

    def _kernel(self, entry: Callable) -> Callable:
        if entry not in self._kernels:
            self._kernels[entry] = _specialised(entry, self._tag, tuple(self._hooks.items()), self._jit)
        return self._kernels[entry]


@functools.cache
def _specialised(entry: Callable, tag: str, hooks: tuple[tuple[str, Callable], ...], jit: bool) -> Callable:
    return _jit.specialise(entry, dict(hooks), tag=tag, jit=jit)


@functools.cache
def _count_shared(jit: bool) -> Callable:
    return _jit.specialise(gauges.count_shared, jit=jit)


def initial_state(machine: Machine) -> State:
    """Everything at boot: no page touched, PPN 0 of each VM on top of its free stack, all frames free."""
    sizes = [vm.pages for vm in machine.vms]
    base = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    n_ppns, n_vms = int(base[-1]), len(sizes)
    n_frames = min(machine.host.frames, n_ppns)  # more can never be in use
    n_sharing = 0 if machine.sharing.mode == "none" else n_ppns
    n_ksm = n_ppns if machine.sharing.mode == "ksm" else 0
    n_pages = sum(vm.footprint for vm in machine.vms)
    n_domains = 1 + max(vm.domain for vm in machine.vms)
    streams = np.array(
        [rng.stream_state(machine.seed, rng.GUEST_POLICY + v) for v in range(n_vms)], np.uint64
    )
    host_stream = np.array([rng.stream_state(machine.seed, rng.HOST_POLICY)], np.uint64)
    return State(
        ppn_of=np.full(n_pages, NEVER, np.int32),
        saved_of=np.full(n_pages, UNKNOWN, np.int32),
        page_of=np.full(n_ppns, NONE, np.int32),
        content_of=np.full(n_ppns, UNKNOWN, np.int32),
        guest_flags=np.zeros(n_ppns, np.uint8),
        mpn_of=np.full(n_ppns, UNBACKED, np.int32),
        next_mapper=np.full(n_sharing, NONE, np.int32),
        prev_mapper=np.full(n_sharing, NONE, np.int32),
        remembered_of=np.full(n_ksm, UNKNOWN, np.int32),
        share_flags=np.zeros(n_sharing, np.uint8),
        stack=np.concatenate([np.arange(b, a, -1, dtype=np.int32) - 1 for a, b in itertools.pairwise(base)]),
        mapper_of=np.full(n_frames, NONE, np.int32),
        mappers=np.zeros(n_frames, np.int32),
        frame_flags=np.zeros(n_frames, np.uint8),
        free_frames=np.arange(n_frames, 0, -1, dtype=np.int32) - np.int32(1),
        n_free_frames=np.array([n_frames], np.int64),
        frame_of=np.full(0, NONE, np.int32),
        candidate_of=np.full(0, NONE, np.int32),
        base=base,
        n_free=np.array(sizes, np.int64),
        n_ballooned=np.zeros(n_vms, np.int64),
        domain_of=np.array([vm.domain for vm in machine.vms], np.int64),
        tally=np.zeros((n_vms, 3), np.int64),
        counters=np.zeros((n_vms, len(COUNTERS)), np.int64),
        scan_stream=np.array([rng.stream_state(machine.seed, rng.SHARING_SCAN)], np.uint64),
        cursor=np.zeros(1, np.int64),
        drawn=np.zeros(16, np.int64),
        options=Options(
            skip_fill_reads=machine.host.skip_fill_reads,
            free_page_reporting=machine.host.free_page_reporting,
            zero_only=machine.sharing.zero_only,
            share_before_swap=machine.sharing.share_before_swap,
            use_zero_pages=machine.sharing.use_zero_pages,
            n_domains=n_domains,
        ),
        guest_policy=_guest_policy_state(machine, sizes, streams),
        host_policy=policies.get(machine.host.policy).init([n_frames], host_stream, **machine.host.params),
    )


def _guest_groups(machine: Machine) -> list[tuple[str, dict[str, Any]]]:
    """The different guest policies of a run with their parameters, in order of first use."""
    groups: list[tuple[str, dict[str, Any]]] = []
    for vm in machine.vms:
        if (vm.policy, vm.params) not in groups:
            groups.append((vm.policy, vm.params))
    return groups


def _guest_policy(machine: Machine) -> tuple[str, dict[str, Callable]]:
    """A name and the functions that serve every VM of the run, whatever policy each uses."""
    groups = _guest_groups(machine)
    return "+".join(name for name, _ in groups), _joined_hooks(tuple(name for name, _ in groups))


@functools.cache
def _joined_hooks(names: tuple[str, ...]) -> dict[str, Callable]:
    *rest, last = names
    hooks = policies.hooks(last)
    return mixed.join(_joined_hooks(tuple(rest)), hooks) if rest else hooks


def _guest_policy_state(machine: Machine, sizes: list[int], streams: np.ndarray) -> Any:
    state: Any = None
    for index, (name, params) in enumerate(_guest_groups(machine)):
        own = policies.get(name).init(sizes, streams, **params)
        uses = np.array([(vm.policy, vm.params) == (name, params) for vm in machine.vms], np.uint8)
        state = mixed.State(uses, state, own) if index else own
    return state


def _foreseen(state: Any, names: list[str], next_uses: np.ndarray) -> Any:
    """The state of the guests' policies with what those that need it know of the future."""
    *rest, last = names
    if rest:
        return state._replace(
            first=_foreseen(state.first, rest, next_uses), second=_foreseen(state.second, [last], next_uses)
        )
    return policies.get(last).foresee(state, next_uses) if policies.needs_future(last) else state
