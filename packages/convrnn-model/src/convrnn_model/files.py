"""Files that are written whole or not at all: one, or several that belong together."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convrnn_model.errors import ConvRNNError
from convrnn_model.io_errors import io_error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically; an existing one is replaced.

    Raises:
        ConvRNNError: The file cannot be written; an existing one is unchanged.
    """
    with whole_files(path) as (temporary,):
        temporary.write_bytes(data)


@contextmanager
def whole_files(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Provide temporary paths, and move the files written there into place when the context exits without an error.

    Of several files, the first one refers to the others. It is moved last, and an existing one is removed first, so
    that a process that is killed never leaves a first file with others that do not belong to it.

    Args:
        paths: The files, in one folder; existing ones are replaced.

    Raises:
        ConvRNNError: A file cannot be written; the former files are unchanged.
    """
    first = paths[0]
    for path in paths:
        if path.is_dir():
            raise ConvRNNError(f"cannot write {path}: it is a folder. Name the file to write.")
    # The name has the host and the process, as that of other temporary files, so that dead writers are recognised.
    folder = first.with_name(f".{first.name}.{platform.node()}.{os.getpid()}.tmp")
    temporary = tuple(folder / path.name for path in paths)
    try:
        folder.mkdir(exist_ok=True)
        yield temporary
        for path in temporary:
            with path.open("rb") as written:
                os.fsync(written.fileno())
        _move_together(temporary, paths, folder)
    except OSError as error:
        raise io_error(f"cannot write {first}", error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_together(temporary: tuple[Path, ...], paths: tuple[Path, ...], folder: Path) -> None:
    """Replace the files at `paths`, all or none."""
    if len(paths) == 1:
        temporary[0].replace(paths[0])
        return
    former = {path: folder / f"former_{path.name}" for path in paths if path.exists()}
    moved: list[Path] = []
    try:
        for path, kept in former.items():
            path.replace(kept)
        for source, path in reversed(list(zip(temporary, paths, strict=True))):
            source.replace(path)
            moved.append(path)
    except OSError:
        for path in reversed(moved):
            path.unlink()
        for path, kept in reversed(former.items()):
            if kept.exists():
                kept.replace(path)
        raise
