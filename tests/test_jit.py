"""Compiled kernels are the same program: same state, cached per combination, no reference counting."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import engine as runs
import numba
import numpy as np
import pytest
from small import machine, random_machine, random_rows
from states import flat, samples

import tracereplay
from tracereplay import policies
from tracereplay.analysis.one_level import OneLevel
from tracereplay.core import _jit, engine
from tracereplay.core.simulator import SHARING_MODES, Simulator

# ---- The same program ----------------------------------------------------------------------------

TOGETHER = [
    # guests' policies, host's policy, sharing modes (the ESX modes differ in their scan alone)
    (("fifo",), "lru", ("none",)),
]
MORE = [
    (("lru", "random"), "clock", ("ksm",)),
    (("clock",), "random", ("ideal", "esx", "esx-sequential")),
    (("clock", "fifo", "lru", "random"), "fifo", ("none",)),
    (("random",), "lru", ("ksm",)),
]


@pytest.mark.parametrize(
    ("guests", "host", "modes"),
    [*TOGETHER, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_compiled_and_uncompiled_runs_end_in_the_same_state(guests, host, modes):
    """Every array of the state, policies' included, and every sample, on random machines and traces."""
    rng = random.Random(f"{guests} {host}")
    for mode in modes:
        for _ in range(12):
            config = random_machine(rng, vms=max(2, len(guests)))
            config["sharing"]["mode"] = mode
            config["host"]["policy"] = host
            for vm, policy in zip(config["vms"], itertools.cycle(guests), strict=False):
                vm["policy"] = policy
            rows = random_rows(rng, 200, len(config["vms"]))
            compiled, plain = (runs.run_engine(config, rows, jit=jit) for jit in (True, False))
            assert flat(compiled.state) == flat(plain.state)
            assert samples(compiled) == samples(plain)


def apply_all(state, kinds, pools, slots, pages, chosen):
    """Ask a policy for insert (0), hit (1), remove (2) or a victim (3), in the order of the rows.

    Inserts and victims are for the page of the row; a page of −1 is none, as when a balloon asks.
    """
    for i in range(kinds.shape[0]):
        pool, slot = np.int64(pools[i]), np.int64(slots[i])
        if pages[i] >= 0:
            host_expect(state, pool, pages[i])
        if kinds[i] == 0:
            host_insert(state, pool, slot)
        elif kinds[i] == 1:
            host_hit(state, pool, slot)
        elif kinds[i] == 2:
            host_remove(state, pool, slot)
        else:
            chosen[i] = host_victim(state, pool)


def host_insert(state, pool, slot):
    raise NotImplementedError


host_hit = host_remove = host_victim = host_expect = host_insert


QUICK_TO_COMPILE = ("clock", "fifo", "lru", "opt", "random", "sieve")


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK_TO_COMPILE else pytest.param(name, marks=pytest.mark.slow)
        for name in policies.names()
    ],
)
def test_compiled_policies(name):
    """Each policy by itself, all its functions in two pools: the same victims and the same state."""
    module = policies.get(name)
    columns = operations(random.Random(name), sizes=(5, 7), n=400)
    hooks = {f"host_{hook}": function for hook, function in policies.hooks(name).items()}
    told = []
    for jit in (False, True):
        state = module.init([5, 7], np.array([3, 4], np.uint64))
        chosen = np.full(len(columns[0]), -1, np.int64)
        _jit.specialise(apply_all, hooks, tag=name, jit=jit)(state, *columns, chosen)
        told.append((flat(state), chosen.tolist()))
    assert told[0] == told[1]
    assert (np.array(told[0][1])[columns[0] == 3] >= 0).all()


def operations(rng: random.Random, sizes: tuple[int, int], n: int) -> tuple[np.ndarray, ...]:
    """Operations that may be asked: whatever victims are chosen, their pools are emptied right after."""
    base = (0, sizes[0])
    held: list[dict[int, int]] = [{}, {}]
    rows = []
    while len(rows) < n:
        pool = rng.randrange(2)
        mine = held[pool]
        absent = [slot for slot in range(base[pool], base[pool] + sizes[pool]) if slot not in mine]
        page = rng.choice([p for p in range(pool, 40, 2) if p not in mine.values()])
        kind = rng.choice([0, 0, 0, 1, 1, 1, 1, 2] + [3] * (not absent))
        if kind == 3:
            rows += [(3, pool, 0, page), *[(3, pool, 0, -1)] * (len(mine) - 1)]
            mine.clear()
        elif kind == 0 and absent:
            slot = rng.choice(absent)
            mine[slot] = page
            rows.append((0, pool, slot, page))
        elif kind in (1, 2) and mine:
            slot = rng.choice(sorted(mine))
            rows.append((kind, pool, slot, -1))
            if kind == 2:
                del mine[slot]
    return tuple(np.array(column, np.int64) for column in zip(*rows, strict=True))


