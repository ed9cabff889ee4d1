"""Files and folders are written beside their final names and renamed, so that no reader sees half of one."""

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
DAY = 86_400
"""Seconds."""


def write_file(path: Path, data: bytes) -> None:
    """Write a whole file beside its name, then rename it."""
    temporary = temporary_name(path)
    with writing(path, temporary):
        temporary.write_bytes(data)
        os.replace(temporary, path)


def temporary_name(path: Path) -> Path:
    """A name beside `path`, no other process's and hidden, for the file or folder while it is being written."""
    return path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}{TEMPORARY}")


def remove_dead_temporaries(folder: Path) -> None:
    """Remove, anywhere below a folder, what killed processes began; others may be writing there meanwhile.

    Dead is what a process of this machine that is no more has begun, and what another machine left a day ago.
    """
    _remove_dead(folder.rglob(f".*{TEMPORARY}"))


def remove_dead_temporaries_of(path: Path) -> None:
    """The same for what was to become `path`, a file or a folder, in a folder that holds other things too."""
    _remove_dead(path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY}"))


def _remove_dead(paths: Iterable[Path]) -> None:
    for path in paths:
        host, _, process = path.name.removesuffix(TEMPORARY).rpartition(".")
        with contextlib.suppress(OSError):
            here = host.endswith(f".{os.uname().nodename}")
            if not _is_alive(process) if here else time.time() - path.stat().st_mtime > DAY:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # another user's
        return True
    return True


@contextlib.contextmanager
def writing(path: Path, temporary: Path) -> Iterator[None]:
    """Turn a failed write of `path` into one clear error, and remove what was begun at `temporary`."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        # Only errors of writing name no file or name ours; reading errors are ConvRNNErrors already.
        if isinstance(error, OSError):
            reason = advice.describe(error, path.parent, "Make the folder writable", writing=True)
            raise ConvRNNError(f"cannot write {path}: {reason}. Then run the same command again") from error
        raise


def require_new(out: Path) -> None:
    """Raises ConvRNNError where a folder that is to be made is there already, and not empty."""
    if out.exists() and not out.is_dir():
        raise ConvRNNError(
            f"cannot make {out}: it must be a new or empty folder, got a file. Choose another name"
        )
    if out.is_dir() and any(out.iterdir()):
        raise ConvRNNError(
            f"cannot make {out}: it must be a new or empty folder, got a folder with files. Choose another name"
        )


@contextlib.contextmanager
def written_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name at the end; on any error, nothing of it is left.

    Raises:
        ConvRNNError: `out` is there already, or cannot be written.
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
            reason = advice.describe(error, out.parent, "Choose another place", writing=True)
            raise ConvRNNError(f"cannot write {out}: {reason}") from error
        raise
