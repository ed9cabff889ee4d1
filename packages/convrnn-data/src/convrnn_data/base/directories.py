"""Recursive file listings that skip hidden names, follow links and raise errors."""

from collections.abc import Iterator
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import names_in


def files_below(folder: Path, otherwise: str = "") -> Iterator[Path]:
    """List the files below a folder, sorted by name; a folder that several links lead to is listed once.

    Args:
        folder: The root.
        otherwise: Advice if the error itself suggests none.

    Yields:
        Paths of files and of dead links.

    Raises:
        ConvRNNError: A folder cannot be listed.
    """
    yield from _below(folder, otherwise, set())


def _below(folder: Path, otherwise: str, listed: set[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in listed:
        return
    listed.add(real)
    folders = []
    for path in (folder / name for name in names_in(folder, otherwise)):
        try:
            is_folder = path.is_dir()
        except OSError as error:  # A folder may be readable without being searchable.
            raise ConvRNNError(f"cannot list {folder}: {advice.describe(error, path, otherwise)}") from error
        if is_folder:
            folders.append(path)
        else:
            yield path
    for path in folders:
        yield from _below(path, otherwise, listed)


def is_dead_link(path: Path) -> bool:
    """Return whether a path is a link to a file that does not exist."""
    return path.is_symlink() and not path.exists()
