"""Every notebook runs from top to bottom and shows what it did when it was last kept."""

from __future__ import annotations

import ast
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

import tracereplay as tr

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
if not NOTEBOOKS.is_dir():
    pytest.skip("the tests run without the project's folder", allow_module_level=True)
FOUND = sorted(NOTEBOOKS.glob("*.ipynb"))
assert FOUND

MOST_BYTES = 600_000
MOST_SECONDS = 120
"""Of processor time, kernels compiled for the first time included: a minute, twice for slow machines."""
NEEDED = {"matplotlib", "numpy", "pandas", "pyarrow", "tracereplay", *sys.stdlib_module_names}
"""What is there where tracereplay is installed."""
OPEN, MISSING, WRONG = "yours", "missing", "not yet"
"""What the course lab says where an answer is asked for, not there, and not right."""

# what other packages warn of while a kernel starts and stops
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook) -> list[list[str]]:
    """Per cell the words of its outputs; of a figure only that it is one."""
    return [
        [
            "<figure>" if "image/png" in o.data else " ".join(o.data["text/plain"].split())
            for o in cell.outputs
        ]
        for cell in code_of(notebook)
    ]


def headings(notebook) -> list[str]:
    written = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [line for line in written.splitlines() if line.startswith("#")]


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_is_kept_executed(path):
    """Every cell ran in order, without errors, warnings or prints; there is a figure; the file is small."""
    notebook = read(path)
    nbformat.validate(notebook)
    code = code_of(notebook)
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {output.output_type for c in code for output in c.outputs} <= {"execute_result", "display_data"}
    assert sum(output == "<figure>" for cell in texts(notebook) for output in cell) >= 1
    assert path.stat().st_size <= MOST_BYTES


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_uses_the_public_api_alone(path):
    """Of tracereplay only the top name is imported, as tr, and only its public names are used."""
    nodes = [node for cell in code_of(read(path)) for node in ast.walk(ast.parse(cell.source))]
    names = [(a.name, a.asname) for node in nodes if isinstance(node, ast.Import) for a in node.names]
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert [pair for pair in names if pair[0].startswith("tracereplay")] == [("tracereplay", "tr")]
    assert not [name for name in modules if name.startswith("tracereplay")]
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tr"
    }
    assert used <= {*tr.__all__}


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_needs_no_other_packages(path):
    """What cells import unconditionally comes with tracereplay; all else may be missing where they run."""
    statements = [node for cell in code_of(read(path)) for node in ast.parse(cell.source).body]
    names = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in statements if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} <= NEEDED


def test_the_index_names_all_notebooks():
    """The table of notebooks/README.md names each once."""
    rows = [line for line in (NOTEBOOKS / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`([\w-]+)`", "".join(rows))) == sorted(path.stem for path in FOUND)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_shows_nothing_of_the_machine_that_ran_it(path):
    """No output names a folder of that machine or an address in memory."""
    shown = " ".join(text for cell in texts(read(path)) for text in cell)
    traces = (str(NOTEBOOKS.parent.resolve()), tempfile.gettempdir(), " at 0x")
    assert not [text for text in traces if text in shown]


def test_the_course_lab_asks_what_its_solution_answers():
    """Same headings and given code; all answers are missing in the lab, all are right in the solution."""
    lab, solution = (read(NOTEBOOKS / f"{name}.ipynb") for name in ("course-lab", "course-lab-solution"))
    assert headings(lab) == headings(solution)
    given = [cell.source for cell in code_of(lab) if OPEN not in cell.source]
    answered = iter(cell.source for cell in code_of(solution))
    assert [source for source in given if source not in answered] == []  # all there, in the same order
    verdicts = [text for cell in texts(lab) for text in cell if MISSING in text]
    assert len(verdicts) == 7
    said = " ".join(text for cell in texts(solution) for text in cell)
    assert not [text for text in (MISSING, WRONG, "False") if text in said]
    assert "right in 36 of 36 machines" in said


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_the_same(path):
    """Numbers and tables are those that are kept: the same run gives the same result anywhere, and soon."""
    notebook = read(path)
    kept = texts(notebook)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOKS)}}
    )
    before = os.times().children_user
    client.execute()
    assert texts(notebook) == kept
    assert os.times().children_user - before < MOST_SECONDS
