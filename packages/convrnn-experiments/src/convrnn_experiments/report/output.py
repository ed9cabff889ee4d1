"""Writes a page with its linked files, and removes the files that only an earlier version linked to."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from convrnn_data.base import advice
from convrnn_data.base.atomic import write_file
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import read_json, write_json

LIST = "files.json"
"""List in the folder of the pages: page -> file -> SHA-256 digests; two digests while a file is being replaced."""

_Page = Annotated[str, Field(pattern=r"^[^/\x00]+$")]
_Name = Annotated[str, Field(pattern=r"^([a-z]+/[^/\x00]+\.(csv|png|pdf)|summary\.json)$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Listed = dict[_Page, dict[_Name, list[_Digest]]]
"""Content of the list. Names must be within the folder, because listed files may be removed."""


def write_page(page: Path, text: bytes, files: Mapping[str, bytes]) -> None:
    """Write the linked files, then the page, then remove linked files of earlier versions that are no longer linked.

    Keeps files that were modified after they were written, and files that another page in the folder links to.

    Args:
        page: HTML file.
        text: Content of the page.
        files: Content by path relative to the page's folder, such as `tables/accuracy.csv`.

    Raises:
        ConvRNNError: The folder cannot be written to.
    """
    folder = page.parent
    listed = _known(folder)
    before, now = listed.get(page.name, {}), {name: [_sha256(data)] for name, data in files.items()}
    both = {name: sorted({*before.get(name, ()), *now.get(name, ())}) for name in (*before, *now)}
    try:
        # List the files before writing them, so that the next run knows what a killed run wrote.
        write_json(folder / LIST, listed | {page.name: both})
        # Write the page last: a new page then implies new linked files.
        for name, data in (*files.items(), (page.name, text)):
            write_file(folder / name, data, make_folder=True)
        others = {name for other, names in listed.items() if other != page.name for name in names}
        for name in before.keys() - now.keys() - others:
            _remove(folder / name, before[name])
        write_json(folder / LIST, listed | {page.name: now})
    except OSError as error:
        raise ConvRNNError(
            f"cannot remove files of an earlier page from {folder}: "
            f"{advice.describe(error, folder, writing=True)}"
        ) from error


def read_list(folder: Path) -> Listed:
    """Read the list of files of a folder's pages.

    Raises:
        ConvRNNError: The list does not exist, or is not in the form that `write_page` writes.
    """
    return read_json(folder / LIST, Listed, "Write the page again with `convrnn report`")


def _known(folder: Path) -> Listed:
    """Read the list; return an empty one if it cannot be read, so that no file is removed."""
    try:
        return read_list(folder)
    except ConvRNNError:
        return {}


def _remove(path: Path, known: list[str]) -> None:
    # os.path.isfile returns False for names that are too long, where Path.is_file raises.
    try:
        changed = not os.path.isfile(path) or _sha256(path.read_bytes()) not in known
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    if not changed:
        path.unlink()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
