"""Execute the notebook of the documentation in place: `make notebook`."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("from-weights-to-sat.ipynb")


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Execute a notebook in a folder and return it; an error in a cell is raised.

    stderr is dropped, because TensorFlow's notices differ between machines.
    """
    notebook = nbformat.read(path, as_version=4)
    settings = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=1800, record_timing=False, coalesce_streams=True, resources=settings
    ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    # The default contains the Python version, which differs between machines.
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    executed = run(NOTEBOOK, NOTEBOOK.parent)
    partial = NOTEBOOK.with_suffix(".partial")
    nbformat.write(executed, partial)
    partial.replace(NOTEBOOK)
