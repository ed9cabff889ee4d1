"""Error messages for failed reads and writes, by the system's error number."""

import errno
import os
import re

from convrnn_model.errors import ConvRNNError

REMEDIES = {
    errno.EMFILE: "Raise this process' limit on open files (`ulimit -n 4096`)",
    errno.ENFILE: "The machine has run out of open files: end other programs, or raise fs.file-max",
    errno.EFBIG: "The file would exceed the largest size allowed here: raise `ulimit -f`, or choose another disk",
    errno.EIO: "The disk failed to read or write: check it, and use a copy on another disk",
    errno.ESTALE: "The network disk has lost the file: mount the disk again, or wait, and retry",
    errno.ETIMEDOUT: "The network disk does not respond: check the mount, and retry",
    errno.ENOSPC: "The disk is full: free space, or choose another disk",
    errno.EDQUOT: "The disk quota is used up: delete files, or choose another disk",
    errno.EROFS: "The disk is mounted read-only: choose a folder on another disk",
    errno.EACCES: "Change the permissions of the file and its folder, or choose another location",
    errno.EPERM: "Change the permissions of the file and its folder, or choose another location",
    errno.ENOENT: "Check the path",
    errno.ENOTDIR: "A part of the path is a file: check the path",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.ELOOP: "A symbolic link leads back to itself: check the path",
    errno.ENOMEM: "Free memory, or use a machine with more",
}
"""Remedies for failed reads and writes, by error number."""

_ERROR_NUMBER = re.compile(r"errno = ([0-9]+)")


def error_number(error: BaseException) -> int | None:
    """Return the system's error number of a failed read or write; libhdf5 may only give it in its message."""
    number = getattr(error, "errno", None)
    if number:
        return int(number)
    match = _ERROR_NUMBER.search(str(error))
    return int(match[1]) or None if match else None


def io_error(operation: str, error: BaseException) -> ConvRNNError:
    """Return a ConvRNNError for a failed read or write, with the reason and the remedy.

    Args:
        operation: The failed operation, such as "cannot read w.h5".
        error: The system's error, or HDF5's error that wraps it.
    """
    number = error_number(error)
    reason = os.strerror(number) if number else getattr(error, "strerror", None) or str(error).strip()
    remedy = REMEDIES.get(number or 0)
    return ConvRNNError(f"{operation}: {reason}. {remedy}." if remedy else f"{operation}: {reason}.")
