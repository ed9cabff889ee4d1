"""Opening of HDF5 files on disks with and without locks, with system errors distinguished from corruption."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

import h5py

from convrnn_model.errors import ConvRNNError
from convrnn_model.io_errors import error_number, io_error
from convrnn_model.weights.causes import HDF5_SIGNATURE, describe_foreign

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""Error numbers that report a disk without locks."""
BUSY = (errno.EAGAIN, errno.EACCES)
"""Error numbers that report a lock of another process, or on some disks the lack of locks."""
WEIGHTS = "a weights file"
COPY_AGAIN = "Copy, download or create it again"
# TypeError: HDF5 types without a NumPy equivalent.
READ_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError)


def open_hdf5(path: Path, *, expected: str = WEIGHTS, remedy: str = COPY_AGAIN) -> h5py.File:
    """Open an HDF5 file for reading, without a lock on disks that do not support locks.

    Files of this project are written atomically, so a lock only guards against other programs.

    Args:
        path: The file.
        expected: Kind of file that messages say is expected.
        remedy: Remedy for a damaged file, a sentence without final period.

    Raises:
        ConvRNNError: The file does not exist, is not HDF5, cannot be read, is being written, or is damaged.
    """
    require_hdf5(path, expected)
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


def require_hdf5(path: Path, expected: str = WEIGHTS) -> None:
    """Raise ConvRNNError unless a path is a file with the HDF5 signature."""
    if "\0" in str(path):
        raise ConvRNNError(f"cannot read {str(path)!r}: a path must have no null characters. Check the path.")
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        if not is_folder and not is_file and not os.path.lexists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        os.stat(path)
    except FileNotFoundError as error:
        dangling = f"{path} is a symbolic link to a file that does not exist" if path.is_symlink() else None
        fetch = "; `convrnn-model fetch` gets published weights" if expected == WEIGHTS else ""
        raise ConvRNNError(f"{dangling or f'{path} does not exist'}. Check the path{fetch}.") from error
    except OSError as error:
        raise io_error(f"cannot read {path}", error) from error
    if not is_file:
        kind = "is a folder" if is_folder else "is not a regular file"
        raise ConvRNNError(f"{path} {kind}: {expected} is one HDF5 file. Give the path of the file.")
    try:
        with path.open("rb") as file:
            start = file.read(len(HDF5_SIGNATURE))
        if start != HDF5_SIGNATURE:
            kind, remedy = describe_foreign(path)
            raise ConvRNNError(f"{path} is {kind}: {expected} is HDF5. {remedy}.")
    except OSError as error:
        raise io_error(f"cannot read {path}", error) from error


def unreadable(
    path: Path, error: BaseException, where: str = "", *, remedy: str = COPY_AGAIN, unlocked: bool = False
) -> ConvRNNError:
    """Return the error for an HDF5 file that cannot be opened or read: a system error or corruption.

    Args:
        path: The file.
        error: The error raised by h5py.
        where: Location in the file, such as " in kernel".
        remedy: As for `open_hdf5`.
        unlocked: The file was opened without a lock, so it may be incomplete.
    """
    text = str(error).strip()
    if error_number(error):
        return io_error(f"cannot read {path}{where}", error)
    if isinstance(error, MemoryError):
        return io_error(f"cannot read {path}{where}", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
    or_open = ", or another process is writing it (the disk does not support locks)" if unlocked else ""
    return ConvRNNError(f"{path} is damaged or truncated{where}{or_open}: HDF5 reports {text!r}. {remedy}.")


def _busy(path: Path) -> ConvRNNError:
    return ConvRNNError(
        f"cannot read {path}: another process is writing it. Wait until it has finished, or end that process."
    )


def _is_about_locks(error: BaseException) -> bool:
    return "unable to lock file" in str(error) and error_number(error) in (*NO_LOCKS, *BUSY)


def _locks_work(folder: Path) -> bool:
    """Return whether the disk supports locks, tested on a new temporary file."""
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
    """Return whether the disk supports locks, tested on the folder itself if no file can be written."""
    import fcntl

    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (*NO_LOCKS, *BUSY)
        finally:
            os.close(descriptor)
    return True
