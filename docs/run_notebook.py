"""Runs the notebook of the pages again, in place: `make notebook`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("from-weights-to-sat.ipynb")


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a folder; an error in a cell is raised.

    What TensorFlow says on stderr while it is imported differs by machine, and is left out.
    """
    notebook = nbformat.read(path, as_version=4)
    settings = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=1800, record_timing=False, coalesce_streams=True, resources=settings
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    # Of the machine that it ran on.
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    done = run(NOTEBOOK, NOTEBOOK.parent)
    beside = NOTEBOOK.with_suffix(".partial")
    nbformat.write(done, beside)
    beside.replace(NOTEBOOK)
