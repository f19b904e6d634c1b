"""Kinds of values in a scenario: how each is checked and how JSON schema describes it.

The checks keep texts with units as they were written (numbers come out once the trace is known) and
raise ValueError in the words of ``tracereplay.problems``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Discriminator, PlainSerializer, PlainValidator, Tag, WithJsonSchema

from tracereplay import control, policies, units
from tracereplay.problems import nearest, one_of, problem, shown, wrong


def _checked(check: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    """Annotation of a field that ``check`` validates alone and ``schema`` describes."""
    return PlainValidator(check), WithJsonSchema(schema)


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = units.parse_count(value, limit=high)
        if number < low:
            raise wrong(value, f"an integer from {low} to {high}")
        return number

    return check


def _boolean(value: Any) -> bool:
    if value in ("true", "false"):  # how flags say it
        return bool(value == "true")
    if not isinstance(value, bool):
        meant = {"0": False, "no": False, "off": False, "1": True, "yes": True, "on": True}
        raise wrong(value, "true or false", meant.get(str(value).casefold()))
    return value


def _text(value: Any) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value.strip():
        raise wrong(value, "a text that is not empty")
    return value


def _choice(of: Any) -> BeforeValidator:
    """Validator that accepts the words of the Literal ``of`` and suggests one for any other."""
    return BeforeValidator(lambda value: one_of(value, get_args(of)))


def _policy(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(value, 'a policy such as "lru" or "name:parameter=value"')
    policies.parse(value)
    return value


def _host_policy(value: Any) -> str:
    policy = _policy(value)
    if policies.needs_future(policy):
        raise ValueError(
            problem(shown(policy), "a policy that does not need the future, which depends on the run itself")
        )
    return policy


def _free_frames(value: Any) -> Any:
    if value == "min":
        raise wrong(
            value, '"zero": the reserve needs the free-memory states, which this version lacks', "zero"
        )
    return one_of(value, ("zero",))


def _vm_of_trace(value: Any) -> int | str:
    return value if isinstance(value, str) and value.strip() else _integer(0, 2**16 - 1)(value)


def _below_one(low_open: bool) -> Callable[[Any], Fraction]:
    def check(value: Any) -> Fraction:
        fraction = units.parse_fraction(value)
        if fraction >= 1 or (low_open and not fraction):
            low = "above 0" if low_open else "from 0"
            meant = f"{value}%" if not isinstance(value, str) and 1 < fraction < 100 else None
            raise wrong(value, f'a fraction {low} and below 1, such as 0.65 or "65%"', meant)
        return fraction

    return check


def _nanoseconds(value: Any) -> int:
    try:
        return units.parse_time(value, "ns")
    except ValueError as error:
        raise ValueError(
            str(error).replace("integer in the trace's time unit", "integer number of ns")
        ) from None


def _every(value: Any) -> int | str:
    if value == "auto":
        return "auto"
    try:
        checked = units.check_time(value)
    except ValueError:
        checked = 0
    if checked in (0, "0"):
        near = "auto" if isinstance(value, str) and nearest(value, ["auto"]) else None
        raise wrong(value, '"auto", an integer number of ticks ≥ 1 or a time such as "10s"', near)
    return checked


def _entry(value: Any) -> Any:
    """An entry of a balloon schedule: two items, checked one by one afterwards."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise wrong(value, 'a pair [time, size], such as ["10s", "16MiB"]')
    return tuple(value)


def _schedule(value: Any) -> Any:
    if not value:
        raise wrong(value, "at least one [time, size]; leave the key out for no balloon")
    if all(not isinstance(item, (list, tuple, Mapping)) for item in value) and len(value) == 2:
        raise wrong(value, "a list of [time, size] pairs", [value])
    return value


def _plain(fraction: Fraction) -> float | str:
    """A fraction for JSON: the decimal it was given as, if it was."""
    return float(fraction) if Fraction(repr(float(fraction))) == fraction else str(fraction)


_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
_COUNT = {"anyOf": [_WHOLE, {"type": "string", "pattern": "^[0-9._]+[kKMG]?$"}]}
_VM_OF_TRACE = {"anyOf": [_WHOLE, {"type": "string", "minLength": 1}]}
_FRACTION = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": "^[0-9./]+%?$"}]}
_EVERY = {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1}, {"type": "string"}]}


def _or_text(description: str) -> dict[str, Any]:
    return {"anyOf": [_WHOLE, {"type": "string"}], "description": description}


_SIZE = _or_text('pages, "64MiB", "64MB" or "75%"')
_TIME = _or_text('in the trace\'s unit, or a text such as "10s" when that is ns')

Size: TypeAlias = Annotated[int | str, *_checked(units.check_size, _SIZE)]
Time: TypeAlias = Annotated[int | str, *_checked(units.check_time, _TIME)]
Count: TypeAlias = Annotated[int, *_checked(units.parse_count, _COUNT)]
Weight: TypeAlias = Annotated[int, *_checked(_integer(1, 2**31 - 1), _COUNT)]
Seed: TypeAlias = Annotated[int, *_checked(_integer(0, 2**64 - 1), _WHOLE)]
VMOfTrace: TypeAlias = Annotated[int | str, *_checked(_vm_of_trace, _VM_OF_TRACE)]
Nanoseconds: TypeAlias = Annotated[int, *_checked(_nanoseconds, _or_text('ns, or a text such as "90us"'))]
OpenFraction: TypeAlias = Annotated[Fraction, *_checked(_below_one(True), _FRACTION), PlainSerializer(_plain)]
FromZero: TypeAlias = Annotated[Fraction, *_checked(_below_one(False), _FRACTION), PlainSerializer(_plain)]
Flag: TypeAlias = Annotated[bool, PlainValidator(_boolean, json_schema_input_type=bool)]
Text: TypeAlias = Annotated[str, *_checked(_text, {"type": "string", "minLength": 1})]
Policy: TypeAlias = Annotated[str, *_checked(_policy, {"type": "string"})]
HostPolicy: TypeAlias = Annotated[str, *_checked(_host_policy, {"type": "string"})]
Every: TypeAlias = Annotated[int | str, *_checked(_every, _EVERY)]
Controller: TypeAlias = Annotated[str, BeforeValidator(lambda value: one_of(value, control.names()))]
Reserve: TypeAlias = Annotated[Literal["zero"], BeforeValidator(_free_frames)]
_Entry: TypeAlias = Annotated[tuple[Time, Size], BeforeValidator(_entry)]
Schedule: TypeAlias = Annotated[
    Annotated[Size, Tag("<size>")]
    | Annotated[tuple[_Entry, ...], BeforeValidator(_schedule), Tag("<schedule>")],
    Discriminator(lambda value: "<schedule>" if isinstance(value, (list, tuple)) else "<size>"),
]
_Device: TypeAlias = Literal["nvme", "ssd", "hdd"]
_Mode: TypeAlias = Literal["none", "ideal", "esx", "esx-sequential", "ksm"]
_Domain: TypeAlias = Literal["all", "vm", "tenant"]
_Profile: TypeAlias = Literal["esx2002", "esxi6"]
Device: TypeAlias = Annotated[_Device, _choice(_Device)]
Mode: TypeAlias = Annotated[_Mode, _choice(_Mode)]
Domain: TypeAlias = Annotated[_Domain, _choice(_Domain)]
Profile: TypeAlias = Annotated[_Profile, _choice(_Profile)]
