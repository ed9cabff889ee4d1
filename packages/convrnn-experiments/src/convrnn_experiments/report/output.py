"""A page and the files beside it. A list is kept of them, so that a later page removes what it has no use for."""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from convrnn_data.base import advice
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.runs.folder import read_json, write_json, written

LIST = "files.json"
"""Beside the pages: page -> file -> the sha256 of what was written there; several while that is being replaced."""

Listed = dict[str, dict[str, list[str]]]

_FORM = {
    re.compile(r"[^/\0]+"): {re.compile(r"[a-z]+/[^/\0]+\.(?:csv|png|pdf)"): [re.compile(r"[0-9a-f]{64}")]}
}
"""Names that stay within the folder: a list decides what is removed."""


def write_page(page: Path, text: bytes, files: Mapping[str, bytes]) -> None:
    """Write a page after the files beside it, then remove those of its earlier versions that it no longer has.

    A file that was changed since it was written, or that another page of the folder has too, stays.

    Args:
        page: the HTML file.
        text: what it holds.
        files: by their names from the page's folder, such as `tables/accuracy.csv`.

    Raises:
        ConvRNNError: the folder cannot be written to.
    """
    folder = page.parent
    listed = _known(folder)
    before, now = listed.get(page.name, {}), {name: [_sha256(data)] for name, data in files.items()}
    both = {name: sorted({*before.get(name, ()), *now.get(name, ())}) for name in (*before, *now)}
    try:
        # Said before it is done: what a killed run has written is known to the next one.
        write_json(folder / LIST, listed | {page.name: both})
        # The page comes last: where it is new, everything beside it is.
        for name, data in (*files.items(), (page.name, text)):
            with written(folder / name) as beside:
                beside.write_bytes(data)
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
    """The list of the files beside a folder's pages.

    Raises:
        ConvRNNError: there is none, or it is not as `write_page` writes it.
    """
    found: Listed = read_json(folder / LIST, _FORM, "Write the page again with `convrnn report`")
    return found


def _known(folder: Path) -> Listed:
    """The list; empty where none can be read, since then nothing in the folder is known to be a page's."""
    try:
        return read_list(folder)
    except ConvRNNError:
        return {}


def _remove(path: Path, known: list[str]) -> None:
    # Of os, which answers no for a name that is too long to be a file's.
    try:
        changed = not os.path.isfile(path) or _sha256(path.read_bytes()) not in known
    except OSError as error:
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path)}") from error
    if not changed:
        path.unlink()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
