"""One-file-each things (policies, trace formats, generators): found in their package, named, parametrised.

A thing is a module.  The first line of its docstring describes it, and the keyword-only arguments of
one of its functions are its parameters, written ``name:key=value,key=value``.  Their annotations say
in which unit each is counted and how a text becomes a value::

    def batches(*, pages: Pages = 100_000, writes: Share = 0.3, ...)
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Annotated, Any, NamedTuple, TypeAlias

from tracereplay import units
from tracereplay.problems import one_of, shown, wrong


class Kind(NamedTuple):
    """A kind of parameter: its unit, what makes a value of a number or text (ValueError if not), and back."""

    unit: str
    check: Callable[[Any], Any]
    show: Callable[[Any], str] = str


def _pages(value: object) -> int:
    for parse in (units.parse_count, functools.partial(units.parse_size, page_size=4096)):
        with contextlib.suppress(ValueError):
            return parse(value)
    raise wrong(value, 'a number of pages such as 1000 or "100k", or a size such as "64MiB"')


def _share(value: object) -> float:
    share = units.parse_fraction(value)
    if share > 1:
        raise wrong(value, "a fraction from 0 to 1, or a percentage")
    return float(share)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise wrong(value, "a number") from None


def _duration(value: object) -> int:
    return units.parse_time(value, "ns")


def _shown_duration(value: int) -> str:
    unit = next(unit for unit in ("s", "ms", "us", "ns") if value % units.NANOSECONDS[unit] == 0)
    return f"{value // units.NANOSECONDS[unit]}{unit}"


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return one_of(value, ("true", "false")) == "true"


def _text(value: object) -> str:
    return str(value)


Pages: TypeAlias = Annotated[int, Kind("pages", _pages)]
"""A count of pages: 1000, "100k", "64MiB" (of 4 KiB pages)."""
Count: TypeAlias = Annotated[int, Kind("count", units.parse_count)]
"""A whole number: 1000, "100k"."""
Accesses: TypeAlias = Annotated[int, Kind("accesses", units.parse_count)]
"""A whole number of accesses."""
Share: TypeAlias = Annotated[float, Kind("fraction", _share)]
"""A fraction from 0 to 1: 0.3, "30%"."""
Number: TypeAlias = Annotated[float, Kind("number", _number)]
"""A real number without a unit."""
Duration: TypeAlias = Annotated[int, Kind("time", _duration, _shown_duration)]
"""A time in nanoseconds: "10s", "250ms"."""
Flag: TypeAlias = Annotated[bool, Kind("true or false", _flag, lambda value: str(value).lower())]
Text: TypeAlias = Annotated[str, Kind("text", _text)]

REQUIRED = inspect.Parameter.empty
"""Default of a parameter that has none."""


def _kind_of(hint: Any) -> Kind:
    """The kind in an annotation such as ``Pages`` or ``Pages | None``."""
    annotated = next(h for h in (hint, *typing.get_args(hint)) if hasattr(h, "__metadata__"))
    return typing.cast(Kind, annotated.__metadata__[0])


class Parameter(NamedTuple):
    """One parameter of a thing."""

    default: Any
    kind: Kind

    @property
    def shown(self) -> str:
        """The default as it would be typed: ``…`` must be given, nothing may be left out."""
        if self.default is REQUIRED:
            return "…"
        return "" if self.default is None else self.kind.show(self.default)


@dataclass(frozen=True)
class Catalog:
    """The modules of ``package`` (underscores hidden) as a ``kind`` of thing, parametrised by ``function``.

    With ``hyphens`` a name shows ``-`` where its file has ``_``.
    """

    package: str
    kind: str
    function: str
    hyphens: bool = False

    @cached_property
    def _files(self) -> dict[str, str]:
        """Name → module."""
        path = importlib.import_module(self.package).__path__
        found = sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))
        return {name.replace("_", "-") if self.hyphens else name: name for name in found}

    def names(self) -> tuple[str, ...]:
        """All names, sorted; imports none of them."""
        return tuple(self._files)

    def get(self, name: str) -> ModuleType:
        """The module called ``name``; ValueError with a suggestion when there is none."""
        one_of(name, self._files)
        return importlib.import_module(f"{self.package}.{self._files[name]}")

    def describe(self, name: str) -> str:
        """First line of its docstring."""
        return (self.get(name).__doc__ or "").strip().splitlines()[0]

    def parameters(self, name: str) -> dict[str, Parameter]:
        """Its parameters by name, in the order of the source; those that must be given are REQUIRED."""
        function = getattr(self.get(name), self.function)
        hints = typing.get_type_hints(function, include_extras=True)
        found = inspect.signature(function).parameters.values()
        return {
            p.name: Parameter(p.default, _kind_of(hints[p.name])) for p in found if p.kind is p.KEYWORD_ONLY
        }

    def defaults(self, name: str) -> dict[str, str]:
        """Its parameters with their defaults as they would be typed."""
        return {key: p.shown for key, p in self.parameters(name).items()}

    def arguments(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given`` checked and as values; ValueError for a parameter that is unknown, wrong or missing."""
        known = self.parameters(name)
        found = {}
        for key, value in given.items():
            if not known:
                raise ValueError(
                    f"found parameter {shown(key)}; expected none: {self.kind} {name} has no parameters"
                )
            one_of(key, known)
            if value is None and known[key].default is None:
                continue
            try:
                found[key] = known[key].kind.check(value)
            except ValueError as error:
                raise ValueError(f"parameter {key} of {self.kind} {name}: {error}") from None
        missing = [key for key, p in known.items() if p.default is REQUIRED and key not in found]
        if missing:
            form = ",".join(f"{key}=…" for key in missing)
            raise ValueError(f"found {shown(name)}; expected {name}:{form}")
        return found

    def parse(self, text: str, given: Mapping[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Split ``"name:key=value,key=value"`` into a known name and the values said; ValueError if not.

        ``given`` are more parameters, by keyword.
        """
        name, _, rest = text.partition(":")
        one_of(name, self._files)
        pairs: dict[str, Any] = {}
        for item in filter(None, rest.split(",")):
            key, equals, value = item.partition("=")
            if not equals:
                known = ", ".join(self.parameters(name)) or "none"
                raise wrong(item, f"parameter=value; the parameters of {name}: {known}")
            if key in pairs:
                raise wrong(item, "each parameter once")
            pairs[key] = value
        return name, self.arguments(name, {**pairs, **(given or {})})