# ---- Names in the cache --------------------------------------------------------------------------


def test_no_two_combinations_have_one_name():
    """Numba files machine code by the kernel's qualified name: every combination of hooks has its own."""
    known = policies.names()
    pairs = [(known[i], known[i - step]) for i in range(len(known)) for step in (1, 2)]
    sharing = ("none", "esx", "ksm")
    combinations = [((guest,), host, "none") for guest in known for host in known]
    combinations += [(pair, host, mode) for pair in pairs for host in pairs[0] for mode in sharing]
    names: dict[str, tuple] = {}
    for used, host, mode in combinations:
        config = machine([{"pages": 1, "policy": policy} for policy in used], host=host, mode=mode)
        kernel = Simulator(runs.as_machine(config))._kernel(engine.replay)
        name = kernel.py_func.__qualname__
        assert re.fullmatch(r"replay\.[a-z0-9_+]+-[a-z0-9_]+-(off|esx|ksm)\.[0-9a-f]{12}", name)
        assert names.setdefault(name, (used, host, mode)) == (used, host, mode)
    assert len(names) == len(combinations)
    scans = {
        mode: Simulator(runs.as_machine(machine([1], mode=mode)))._kernel(getattr(*SHARING_MODES[mode]))
        for mode in SHARING_MODES
        if mode != "none"
    }
    assert len({kernel.py_func.__qualname__ for kernel in scans.values()}) == len(scans)


def test_the_fingerprint_covers_every_source_file_below(monkeypatch):
    """An edit of any file that a kernel's functions come from gives it another name; of any other, not."""

    def name_with_edited(file: str) -> str:
        original = _jit._source_digest.__wrapped__
        monkeypatch.setattr(
            _jit,
            "_source_digest",
            lambda path: original(path) + (b"edited" if Path(path).name == file else b""),
        )
        hooks = {f"host_{hook}": getattr(policies.get("fifo"), hook) for hook in policies.HOOKS}
        kernel = _jit.specialise(one_level.touch_all, hooks, tag="fifo")
        monkeypatch.undo()
        return kernel.py_func.__qualname__

    from tracereplay.analysis import one_level

    plain = name_with_edited("no such file")
    edited = {
        file: name_with_edited(file)
        for file in ("one_level.py", "fifo.py", "lru.py", "_queue.py", "_jit.py", "clock.py", "random.py")
    }
    assert {file for file, name in edited.items() if name == plain} == {"clock.py", "random.py"}
    assert len(set(edited.values())) == 6


# ---- Helpers -------------------------------------------------------------------------------------


def chosen(x):
    """A hook."""
    raise NotImplementedError


def double(x):
    """A helper that no hook concerns."""
    return 2 * x


def doubled_choice(x):
    """A helper that calls a hook."""
    return double(chosen(x))


def first(x):
    """An entry."""
    return doubled_choice(x) + 1


def second(x):
    """Another one."""
    return doubled_choice(x) + 2


def plus_ten(x):
    """A choice."""
    return x + 10


def plus_fifty(x):
    """Another one."""
    return x + 50


def test_helpers_are_compiled_once(monkeypatch, tmp_path):
    """Entries share the helpers beneath them, but no helper that reaches a hook bound to something else."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    with numba.core.event.install_recorder("numba:compile") as recorder:
        results = [
            _jit.specialise(entry, {"chosen": choice})(1)
            for choice in (plus_ten, plus_fifty)
            for entry in (first, second)
        ]
    assert results == [23, 24, 103, 104]
    compiled = [e.data["dispatcher"].py_func.__name__ for _, e in recorder.buffer if e.is_start]
    times = {"first": 2, "second": 2, "doubled_choice": 2, "plus_ten": 1, "plus_fifty": 1, "double": 1}
    assert Counter(compiled) == times


# ---- The cache in fresh processes ----------------------------------------------------------------

PROBE = r"""
import json, re
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    import numpy as np
    import pyarrow as pa
    import tracereplay.run
    from tracereplay.analysis.one_level import OneLevel

    string = np.array([7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1], np.int32)
    misses = {}
    for policy in ("fifo", "lru"):
        memory = OneLevel(policy, 3)
        memory.touch(string, 8)
        misses[policy] = memory.misses
    table = pa.table({"page": pa.array(string, pa.uint64()), "op": pa.array(string % 2, pa.uint8())})
    scenario = {
        "tick": "4",
        "host": {"memory": "16KiB", "policy": "lru"},
        "balloon": {"controller": "static"},
        "vm": [{"trace": "t", "memory": "20KiB", "policy": "lru", "balloon": [["0", "0KiB"], ["8", "4KiB"]]}],
    }
    result = tracereplay.run.replay(scenario, {"t": table})
