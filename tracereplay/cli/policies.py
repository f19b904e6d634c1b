"""``tracereplay policies``."""

from __future__ import annotations

from tracereplay.cli._console import Json, print_catalog


def policies(*, json: Json = False) -> None:
    """List the replacement policies: name, parameters with their defaults, rule.

    Any of them serves guests and host; parameters are given as ``name:key=value``.
    """
    from tracereplay import policies as home

    rows = [
        {"policy": name, "parameters": home.defaults(name), "rule": home.describe(name)}
        for name in home.names()
    ]
    print_catalog(rows, json)
