"""List of a report's files, which decides which files a later report removes."""

import json
from pathlib import Path

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import output
from fuzz.harness import REFUSALS, Target, demand, put
from fuzz.strategies import json_files

PAGE, NEW = "index.html", "tables/new.csv"
EXISTING = {
    "report/tables/old.csv": b"old",
    "report/tables/changed.csv": b"changed by hand",
    "report/figures/shared.png": b"shared",
    "report/figures/own.pdf": b"somebody's own",
    "report/other.html": b"another page",
    "beside.csv": b"old",
}
SUMS = {name: output._sha256(data) for name, data in EXISTING.items()}
LISTED = {
    PAGE: {
        "tables/old.csv": ["0" * 64, SUMS["report/tables/old.csv"]],
        "tables/changed.csv": ["1" * 64],
        "figures/shared.png": [SUMS["report/figures/shared.png"]],
        "figures/gone.png": ["2" * 64],
        NEW: ["3" * 64],
    },
    "other.html": {"figures/shared.png": [SUMS["report/figures/shared.png"]]},
}
LISTS = [
    LISTED,
    {PAGE: LISTED[PAGE]},
    {PAGE: {"tables/old.csv": LISTED[PAGE]["tables/old.csv"]}},
    {"other.html": LISTED["other.html"]},
]


def _files(data: bytes, folder: Path) -> None:
    """Write a page into a folder with the list; a refused list counts as empty."""
    for name, content in EXISTING.items():
        put(folder / name, content)
    report = put(folder / "report" / output.LIST, data).parent
    listed, refused = _listed(report)
    demand(refused is not None or listed == json.loads(data), "names differ from the file's")
    output.write_page(report / PAGE, b"page", {NEW: b"new"})
    gone = {name for name in EXISTING if not (folder / name).exists()}
    demand(gone == _no_longer_needed(listed), f"{gone} removed")
    demand((report / NEW).read_bytes() + (report / PAGE).read_bytes() == b"newpage", "another page")
    others = {name: files for name, files in listed.items() if name != PAGE}
    demand(output.read_list(report) == {**others, PAGE: {NEW: [output._sha256(b"new")]}}, "another list")
    if refused:
        raise refused


def _listed(report: Path) -> tuple[output.Listed, ConvRNNError | None]:
    try:
        return output.read_list(report), None
    except REFUSALS as error:
        return {}, error


def _no_longer_needed(listed: output.Listed) -> set[str]:
    """Return the unchanged files that belong only to this page and are not part of the new page."""
    shared = {f"report/{name}" for page, files in listed.items() if page != PAGE for name in files}
    own = {f"report/{name}": sums for name, sums in listed.get(PAGE, {}).items()}
    return {name for name, sums in own.items() if SUMS.get(name) in sums and name not in shared}


TARGETS = {"files": Target(_files, *json_files(LISTS))}
