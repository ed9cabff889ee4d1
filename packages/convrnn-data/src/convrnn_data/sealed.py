"""JSON files that carry their own sha256, so that a cut or a flipped bit in them is found on reading.

Every file of a prepared set is written beside its final name and renamed, so that no reader sees half of one.
"""

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from convrnn_data.errors import ConvRNNError
from convrnn_data.forms import misfit

_SEAL = re.compile(rb',\n"sha256": "([0-9a-f]{64})"}\n')
_SEAL_BYTES = 80
TEMPORARY = ".tmp"
DAY = 86_400
"""Seconds."""


def seal(body: dict[str, Any], indent: int | None = None) -> bytes:
    """The file's bytes for `body`: its JSON, and as a last entry the sha256 of all bytes before that entry."""
    text = json.dumps(body, indent=indent, ensure_ascii=True, allow_nan=False)[:-1].rstrip().encode("ascii")
    return text + b',\n"sha256": "' + hashlib.sha256(text).hexdigest().encode("ascii") + b'"}\n'


def unseal(path: Path, form: Any = None) -> dict[str, Any]:
    """Read a sealed file, without its seal.

    Args:
        path: the file.
        form: what it has to hold, as `forms.misfit` takes it; the seal tells that a file is as it was written, and
            not that it was written here.

    Raises:
        ConvRNNError: the file cannot be read, is not as it was written, or holds something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConvRNNError(f"{path}: {error.strerror}") from error
    match = _SEAL.fullmatch(data[-_SEAL_BYTES:])
    text = data[:-_SEAL_BYTES]
    if match is None or hashlib.sha256(text).hexdigest() != match[1].decode():
        raise ConvRNNError(f"{path} is damaged: it is not as it was written (its sha256 does not match)")
    try:
        body: dict[str, Any] = json.loads(text + b"}")
    except (ValueError, RecursionError) as error:
        raise ConvRNNError(f"{path} is not JSON: {error}; this package did not write it") from error
    if wrong := misfit(body, {} if form is None else form):
        raise ConvRNNError(f"{path} is not as this version writes it: {wrong}; make the set again")
    return body


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
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            way = "make room" if full else "make the folder writable"
            raise ConvRNNError(
                f"cannot write {path}: {error.strerror or error}; {way} and run the same command again"
            ) from error
        raise
