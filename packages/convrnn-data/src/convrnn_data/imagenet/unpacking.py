"""Unpacking of compressed tars into a temporary folder, since images are read by byte offset."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from convrnn_data.base import advice
from convrnn_data.base.atomic import remove_dead_temporaries_of, temporary_name
from convrnn_data.base.console import Report, silent
from convrnn_data.base.disk_space import require_space
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import pread_fully

_OPENERS: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}

CHUNK = 1 << 20
"""Chunk size in bytes."""

Notice = Callable[[str], None]
"""Callback for a line that a user should read before a long step."""


def is_compressed(path: Path, start: int = 0) -> bool:
    """Return whether a compressed archive of a supported format begins at byte `start`.

    Raises:
        OSError: The file cannot be read.
    """
    kind = _kind_at(path, start)
    return kind is not None and kind.name in _OPENERS


def _kind_at(path: Path, start: int) -> advice.Kind | None:
    with open(path, "rb", buffering=0) as file:
        return advice.kind_of(pread_fully(file.fileno(), advice.HEAD, start))


class Unpacker:
    """Unpacks compressed tars into a hidden folder next to a prepared set, and removes the folder at the end."""

    def __init__(self, out: Path, report: Report = silent, notice: Notice | None = None) -> None:
        """Set up; the folder is created when the first archive is unpacked.

        Args:
            out: Folder of the prepared set, on a disk that all workers share.
            report: Progress callback, in MB.
            notice: Called once, before the first archive is unpacked.
        """
        absolute = out.absolute()
        self._name = absolute.with_name(f"{absolute.name}.unpacked")
        self._folder = temporary_name(self._name)
        self._made: list[Path] = []
        self._report, self._notice = report, notice
        self._lock, self._stopped = threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        """Remove the folders of killed runs."""
        remove_dead_temporaries_of(self._name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the unpacked tars, and created parent folders that are empty."""
        self._stopped.set()
        shutil.rmtree(self._folder, ignore_errors=True)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                break

    @property
    def used(self) -> bool:
        """True if anything was unpacked."""
        return self._folder.is_dir()

    def stop(self) -> None:
        """Make other threads stop unpacking after the current chunk."""
        self._stopped.set()

    def unpack(self, path: Path, name: str, start: int = 0, end: int | None = None) -> Path:
        """Unpack the archive in bytes `start` to `end` of a file.

        Args:
            path: The file.
            name: Unique name for the unpacked tar.
            start: First byte of the archive.
            end: End of the archive, exclusive; the end of the file if None.

        Returns:
            The unpacked tar.

        Raises:
            ConvRNNError: The archive is truncated or damaged, or the disk is full.
        """
        try:
            size = (path.stat().st_size if end is None else end) - start
            self._begin(path, size)
            target = self._folder / name
            with open(path, "rb") as file:
                file.seek(start)
                self._copy(path, _Part(file, size), size, target)
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise ConvRNNError(
                f"{path} is damaged or truncated: {name} cannot be unpacked to its end ({error}). Copy or download it "
                "again"
            ) from error
        except OSError as error:
            otherwise = "Unpack the archive yourself and give the tar or the folder"
            if error.errno is None:  # bz2 reports damage without an errno.
                raise ConvRNNError(f"{path} is damaged: {error}. Copy or download it again") from error
            raise ConvRNNError(
                f"cannot unpack {path}: {advice.describe(error, otherwise=otherwise)}"
            ) from error
        return target

    def _copy(self, path: Path, part: "_Part", size: int, target: Path) -> None:
        kind = advice.kind_of(part.peek())
        assert kind is not None
        megabytes = -(-size // 1_000_000)
        with _OPENERS[kind.name](part) as unpacked, open(target, "wb") as out:
            chunk = unpacked.read(CHUNK)
            inner = advice.kind_of(chunk[: advice.HEAD])
            if inner is not None and inner.name != "tar":
                raise ConvRNNError(
                    f"{path} is not a compressed tar: it unpacks to {inner}. Give an archive of ImageNet"
                )
            while chunk:
                if self._stopped.is_set():
                    raise ConvRNNError(
                        f"unpacking {path} was stopped by another error. Run the same command again"
                    )
                out.write(chunk)
                self._report(f"Unpacking {path.name} (MB)", min(part.done // 1_000_000, megabytes), megabytes)
                chunk = unpacked.read(CHUNK)

    def _begin(self, path: Path, size: int) -> None:
        """Create the folder, announce the cost, and fail early if disk space is insufficient."""
        with self._lock:
            if not self._folder.is_dir():
                missing = [parent for parent in self._folder.parents if not parent.exists()]
                self._folder.mkdir(parents=True)
                self._made = missing
                if self._notice:
                    self._notice(
                        f"{path} is compressed, so images cannot be read by offset: it is unpacked into "
                        f"{self._folder.parent} first, takes about its size there, and is removed at the end. This "
                        "costs minutes for every 10 GB, in every run; to avoid this, unpack it yourself"
                    )
        # Images hardly compress, so the tar is about as large as the archive.
        way_out = "Make room, choose another disk, or unpack the archive elsewhere"
        require_space(self._folder, size, f"unpack {path} into {self._folder.parent}", way_out)


class _Part(io.RawIOBase):
    """File object for the next `size` bytes of a file, which counts the bytes read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size, self.done = file, size, 0

    def readable(self) -> bool:
        return True

    def peek(self) -> bytes:
        at = self._file.tell()
        head = self._file.read(min(advice.HEAD, self._size))
        self._file.seek(at)
        return head

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._size - self.done))
        buffer[: len(data)] = data
        self.done += len(data)
        return len(data)


def unpacked_name(path: Path) -> str:
    """Return the name of an unpacked tar: `train.tar` for `train.tar.gz` and `train.tgz`."""
    return f"{os.path.basename(path).partition('.')[0] or 'archive'}.tar"
