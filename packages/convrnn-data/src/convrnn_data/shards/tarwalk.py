"""Fast listing of tar files: reads headers and skips the data.

Several times faster than `tarfile`, and stricter: a truncated tar is an error, even if it ends between two files.
"""

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import pread_fully

BLOCK = 512
"""Size of a header in bytes; data is padded to a multiple."""

LONGEST_HEADER = 1 << 20
"""Maximum size in bytes of a long name or an extended header, which are read into memory; a few hundred is usual."""

_REGULAR = b"0\0007"
_WITHOUT_DATA = b"123456"
"""Links, devices, folders and pipes: no data follows, whatever size the header states."""

_LINKS = (b"1", b"2")

_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_EXTENDING = (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL)
"""Headers whose data describes the next file."""

_OCTAL = re.compile(rb"[ \0]*([0-7]+)[ \0]*")
_LENGTH = re.compile(rb"([1-9][0-9]{0,6}) ")
_DECIMAL = re.compile(rb"[0-9]{1,18}")


class Entry(NamedTuple):
    """Regular file in a tar: name, and offset and size in the file that contains the tar."""

    name: str
    offset: int
    size: int


def padded(size: int) -> int:
    """Round `size` up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def walk(
    fd: int, path: Path, start: int = 0, end: int | None = None, *, links: list[str] | None = None
) -> Iterator[Entry]:
    """Yield the regular files of the tar in bytes `start` to `end` of an open file, in order.

    Args:
        fd: File descriptor open for reading; the position is neither used nor moved.
        path: Name of the file, for errors.
        start: Offset of the tar; not 0 for a tar inside a tar.
        end: Offset of the end of the tar; the end of the file if None.
        links: Collects the names of hard and symbolic links, which are skipped.

    Raises:
        ConvRNNError: A damaged header, two names for one file, a sparse file, or a missing end marker (two empty
            blocks; one is accepted).
    """
    end = os.fstat(fd).st_size if end is None else end
    position, extensions = start, _Extensions(path)
    while header := _read_header(fd, path, position, end):
        at, kind = position, header[156:157]
        size = _size_of_data(header, kind, extensions, at)
        data = at + BLOCK
        position = data + padded(size)
        if position > end:
            raise ConvRNNError(
                f"{path} is truncated: {_name(header)} must extend to byte {position:,}, but the tar ends at {end:,}. "
                "Copy or download it again"
            )
        if kind in _EXTENDING:
            extensions.add(kind, pread_fully(fd, size, data), at)
            continue
        entry = extensions.entry(header, kind, data, size)
        if entry is not None:
            yield entry
        elif links is not None and kind in _LINKS:
            links.append(extensions.name(header))
        extensions.clear()


class _Extensions:
    """Collects what extended headers state about the next file and about all files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name: str | None = None
        self._own: dict[bytes, bytes] = {}
        self._shared: dict[bytes, bytes] = {}
        self._records: dict[bytes, bytes] = {}

    def add(self, kind: bytes, data: bytes, at: int) -> None:
        """Add the data of a long name or an extended header at byte `at`."""
        if (self._name is not None and kind == _LONG_NAME) or (self._own and kind == _PAX):
            raise _ambiguous(self.path, at)
        if kind == _LONG_NAME:
            self._name = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        elif kind == _PAX:
            self._own = _records(data, self.path, at)
        elif kind == _PAX_GLOBAL:
            self._shared |= _records(data, self.path, at)
            if self._shared.keys() & {b"path", b"size"}:
                raise _damaged(
                    self.path, f"a global header sets one name or size for all files, at byte {at:,}"
                )
        self._records = {**self._shared, **self._own}

    def clear(self) -> None:
        """Forget what applies to one file only."""
        if self._own:
            self._own, self._records = {}, self._shared
        self._name = None

    def size(self, stated: int, at: int) -> int:
        """Return the size from an extended header, which overrides the `stated` one."""
        digits = self._records.get(b"size")
        if digits is None:
            return stated
        if not _DECIMAL.fullmatch(digits):
            raise _damaged(self.path, f"a size that is not a number, at byte {at:,}")
        return int(digits)

    def entry(self, header: bytes, kind: bytes, data: int, size: int) -> Entry | None:
        """Return the file of a header whose data begins at byte `data`; None for a link, a folder or a device."""
        at = data - BLOCK
        if kind == _SPARSE or any(key.startswith(b"GNU.sparse.") for key in self._records):
            raise ConvRNNError(
                f"{self.path} holds a sparse file at byte {at:,}, which is not stored in one piece. Make the tar "
                "again without --sparse"
            )
        if self._name is not None and b"path" in self._records:
            raise _ambiguous(self.path, at)
        if kind not in _REGULAR:
            return None
        name = self.name(header)
        folder = name.endswith("/")
        if not name or (folder and size):
            raise _damaged(self.path, f"a file with no name, or with the name of a folder, at byte {at:,}")
        # In the oldest tar format, a trailing slash marks a folder.
        return None if folder and kind == b"\0" else Entry(name, data, size)

    def name(self, header: bytes) -> str:
        """Return the name of the file, which an extended header overrides."""
        if b"path" in self._records:
            return self._records[b"path"].decode("utf-8", "surrogateescape")
        return _name(header) if self._name is None else self._name


