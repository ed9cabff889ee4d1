"""The notebook of the pages: whole as it is committed, and running through to outputs of the same form."""

import ast
import importlib.util
import re
from importlib import import_module

import nbformat
import pytest
from pages import REPOSITORY

PATH = REPOSITORY / "docs/from-weights-to-sat.ipynb"
TRAINED = (
    "trained"  # the tag of cells whose figures come from training, which differ in the last digits by machine
)


def read() -> nbformat.NotebookNode:
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell shows, as text; of pictures, that there are some."""
    shown = []
    for output in cell.outputs:
        if output.output_type == "stream":
            # Where one ends and the next begins is a matter of timing.
            said = f"{output.name}: "
            if shown and shown[-1].startswith(said):
                shown[-1] += output.text
            else:
                shown.append(said + output.text)
            continue
        assert output.output_type in ("display_data", "execute_result"), output
        picture = "image/png" in output.data
        shown.append("picture" if picture else output.data["text/plain"])
    return shown


def without_figures(text: str) -> str:
    # NumPy pads a list by its longest figure.
    return " ".join(re.sub(r"-?\d+(\.\d*)?", "#", text).split()).replace(" ]", "]")


def test_it_is_committed_as_it_ran():
    cells = code_cells(read())
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    shown = [text for cell in cells for text in outputs_of(cell)]
    assert shown.count("picture") == 1
    assert not [text for text in shown if text.startswith("stderr") or "/tmp/" in text]
    assert PATH.stat().st_size < 150_000
    assert "SIMULATED" in "".join(cell.source for cell in cells)


def test_what_it_imports_exists():
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
def test_it_runs_through_and_shows_the_same(tmp_path):
    spec = importlib.util.spec_from_file_location("run_notebook", REPOSITORY / "docs/run_notebook.py")
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    kept, again = read(), runner.run(PATH, tmp_path)
    for before, after in zip(code_cells(kept), code_cells(again), strict=True):
        was, came = outputs_of(before), outputs_of(after)
        if TRAINED in before.metadata.get("tags", []):
            was, came = ([without_figures(text) for text in shown] for shown in (was, came))
        assert came == was, before.source
    assert not list(tmp_path.iterdir())
