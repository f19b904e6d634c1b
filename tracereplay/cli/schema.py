"""``tracereplay schema``."""

from __future__ import annotations

from tracereplay.cli._console import Json, print_json


def schema(*, json: Json = True) -> None:
    """Print the JSON schema of a scenario, for editors that check TOML while you type.

    Parameters
    ----------
    json
        Always: the flag is here because every verb has it.
    """
    from tracereplay.scenario import json_schema

    print_json(json_schema())
