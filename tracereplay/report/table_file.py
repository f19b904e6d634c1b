"""Tables as files: Parquet or CSV, by the ending of the name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tracereplay import files
from tracereplay.errors import UsageError
from tracereplay.problems import shown

ENDINGS = (".parquet", ".csv")


def check_target(path: Path, *, force: bool) -> None:
    """UsageError when the ending of ``path`` is not among ENDINGS, OutputError when it cannot be written."""
    if path.suffix not in ENDINGS:
        raise UsageError(f"found {shown(path)}; expected a file that ends in one of {', '.join(ENDINGS)}")
    files.check_target(path, force=force)


def save(table: pd.DataFrame, path: Path) -> None:
    """Write a table without its index; in Parquet pandas finds its ``attrs`` again."""
    with files.appearing(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
