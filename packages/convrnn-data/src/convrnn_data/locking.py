"""One run at a time in a folder."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from convrnn_data import advice
from convrnn_data.errors import ConvRNNError
from convrnn_data.reading import require_posix

LOCK = ".lock"

_UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder while something is written into it.

    The system lets go of the lock when the process ends, however it ends, so a killed run blocks nothing.

    Args:
        folder: it exists.
        shared: let others that also ask for a shared lock in, as the tasks of one array do.

    Raises:
        ConvRNNError: another run holds the folder.
    """
    require_posix("convrnn-data")
    import fcntl  # Absent on Windows, where importing the package still works.

    path = folder / LOCK
    file = _acquire(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        # The last one out removes the file: whoever gets it exclusively is alone.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        os.close(file)


def _acquire(path: Path, kind: int) -> int:
    import fcntl

    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ConvRNNError(
                f"cannot write into {path.parent}: {advice.describe(error, path.parent, writing=True)}"
            ) from error
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise ConvRNNError(
                f"another run is writing into {path.parent}; wait for its end, or choose another folder"
            ) from None
        except OSError as error:
            # Some network disks have no locks. Files are renamed into place whole, so two runs there only waste time.
            if error.errno in _UNSUPPORTED:
                return file
            os.close(file)
            raise ConvRNNError(f"cannot lock {path}: {advice.describe(error, path)}") from error
        if _is_still(file, path):
            return file
        os.close(file)


def _is_still(file: int, path: Path) -> bool:
    """Whether `path` is the file that was locked, and not one made after another run removed it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
