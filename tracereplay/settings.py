"""Where a scenario's values come from, as plain dicts: TOML files and dotted keys of flags."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tracereplay.errors import ScenarioError, UsageError
from tracereplay.problems import nearest, problem, shown, wrong


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file; ScenarioError says why there is none."""
    try:
        raw = path.read_bytes()
        if raw.startswith(b"PAR1"):
            raise ScenarioError(problem("a Parquet file", "a scenario in TOML; give a trace as a trace"))
        return tomllib.loads(raw.decode())
    except FileNotFoundError:
        around = path.parent.glob("*.toml") if path.parent.is_dir() else ()
        near = nearest(path.name, [other.name for other in around])
        meant = shown(str(path.with_name(near))) if near else None
        raise ScenarioError(problem("no such file", "a scenario in TOML", meant)) from None
    except OSError as error:
        raise ScenarioError(problem(f"{error.strerror or error}", "a readable scenario in TOML")) from None
    except UnicodeDecodeError:
        raise ScenarioError(problem("bytes that are not UTF-8", "a scenario in TOML")) from None
    except tomllib.TOMLDecodeError as error:
        expected = 'a scenario in TOML, where texts stand in quotes: memory = "75%"'
        raise ScenarioError(problem(f"broken TOML, {error}", expected)) from None


def rebased(data: dict[str, Any], folder: Path, tables: Collection[str]) -> dict[str, Any]:
    """``data`` with relative trace paths joined to ``folder``; URIs and keys of tables stay."""
    for vm in data.get("vm", ()) if isinstance(data.get("vm"), list) else ():
        trace = vm.get("trace") if isinstance(vm, dict) else None
        if isinstance(trace, str) and trace.strip() and trace not in tables and "://" not in trace:
            vm["trace"] = str(folder / trace)
    return data


def apply(data: dict[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Put dotted keys into a scenario's dict in place; returns what is wrong with the keys themselves."""
    return [text for key, value in settings.items() for text in _put(data, key, value)]


def _put(data: dict[str, Any], key: str, value: Any) -> list[str]:
    """Set one dotted key in place; returns what is wrong with the key."""
    first, *rest = key.split(".")
    if first == "vm":
        if not rest:
            data[key] = value
            return []
        vms = data.get("vm", [])
        listed = isinstance(vms, (list, tuple)) and all(isinstance(vm, dict) for vm in vms)
        return _put_vm(list(vms) if listed else [], key, rest, value)
    if len(rest) > 1 or not all((first, *rest)):
        return [f"{key}: {problem('no such key', 'section.key, such as host.memory')}"]
    if not rest:
        data[first] = value
    elif isinstance(data.setdefault(first, {}), dict):
        data[first][rest[0]] = value
    else:
        return [f"{key}: {problem('no such key', f'{first} alone: it has no keys of its own')}"]
    return []


def _put_vm(vms: list[dict[str, Any]], key: str, rest: list[str], value: Any) -> list[str]:
    """`_put` for ``vm.<which>.<key>``; a VM's name may hold dots."""
    expected = "vm.<index, name or *>.<key>, such as vm.*.policy"
    if len(rest) < 2:
        return [f"{key}: {problem('no such key', expected, None if rest == ['*'] else f'vm.*.{rest[0]}')}"]
    which, field = ".".join(rest[:-1]), rest[-1]
    chosen = [vm for i, vm in enumerate(vms) if which in ("*", str(i), vm.get("name"))]
    if not chosen:
        known = ", ".join(f"{i} ({shown(vm.get('name') or vm['trace'])})" for i, vm in enumerate(vms))
        there = f"one of *, {known}" if known else "a scenario that lists [[vm]]: this one takes all"
        return [f"{key}: {problem(f'no VM {shown(which)}', there)}"]
    for vm in chosen:
        vm[field] = value
    return []


def setting(text: str) -> tuple[str, Any]:
    """Key and value of a flag ``key=value``; the value is read as TOML if it is that, else as text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise UsageError(str(wrong(text, "key=value, such as host.memory=50%")))
    try:
        read = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return key, value
    return key, read["value"] if len(read) == 1 else value


def choice_settings(key: str, text: str) -> dict[str, Any]:
    """Settings of a flag with parameters: ``("sharing.mode", "ksm:rate=1000")`` sets ``sharing.rate`` too."""
    word, _, rest = text.partition(":")
    section = key.rpartition(".")[0]
    pairs = [setting(item) for item in rest.split(",") if item.strip()]
    return {key: word, **{f"{section}.{name}": value for name, value in pairs}}
