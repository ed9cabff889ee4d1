"""Atomic writes: files and folders are written under temporary names and renamed once they are complete."""

import contextlib
import glob
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError

TEMPORARY = ".tmp"
"""Suffix of every temporary name."""

_DAY = 86_400
"""Seconds."""


@contextlib.contextmanager
def atomic_file(
    path: Path, *, make_folder: bool = False, sync: bool = True, keep_name: bool = False
) -> Iterator[Path]:
    """Provide a temporary path to write to, which becomes `path` when the block succeeds.

    If the block fails, the temporary file is removed.

    Args:
        path: The file; an existing one is replaced.
        make_folder: Whether to create missing parent folders.
        sync: Whether to flush the data to the disk before the rename. Otherwise a power failure can leave a partial
            file.
        keep_name: Whether the temporary file has the name of `path`, in a temporary folder. For libraries that derive
            the format from the name.

    Raises:
        ConvRNNError: The file cannot be written.
    """
    folder = temporary_name(path)
    temporary = folder / path.name if keep_name else folder
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead_temporaries_of(path)
        if keep_name:
            folder.mkdir()
        yield temporary
        if sync:
            _sync(temporary)
        os.replace(temporary, path)
        if sync:
            with contextlib.suppress(OSError):  # Some file systems cannot sync folders.
                _sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        # Reading other files raises ConvRNNError, so an OSError concerns this file.
        if isinstance(error, OSError):
            reason = advice.describe(error, path.parent, "Make the folder writable", writing=True)
            raise ConvRNNError(f"cannot write {path}: {reason}. Then run the same command again") from error
        raise
    finally:
        if keep_name:
            shutil.rmtree(folder, ignore_errors=True)


def write_file(path: Path, data: bytes, *, make_folder: bool = False, sync: bool = True) -> None:
    """Write `data` to a file; see `atomic_file`."""
    with atomic_file(path, make_folder=make_folder, sync=sync) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def atomic_folder(out: Path) -> Iterator[Path]:
    """Provide a temporary folder, which becomes `out` when the block succeeds, and is removed if the block fails.

    Raises:
        ConvRNNError: `out` exists already and is not an empty folder, or cannot be written.
    """
    require_new(out)
    missing = [parent for parent in out.absolute().parents if not parent.exists()]
    folder = temporary_name(out.absolute())
    remove_dead_temporaries_of(out.absolute())
    try:
        folder.mkdir(parents=True)
        yield folder
        if out.is_dir():
            out.rmdir()
        folder.rename(out)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        if isinstance(error, OSError):
            reason = advice.describe(error, out.parent, "Choose another folder", writing=True)
            raise ConvRNNError(f"cannot write {out}: {reason}") from error
        raise


def require_new(out: Path) -> None:
    """Refuse an output folder that exists and is not empty.

    Raises:
        ConvRNNError: With the way out.
    """
    if out.exists() and not out.is_dir():
        raise ConvRNNError(
            f"cannot make {out}: it must be a new or empty folder, got a file. Choose another name"
        )
    if out.is_dir() and any(out.iterdir()):
        raise ConvRNNError(
            f"cannot make {out}: it must be a new or empty folder, got a folder with files. Choose another name"
        )


def temporary_name(path: Path) -> Path:
    """Return a hidden path next to `path` that no other process uses: it contains the host name and the process id."""
    return path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}{TEMPORARY}")


def remove_dead_temporaries(folder: Path) -> None:
    """Remove the temporary files and folders of dead processes anywhere below a folder.

    A process of this machine is dead if its id is not in use. Temporary files of other machines are removed after a
    day.
    """
    _remove_dead(folder.rglob(f".*{TEMPORARY}"))


def remove_dead_temporaries_of(path: Path) -> None:
    """Remove the temporary files and folders that dead processes created for `path`."""
    _remove_dead(path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"))


def _remove_dead(paths: Iterable[Path]) -> None:
    for path in paths:
        host, _, process = path.name.removesuffix(TEMPORARY).rpartition(".")
        with contextlib.suppress(OSError):
            local = host.endswith(f".{os.uname().nodename}")
            if not _is_alive(process) if local else time.time() - path.stat().st_mtime > _DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # The process belongs to another user.
        return True
    return True


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
