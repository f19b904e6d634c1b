"""Every notebook runs from top to bottom and shows what it did when it was last kept."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
if not NOTEBOOKS.is_dir():
    pytest.skip("the tests run without the project's folder", allow_module_level=True)
FOUND = sorted(NOTEBOOKS.glob("*.ipynb"))
assert FOUND

# what other packages warn of while a kernel starts and stops
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def read(path: Path):
    return nbformat.read(path, as_version=4)


def texts(notebook) -> list[list[str]]:
    """Per cell the words of its outputs; of a figure only that it is one."""
    return [
        [
            "<figure>" if "image/png" in o.data else " ".join(o.data["text/plain"].split())
            for o in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_is_kept_executed_and_uses_the_public_api(path):
    """Outputs are there and hold no error; of tracereplay only the top name is imported."""
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type in ("execute_result", "display_data") for c in code for output in c.outputs)
    assert sum(output == "<figure>" for cell in texts(notebook) for output in cell) >= 1
    imported = [
        name
        for cell in code
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    ]
    assert [name for name in imported if name.startswith("tracereplay")] == ["tracereplay"]


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_the_same(path):
    """Numbers and tables are those that are kept: the same run gives the same result anywhere."""
    notebook = read(path)
    kept = texts(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    client.execute()
    assert texts(notebook) == kept
