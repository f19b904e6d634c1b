"""The only module that knows how kernels are compiled.

Kernels and policies are ordinary Python functions.  ``specialise`` clones an entry point and
every function that it reaches by name, puts a policy's functions where the engine names its
hooks, and compiles the clones.  The same clones run uncompiled with ``jit=False``.

Numba stamps a cached kernel with its entry's source file alone, so the entry's qualified name
carries a fingerprint of every source file and constant that went into it: an edit anywhere below
gives a new cache entry, and two hook combinations never share one.

``_nrt=False`` is a private option of Numba.  Kernels own no memory; without the option Numba counts
references for every tuple of arrays handed to a helper, which costs a factor of three and changes
no result.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}

Kernel = Callable[..., Any]


def specialise(
    entry: Kernel, hooks: Mapping[str, Kernel] | None = None, *, tag: str = "", jit: bool = True
) -> Kernel:
    """Return ``entry`` with the names in ``hooks`` bound to the given functions.

    ``tag`` names the combination in the cache's file names.  Always call the result with the same
    types of arguments (dtype, layout, writability): each other kind is compiled anew.
    With ``jit=False`` the clones stay plain Python, for a debugger, coverage or a comparison.
    """
    bound = {**(hooks or {}), **({"load": _prefetch()} if jit else {})}
    reach: dict[FunctionType, _Reach] = {}
    function = _plain(entry)
    functions = _reach(function, bound, reach).functions
    kernel = _clone(function, bound, reach, jit)
    if not jit:
        return _quiet(kernel)
    import numba

    kernel.__qualname__ = f"{entry.__name__}.{tag or 'plain'}.{_fingerprint(functions, bound)}"
    return numba.njit(cache=True, **_OPTIONS)(kernel)


def _plain(function: Kernel) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise TypeError(f"a kernel must be a plain function, found {function!r}")
    return function


class _Reach(NamedTuple):
    """What a function calls by name, directly or not: functions, itself included, and hooks."""

    functions: frozenset[FunctionType]
    hooks: frozenset[str]


def _callees(function: FunctionType, bound: Mapping[str, Kernel]) -> dict[str, Kernel]:
    """By name, what is bound to a hook in ``function``, and the other functions that it names."""
    found: dict[str, Any] = {
        name: bound.get(name, function.__globals__.get(name)) for name in function.__code__.co_names
    }
    return {name: f for name, f in found.items() if name in bound or isinstance(f, FunctionType)}


def _reach(function: FunctionType, bound: Mapping[str, Kernel], known: dict[FunctionType, _Reach]) -> _Reach:
    if function not in known:
        callees = _callees(function, bound)
        below = [_reach(f, bound, known) for f in callees.values() if isinstance(f, FunctionType)]
        known[function] = _Reach(
            frozenset({function}).union(*(reach.functions for reach in below)),
            frozenset(bound.keys() & callees.keys()).union(*(reach.hooks for reach in below)),
        )
    return known[function]


def _clone(
    function: FunctionType, bound: Mapping[str, Kernel], reach: dict[FunctionType, _Reach], jit: bool
) -> FunctionType:
    names = dict(function.__globals__)
    for name, target in _callees(function, bound).items():
        if isinstance(target, FunctionType):
            needed = tuple((hook, bound[hook]) for hook in sorted(reach[target].hooks))
            target = _helper(target, needed, jit)
        names[name] = target
    clone = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    clone.__doc__, clone.__module__ = function.__doc__, function.__module__
    return clone


@functools.cache
def _helper(function: FunctionType, needed: tuple[tuple[str, Kernel], ...], jit: bool) -> Kernel:
    """The clone of a function below an entry: one for all entries whose hooks it cannot tell apart.

    Most of an entry's compilation is that of its helpers, so a second one is ready in a fraction of the time.
    """
    bound = dict(needed)
    reach: dict[FunctionType, _Reach] = {}
    _reach(function, bound, reach)
    clone = _clone(function, bound, reach, jit)
    if not jit:
        return clone
    import numba

    return numba.njit(forceinline=True, **_OPTIONS)(clone)


@functools.cache
def _prefetch() -> Any:
    """The processor's prefetch instruction as something that compiled kernels can call."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    byte_pointer, word, address = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index_kind = signature.args
        array = context.make_array(kind)(context, builder, arguments[0])
        index = context.cast(builder, arguments[1], index_kind, types.intp)
        stride = cgutils.unpack_tuple(builder, array.strides)[0]
        row = builder.add(builder.ptrtoint(array.data, address), builder.mul(index, stride))
        form = ir.FunctionType(ir.VoidType(), [byte_pointer, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0")
        for_reading, keep_in_all_caches, data = (ir.Constant(word, value) for value in (0, 3, 1))
        pointer = builder.inttoptr(row, byte_pointer)
        builder.call(function, [pointer, for_reading, keep_in_all_caches, data])
        return context.get_dummy_value()

    @intrinsic
    def load(typing_context, array, index):
        return types.void(array, index), emit

    return load


def _fingerprint(functions: frozenset[FunctionType], hooks: Mapping[str, Kernel]) -> str:
    """Hash what the compiled code depends on: source files, constants, and which hook is which function."""
    digest = hashlib.sha256()
    for path in sorted({__file__, *(f.__code__.co_filename for f in functions)}):
        digest.update(_source_digest(path))
    for name, hook in sorted(hooks.items()):
        digest.update(f"{name}={hook.__module__}.{hook.__name__};".encode())
    for function in sorted(functions, key=lambda f: (f.__module__, f.__name__)):
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            if isinstance(value, int | float | str):
                digest.update(f"{function.__module__}.{name}={value!r};".encode())
    return digest.hexdigest()[:12]


@functools.cache
def _source_digest(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def _quiet(kernel: Kernel) -> Kernel:
    """Let NumPy's scalars wrap around silently, as the compiled integers do."""

    @functools.wraps(kernel)
    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return kernel(*arguments)

    return run
