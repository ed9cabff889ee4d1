"""Files at any depth of a folder, by one rule: hidden names are left out, links are followed, errors are raised."""

from collections.abc import Iterator
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import names_in


def files_below(folder: Path, otherwise: str = "") -> Iterator[Path]:
    """List the files below a folder in the order of their names; a folder that several links lead to comes once.

    Args:
        folder: where to begin.
        otherwise: the way out of an error whose cause does not decide it.

    Yields:
        Paths of files, and of links that lead nowhere.

    Raises:
        ConvRNNError: a folder cannot be listed.
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
        except OSError as error:  # a folder may be listed without letting anybody look at what it lists
            raise ConvRNNError(f"cannot list {folder}: {advice.describe(error, path, otherwise)}") from error
        if is_folder:
            folders.append(path)
        else:
            yield path
    for path in folders:
        yield from _below(path, otherwise, listed)


def is_dead_link(path: Path) -> bool:
    """Tell whether a path is a link that leads nowhere."""
    return path.is_symlink() and not path.exists()
