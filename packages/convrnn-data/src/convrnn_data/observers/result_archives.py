"""Result files in JATOS archives, gzip files, and archives within archives.

JATOS exports an archive per study, and exports of several studies are often archived again. Every archive in an archive
is therefore read as well, up to `_DEEPEST` levels.
"""

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import is_hidden

RESULT, RESULTS = "data.txt", "jatos_results_*.txt"
COMPRESSED = ".gz"
ARCHIVES = (".zip", ".jrzip")

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_LARGEST_MEMBER = 2**30
_DEEPEST = 4
_SESSION = re.compile(r".*_session[-_]\d+\.csv", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)")
_ZIP_ERRORS = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""Errors of `zipfile`: RuntimeError for a password, NotImplementedError (its subclass) for a compression."""


def is_result(name: str) -> bool:
    """Return whether the name of a file is that of a result, compressed or not."""
    name = name.removesuffix(COMPRESSED)
    return name == RESULT or PurePosixPath(name).match(RESULTS) or is_session(name)


def is_session(name: str) -> bool:
    """Return whether the name of a file, compressed or not, is that of a trial CSV."""
    return _SESSION.fullmatch(name.removesuffix(COMPRESSED)) is not None


def holds_results(path: Path) -> bool:
    """Return whether an archive has result files, in itself or in an archive in it.

    Raises:
        ConvRNNError: The archive of JATOS, by its name, cannot be read, or an archive in it is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _holds_results(path, archive, 0)
    except _ZIP_ERRORS as error:
        # A folder of answers may also contain archives of stimuli, which need not be readable.
        if path.suffix.lower() != ARCHIVES[0] or path.name.startswith("jatos"):
            raise _unreadable(path, error) from error
        return False


def _holds_results(path: Path, archive: zipfile.ZipFile, depth: int) -> bool:
    names = _members(archive)
    if depth == _DEEPEST or not all(map(_is_archive, names)):
        return bool(names)  # the reader states that archives are nested too deeply
    for name in names:
        with zipfile.ZipFile(io.BytesIO(_member(path, archive, name))) as inner:
            if _holds_results(path / name, inner, depth + 1):
                return True
    return False


def unpacked(path: Path, data: bytes) -> Iterator[tuple[Path, bytes]]:
    """Decompress the content of a file, and yield the path and content of each result file.

    Args:
        path: Location of the file, for messages; the path of an archive's member starts with that of the archive.
        data: Its content: a gzip file, a zip archive, or anything else, which is a result itself.

    Raises:
        ConvRNNError: The file, or an archive in it, is damaged or has a password, or an archive has no result file.
    """
    found = False
    for result in _unpacked(path, data, 0):
        found = True
        yield result
    if not found:
        raise ConvRNNError(
            f"cannot read {path}: the archive must hold {RESULT}, {RESULTS} or *_session_1.csv, got none of these. "
            "Give an archive of results"
        )


def _unpacked(path: Path, data: bytes, depth: int) -> Iterator[tuple[Path, bytes]]:
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ConvRNNError(
                f"cannot read {path}: it must be a complete gzip file, got a damaged one ({error}). Download it again"
            ) from error
    if not (data.startswith(_ZIP) or (depth and _is_archive(path.name))):
        yield path, data
        return
    if depth > _DEEPEST:
        raise ConvRNNError(
            f"cannot read {path}: archives may be nested {_DEEPEST} deep, got a deeper one. Unpack it and give the "
            "folder"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(path / name, _member(path, archive, name)) for name in _members(archive)]
    except _ZIP_ERRORS as error:
        raise _unreadable(path, error) from error
    for name, content in members:
        yield from _unpacked(name, content, depth + 1)


def _members(archive: zipfile.ZipFile) -> list[str]:
    """List the result files and the archives in an archive, with numbers in numeric order."""
    names = [
        name
        for name in archive.namelist()
        if not is_hidden(name) and (is_result(PurePosixPath(name).name) or _is_archive(name))
    ]
    return sorted(
        names, key=lambda name: [int(part) if part.isdecimal() else part for part in _NUMBER.split(name)]
    )


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > _LARGEST_MEMBER:
        raise ConvRNNError(
            f"cannot read {path}: a result must have at most {_LARGEST_MEMBER} bytes, got {size} in {name}. Unpack it "
            "and give the folder"
        )
    return archive.read(name)


def _unreadable(path: Path, error: Exception) -> ConvRNNError:
    """Word the error by its cause: disk failure, unsupported archive, or corrupt archive."""
    if isinstance(error, OSError):
        return ConvRNNError(f"cannot read {path}: {advice.describe(error, path, 'Download it again')}")
    rule = "it must be a complete zip archive without a password, got"
    if isinstance(error, RuntimeError):  # password or unsupported compression
        return ConvRNNError(
            f"cannot read {path}: {rule} one that Python cannot unpack ({error}). Unpack it with another program and "
            "give the folder"
        )
    return ConvRNNError(f"cannot read {path}: {rule} a damaged one ({error}). Download it again")