def _read_header(fd: int, path: Path, position: int, end: int) -> bytes | None:
    """Return the header at a position; None at the end marker."""
    header = pread_fully(fd, BLOCK, position) if position + BLOCK <= end else b""
    if len(header) < BLOCK:
        if position == 0:
            raise _foreign(path, pread_fully(fd, end, 0))
        raise ConvRNNError(
            f"{path} is truncated: the tar has no end marker at byte {position:,}. Copy or download it again"
        )
    return header if header[0] or any(header) else None


def _size_of_data(header: bytes, kind: bytes, extensions: _Extensions, at: int) -> int:
    """Return the number of data bytes after a header whose checksum is correct."""
    stated = _check(header, extensions.path, at)
    if kind in _WITHOUT_DATA:
        return 0
    if kind not in _EXTENDING:
        return extensions.size(stated, at)
    if stated > LONGEST_HEADER:
        raise _damaged(
            extensions.path,
            f"a name or extended header must have at most {LONGEST_HEADER:,} bytes, got {stated:,} at byte {at:,}",
        )
    return stated


def _damaged(path: Path, what: str) -> ConvRNNError:
    return ConvRNNError(f"{path} is damaged: {what}. Copy or download it again")


def _foreign(path: Path, head: bytes) -> ConvRNNError:
    kind = advice.kind_of(head)
    if kind is not None and kind.name == "tar":
        return _damaged(path, "no tar header at the beginning")
    return ConvRNNError(advice.not_a("a tar", path, kind, "Copy or download it again"))


def _ambiguous(path: Path, position: int) -> ConvRNNError:
    """Return the error for two names of one file, which no program writes and readers interpret differently."""
    return _damaged(path, f"two names or extended headers for one file at byte {position:,}")


def _check(header: bytes, path: Path, position: int) -> int:
    """Return the size stated in a header whose checksum is correct."""
    checksum, size = _OCTAL.fullmatch(header[148:156]), _size(header[124:136])
    # The checksum is computed with its own field filled with blanks.
    if size is None or checksum is None or int(checksum[1], 8) != _sum(header) - sum(header[148:156]) + 256:
        if position == 0:
            raise _foreign(path, header)
        raise ConvRNNError(
            f"{path} is damaged: no tar header at byte {position:,}. Copy or download it again"
        )
    return size


def _sum(header: bytes) -> int:
    """Return the sum of a header's bytes, without a slow Python loop."""
    # The low half of Adler-32 is 1 plus the sum modulo 65521, which is not reached if no byte is above 127.
    return (zlib.adler32(header) & 0xFFFF) - 1 if header.isascii() else sum(header)


def _size(field: bytes) -> int | None:
    """Parse octal digits or, after a first byte of 128, a binary number; None for anything else."""
    if field[0] & 128:
        return int.from_bytes(field[1:], "big") if field[0] == 128 else None
    digits = _OCTAL.fullmatch(field)
    return int(digits[1], 8) if digits else 0 if not field.strip(b"\0 ") else None


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].split(b"\0", 1)[0] + b"/" + name
    return name.decode("utf-8", "surrogateescape")


def _records(data: bytes, path: Path, position: int) -> dict[bytes, bytes]:
    """Parse the records `length key=value` of an extended header; the length includes itself."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        length = _LENGTH.match(data, at)
        end = at + int(length[1]) if length else 0
        record = data[length.end() : end - 1] if length else b""
        key, equals, value = record.partition(b"=")
        if not length or end > len(data) or not equals or not key or data[end - 1 : end] != b"\n":
            raise _damaged(path, f"no readable extended header at byte {position:,}")
        records[key] = value
        at = end
    return records
