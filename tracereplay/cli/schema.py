"""``tracereplay schema``."""

from __future__ import annotations

from tracereplay.cli._console import print_json


def schema() -> None:
    """Print the JSON schema of a scenario, for editors that check TOML while you type."""
    from tracereplay.scenario import json_schema

    print_json(json_schema())
