"""What several of the tests of reports look at."""

from __future__ import annotations

import pandas as pd
import pytest
from made import pictures
from matplotlib.figure import Figure


@pytest.fixture(scope="session")
def busy(tmp_path_factory) -> dict[str, tuple[pd.DataFrame, Figure]]:
    """Every figure of a run in which everything happens: its table and picture."""
    return pictures(tmp_path_factory.mktemp("traces"))
