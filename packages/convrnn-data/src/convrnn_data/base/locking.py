"""Lock files: one run at a time may write into a folder."""

import contextlib
import errno
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import require_posix

LOCK = ".lock"

_UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
_HELD = (errno.EAGAIN, errno.EACCES)
"""Error numbers of a lock held by another process; some file systems without locks report them too."""
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a folder.

    The system releases the lock when the process ends, so a killed run blocks nothing. On a file system without locks,
    a warning is logged instead. Concurrent runs are still safe there, since files are renamed into place: at worst, one
    run fails because another removed its temporary file.

    Args:
        folder: An existing folder.
        shared: Whether to share the lock, such as among the tasks of a job array.

    Raises:
        ConvRNNError: Another run holds the folder.
    """
    require_posix("convrnn-data")
    import fcntl  # Absent on Windows, where importing the package still works.

    path = folder / LOCK
    file = _acquire(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        # The last holder removes the file: an exclusive lock succeeds only without other holders.
        with contextlib.suppress(OSError):
            if file is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        if file is not None:
            os.close(file)


def _acquire(path: Path, kind: int) -> int | None:
    """Return a descriptor that holds the lock; None if the file system has no locks."""
    import fcntl

    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise ConvRNNError(
                f"cannot write into {path.parent}: "
                f"{advice.describe(error, path.parent, 'Choose another folder', writing=True)}"
            ) from error
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in _HELD and _locks_work(path.parent):
                raise ConvRNNError(
                    f"another run is writing into {path.parent}: only one run may write into a folder. Wait until it "
                    "is done, or choose another folder"
                ) from None
            if error.errno not in (*_UNSUPPORTED, *_HELD):
                otherwise = "Choose a folder on another disk"
                raise ConvRNNError(
                    f"cannot lock {path}: {advice.describe(error, path, otherwise)}"
                ) from error
            _LOG.warning(
                "%s is on a disk without file locks (%s): concurrent runs are not prevented from writing there. "
                "Start one at a time",
                path.parent,
                error.strerror,
            )
            return None
        if _is_current(file, path):
            return file
        os.close(file)


def _locks_work(folder: Path) -> bool:
    """Return whether a new file can be locked, which a file system without locks does not allow."""
    import fcntl

    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (*_UNSUPPORTED, *_HELD)
    return True


def _is_current(file: int, path: Path) -> bool:
    """Return whether `path` is still the locked file, not a new one created after another run removed it."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
