"""Complete reads from file systems where `read` may return fewer bytes (network, FUSE), and folder listings."""

import os
import sys

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError

MOST_OPEN = 256
"""Maximum number of files that one reader keeps open."""


def pread_fully(fd: int, size: int, offset: int) -> bytes:
    """Read `size` bytes at `offset`; fewer only at the end of the file."""
    data = os.pread(fd, size, offset)
    if len(data) == size or not data:
        return data
    pieces = [data]
    got = len(data)
    while got < size and (piece := os.pread(fd, size - got, offset + got)):
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)


def read_fully(fd: int, size: int) -> bytes:
    """Read `size` bytes from the current position; fewer only at the end of the file."""
    data = os.read(fd, size)
    if len(data) == size or not data:
        return data
    pieces = [data]
    got = len(data)
    while got < size and (piece := os.read(fd, size - got)):
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)


def most_open() -> int:
    """Return how many files one reader may keep open: a quarter of the system's limit, at most `MOST_OPEN`."""
    import resource  # Absent on Windows, where importing the package still works.

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_OPEN if soft == resource.RLIM_INFINITY else max(4, min(MOST_OPEN, soft // 4))


def is_hidden(name: str) -> bool:
    """Return whether a path has a hidden part, such as `.DS_Store`, `._n02690373_1.JPEG` or `__MACOSX/…`.

    Operating systems and programs leave such files among images. The rule is the same for folders and archives, of
    ImageNet and of the human stimuli.
    """
    parts = name.split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part in _SYSTEM_NAMES for part in parts)


_SYSTEM_NAMES = frozenset({"__MACOSX", "@eaDir", "#recycle", "Thumbs.db", "desktop.ini", "Desktop.ini"})
"""Names that macOS, Synology and Windows leave in folders."""


def names_in(folder: str | os.PathLike[str], otherwise: str = "") -> list[str]:
    """List the names in a folder, sorted and without hidden ones.

    Args:
        folder: The folder.
        otherwise: Advice if the error itself suggests none.

    Raises:
        ConvRNNError: The folder cannot be listed.
    """
    try:
        return sorted(name for name in os.listdir(folder) if not is_hidden(name))
    except OSError as error:
        raise ConvRNNError(f"cannot list {folder}: {advice.describe(error, folder, otherwise)}") from error


def require_posix(package: str) -> None:
    """Refuse a system without POSIX file locks, such as Windows.

    Raises:
        ConvRNNError: With the way out.
    """
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise ConvRNNError(
            f"{package} needs a POSIX system (Linux or macOS), got {sys.platform}. On Windows, run it in WSL 2"
        ) from None


def require_current_folder() -> None:
    """Refuse a current folder that was removed, since relative paths cannot be resolved.

    Raises:
        ConvRNNError: With the way out.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise ConvRNNError(
            f"the current folder cannot be used: {error.strerror}. It was probably removed or unmounted: change to an "
            "existing folder (`cd`) and run the command again"
        ) from error
