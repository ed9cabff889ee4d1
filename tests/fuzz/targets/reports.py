"""The list of the files beside a report's page, which decides what a later report removes."""

import json
from pathlib import Path

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.report import output
from fuzz.targets.making import REFUSALS, demand, of_json, put

PAGE, NEW = "index.html", "tables/new.csv"
THERE = {
    "report/tables/old.csv": b"old",
    "report/tables/changed.csv": b"changed by hand",
    "report/figures/shared.png": b"shared",
    "report/figures/own.pdf": b"somebody's own",
    "report/other.html": b"another page",
    "beside.csv": b"old",
}
SUMS = {name: output._sha256(data) for name, data in THERE.items()}
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
    """A page is written beside what such a list names; it is refused where it counts as none."""
    for name, content in THERE.items():
        put(folder / name, content)
    report = put(folder / "report" / output.LIST, data).parent
    listed, refused = _listed(report)
    demand(refused is not None or listed == json.loads(data), "other names than the file's")
    output.write_page(report / PAGE, b"page", {NEW: b"new"})
    gone = {name for name in THERE if not (folder / name).exists()}
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
    """Files of the page alone, unchanged since they were written; the new page does not have them."""
    shared = {f"report/{name}" for page, files in listed.items() if page != PAGE for name in files}
    own = {f"report/{name}": sums for name, sums in listed.get(PAGE, {}).items()}
    return {name for name, sums in own.items() if SUMS.get(name) in sums and name not in shared}


TARGETS = (of_json("files", LISTS, _files),)
