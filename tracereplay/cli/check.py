"""``tracereplay check``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tracereplay.cli._console import Json, print_catalog, print_json, print_text
from tracereplay.errors import UsageError


def check(
    source: str | None = None,
    /,
    *,
    listed: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Json = False,
) -> int:
    """Read a trace whole and say what is to be known before its numbers are believed.

    Findings are ok, note (worth knowing), warning (may mislead) or error (not a valid trace: exit code 1).

    Parameters
    ----------
    source
        A trace: Parquet file, directory of part files, s3:// or gs:// URI.
    listed
        Show the checks: what each looks for, and what to do about it.
    """
    from dataclasses import asdict

    from tracereplay.trace.check import CHECKS, advise, check_trace, describe

    if listed:
        print_catalog(
            [{"check": name, "finds": describe(name), "what to do": advise(name)} for name in CHECKS], json
        )
        return 0
    if source is None:
        raise UsageError("check: expected a trace, as in: check t.parquet")
    findings = check_trace(source)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        from tracereplay.report.table import plain_table

        table = plain_table()
        for title in ("check", "level", "finding"):
            table.add_column(title)
        for finding in findings:
            first = "" if finding.row is None else f"; first in row {finding.row:,}"
            text = finding.text + first * (finding.level != "error")
            table.add_row(finding.name, finding.level, f"{text}\n{finding.advice}".rstrip())
        print_text(table)
    return int(any(finding.level == "error" for finding in findings))
