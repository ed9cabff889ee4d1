"""HDF5 files opened for reading on any disk, with or without locks, and errors told from damage."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

import h5py

from convrnn_model.errors import ConvRNNError
from convrnn_model.weights.causes import HDF5_SIGNATURE, describe_foreign, error_number, failed

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""Error numbers by which a disk says that it has no locks."""
BUSY = (errno.EAGAIN, errno.EACCES)
"""Error numbers of a lock that another process holds, and of some disks that have no locks."""
WEIGHTS = "a weights file"
AGAIN = "Copy or download it again, or make it again"
# TypeError: kinds of data that NumPy has no name for.
READ_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def open_hdf5(path: Path, *, what: str = WEIGHTS, remedy: str = AGAIN) -> h5py.File:
    """Open an HDF5 file for reading; on a disk without locks, without one.

    Files written here appear whole, by a rename, so that a lock only guards against other programs.

    Args:
        path: The file.
        what: What the file should be, for messages.
        remedy: The way out where it is damaged, a sentence without its full stop.

    Raises:
        ConvRNNError: The file does not exist, is not HDF5, cannot be read, is being written, or is damaged.
    """
    require_hdf5(path, what)
    try:
        return h5py.File(path, "r")
    except READ_ERRORS as error:
        if not _is_about_locks(error):
            raise unreadable(path, error, remedy=remedy) from error
        if error_number(error) in BUSY and _locks_work(path.parent):
            raise _busy(path) from error
    try:
        return h5py.File(path, "r", locking=False)
    except READ_ERRORS as error:
        raise unreadable(path, error, remedy=remedy, unlocked=True) from error


def require_hdf5(path: Path, what: str = WEIGHTS) -> None:
    """Raise ConvRNNError where a path is not a file that begins as HDF5 does."""
    if "\0" in str(path):
        raise ConvRNNError(f"cannot read {str(path)!r}: a path must have no null characters. Check the path.")
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        if not is_folder and not is_file and not os.path.lexists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        os.stat(path)
    except FileNotFoundError as error:
        dead = f"{path} is a symbolic link to a file that does not exist" if path.is_symlink() else None
        fetch = "; `convrnn-model fetch` gets published weights" if what == WEIGHTS else ""
        raise ConvRNNError(f"{dead or f'{path} does not exist'}. Check the path{fetch}.") from error
    except OSError as error:
        raise failed(f"cannot read {path}", error) from error
    if not is_file:
        kind = "is a folder" if is_folder else "is not a regular file"
        raise ConvRNNError(f"{path} {kind}: {what} is one HDF5 file. Give the path of the file.")
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5_SIGNATURE))
        if start != HDF5_SIGNATURE:
            kind, way_out = describe_foreign(path)
            raise ConvRNNError(f"{path} is {kind}: {what} is HDF5. {way_out}.")
    except OSError as error:
        raise failed(f"cannot read {path}", error) from error


def unreadable(
    path: Path, error: BaseException, where: str = "", *, remedy: str = AGAIN, unlocked: bool = False
) -> ConvRNNError:
    """Return the error for an HDF5 file that failed to open or to be read: the system's, or damage.

    Args:
        path: The file.
        error: What h5py raised.
        where: The place in the file, such as " in kernel".
        remedy: As for `open_hdf5`.
        unlocked: Whether the file was opened without a lock, so that it may be half written.
    """
    text = str(error).strip()
    if error_number(error):
        return failed(f"cannot read {path}{where}", error)
    if isinstance(error, MemoryError):
        return failed(f"cannot read {path}{where}", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
    also = ", or another process is writing it (a disk without locks cannot tell)" if unlocked else ""
    return ConvRNNError(f"{path} is damaged or cut short{where}{also}: HDF5 says {text!r}. {remedy}.")


def _busy(path: Path) -> ConvRNNError:
    return ConvRNNError(
        f"cannot read {path}: another process is writing it. Wait until it is done, or end that process."
    )


def _is_about_locks(error: BaseException) -> bool:
    return "unable to lock file" in str(error) and error_number(error) in (*NO_LOCKS, *BUSY)


def _locks_work(folder: Path) -> bool:
    """Tell a lock that somebody holds from a disk where no lock can be had, by a file that nobody else has."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return True
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder) as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
    return _folder_locks_work(folder)


def _folder_locks_work(folder: Path) -> bool:
    """`_locks_work` where nothing can be written: the folder itself, which no program of ours locks."""
    import fcntl

    with contextlib.suppress(OSError):
        place = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(place, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (*NO_LOCKS, *BUSY)
        finally:
            os.close(place)
    return True
