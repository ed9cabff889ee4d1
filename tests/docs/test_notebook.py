"""Notebook of the documentation: committed with outputs, importable, and reproducible."""

import ast
import importlib.util
import re
from importlib import import_module

import nbformat
import pytest
from pages import REPOSITORY

PATH = REPOSITORY / "docs/from-weights-to-sat.ipynb"
TRAINED = "trained"
"""Tag of cells with numbers from training, whose last digits differ between machines."""


def read() -> nbformat.NotebookNode:
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(cell: nbformat.NotebookNode) -> list[str]:
    """Return the outputs of a cell as text, with "image" for each image."""
    shown = []
    for output in cell.outputs:
        if output.output_type == "stream":
            # Consecutive outputs of a stream are joined, since timing decides where they are split.
            prefix = f"{output.name}: "
            if shown and shown[-1].startswith(prefix):
                shown[-1] += output.text
            else:
                shown.append(prefix + output.text)
            continue
        assert output.output_type in ("display_data", "execute_result"), output
        shown.append("image" if "image/png" in output.data else output.data["text/plain"])
    return shown


def without_numbers(text: str) -> str:
    # NumPy pads lists to the longest number.
    return " ".join(re.sub(r"-?\d+(\.\d*)?", "#", text).split()).replace(" ]", "]")


def test_it_is_committed_with_the_outputs_of_one_run():
    cells = code_cells(read())
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    shown = [text for cell in cells for text in outputs_of(cell)]
    assert shown.count("image") == 1
    assert not [text for text in shown if text.startswith("stderr") or "/tmp/" in text]
    assert PATH.stat().st_size < 150_000
    assert "SIMULATED" in "".join(cell.source for cell in cells)


def test_its_imports_exist():
    names = [
        (node.module, name.name)
        for cell in code_cells(read())
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("convrnn")
        for name in node.names
    ]
    assert ("convrnn_model", "load_weights") in names
    for module, name in names:
        assert hasattr(import_module(module), name), f"{module} has no {name}"


@pytest.mark.slow
def test_running_it_again_gives_the_same_outputs(tmp_path):
    spec = importlib.util.spec_from_file_location("run_notebook", REPOSITORY / "docs/run_notebook.py")
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    committed, executed = read(), runner.run(PATH, tmp_path)
    for before, after in zip(code_cells(committed), code_cells(executed), strict=True):
        expected, found = outputs_of(before), outputs_of(after)
        if TRAINED in before.metadata.get("tags", []):
            expected, found = ([without_numbers(text) for text in shown] for shown in (expected, found))
        assert found == expected, before.source
    assert not list(tmp_path.iterdir())