compiled = [e.data["dispatcher"].py_func.__qualname__ for _, e in recorder.buffer if e.is_start]
kernels = sorted(name for name in compiled if re.fullmatch(r"\w+\..+\.[0-9a-f]{12}", name))
print(json.dumps({
    "file": tracereplay.run.__file__, "compiled": len(compiled), "kernels": kernels,
    "misses": misses, "totals": result.totals,
}))
"""


def in_a_fresh_process(folder: Path) -> SimpleNamespace:
    """What the probe says of the package copied to ``folder``, with the cache there."""
    environment = os.environ | {"PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["file"]).is_relative_to(folder)
    return SimpleNamespace(**found)


def cache_files(folder: Path) -> set[str]:
    """Names of the index files in the cache, one per kernel and version."""
    return {path.name for path in (folder / "cache").rglob("*.nbi")}


@pytest.mark.slow
def test_the_cache_over_the_life_of_a_package(tmp_path):
    """Cold: all is compiled. Warm: nothing, and no kernel runs another's code. FIFO edited: FIFO alone."""
    package = Path(tracereplay.__file__).parent
    shutil.copytree(package, tmp_path / "tracereplay", ignore=shutil.ignore_patterns("__pycache__"))

    cold = in_a_fresh_process(tmp_path)
    assert cold.misses == {"fifo": 15, "lru": 12}
    assert cold.totals["accesses"] == 20
    entries = {name.rpartition(".")[0] for name in cold.kernels}
    assert {"touch_all.fifo", "touch_all.lru", "encode.plain"} < entries
    assert {"replay.lru-lru-off", "resize_balloon.lru-lru-off"} < entries
    before = cache_files(tmp_path)
    assert len(before) == len(cold.kernels)

    warm = in_a_fresh_process(tmp_path)
    assert (warm.compiled, warm.kernels) == (0, [])
    assert (warm.misses, warm.totals) == (cold.misses, cold.totals)
    assert cache_files(tmp_path) == before

    fifo = tmp_path / "tracereplay" / "policies" / "fifo.py"
    text = fifo.read_text()
    assert '    """Change nothing."""\n' in text
    lru_hit = "    remove(state, pool, slot)\n    insert(state, pool, slot)\n"
    fifo.write_text(text.replace('    """Change nothing."""\n', lru_hit))
    edited = in_a_fresh_process(tmp_path)
    assert edited.misses == {"fifo": 12, "lru": 12}, "the edit makes FIFO an LRU"
    assert edited.totals == cold.totals
    assert [name.rpartition(".")[0] for name in edited.kernels] == ["touch_all.fifo"]
    assert len(cache_files(tmp_path)) == len(before) + 1

    fifo.write_text(text)
    back = in_a_fresh_process(tmp_path)
    assert (back.compiled, back.misses) == (0, cold.misses)


# ---- What the compiler makes of it ---------------------------------------------------------------


def reference_counting(kernel: Any, *arguments: Any, **options: Any) -> int:
    """Calls that count references in the machine code of a kernel compiled afresh with other options."""
    fresh = numba.njit(**_jit._OPTIONS | options)(kernel.py_func)
    fresh(*arguments)
    code = "\n".join(fresh.inspect_llvm().values())
    assert len(code) > 1000
    return len(re.findall(r"call [^\n]*NRT_(?:incref|decref)", code))


@pytest.mark.slow
def test_kernels_count_no_references():
    """`_nrt=False` still does what it is there for with this version of Numba; without it there are calls."""
    config = machine([{"pages": 3, "policy": "fifo"}], frames=2)
    simulator = Simulator(runs.as_machine(config))
    (rows,) = list(runs.make_feed(config, [(0, 0, 1, 1, None)]))
    simulator.reserve(rows.n_pages, rows.n_contents)
    columns = (rows.vm, rows.page, rows.op, rows.content)
    kernel = simulator._kernel(engine.replay)
    assert reference_counting(kernel, simulator.state, *columns, 0, 1) == 0
    assert reference_counting(kernel, simulator.state, *columns, 0, 1, _nrt=True) > 0
    memory = OneLevel("lru", 2)
    memory.touch(np.array([0, 1], np.int32), 2)
    pages = np.array([1, 0], np.int32)
    assert reference_counting(memory._touch_all, memory._state, pages) == 0


def test_only_plain_functions_are_kernels():
    """A kernel that is compiled already is refused: it could not be cloned."""
    with pytest.raises(TypeError, match="a kernel must be a plain function"):
        _jit.specialise(numba.njit(lambda x: x))


def test_uncompiled_kernels_are_clones_too():
    """Hooks are bound in the clones alone: the engine's own functions still have their stubs."""
    hooks = {f"host_{hook}": function for hook, function in policies.hooks("lru").items()}
    kernel = _jit.specialise(apply_all, hooks, jit=False)
    state = policies.get("lru").init([2], np.zeros(1, np.uint64))
    columns = np.zeros((5, 1), np.int64)
    kernel(state, *columns)
    with pytest.raises(NotImplementedError):
        apply_all(state, *columns)
