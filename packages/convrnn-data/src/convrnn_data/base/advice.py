"""Advice for errors: by errno for system errors, by magic bytes for files of an unexpected format."""

import errno
import os
import re
from collections.abc import Callable
from typing import NamedTuple

HEAD = 4096
"""Number of bytes that `kind_of` needs."""

AnyPath = str | os.PathLike[str]


class Kind(NamedTuple):
    """File format.

    Attributes:
        name: One word, such as `gzip`.
        words: The format with an article, as messages name it.
        way_out: Advice if another format is required: a sentence without the period, with `FILE` for the file name.
    """

    name: str
    words: str
    way_out: str

    def __str__(self) -> str:
        """Return the format as messages name it."""
        return self.words


_DOWNLOAD = "Download the file again; log in first where the site asks for it"
_EMPTY = Kind("empty", "an empty file", "Copy or download the file again")
_ZEROS = Kind(
    "zeros",
    "a file whose first bytes are all zero",
    "The copy is incomplete: copy or download the file again",
)
_HTML = Kind("html", "a web page (HTML), often a login or an error page", _DOWNLOAD)
_XML = Kind("xml", "XML, often an error message of a download server", _DOWNLOAD)
_LFS = Kind("git-lfs", "a Git LFS pointer, not the file itself", "Fetch the file with `git lfs pull`")
_ZIP = Kind("zip", "a zip archive", "Unpack it with `unzip FILE -d FOLDER` and give the folder")
_NPZ = Kind("npz", "a NumPy archive (.npz)", "Export its arrays: `numpy.load` reads them")
_TORCH = Kind(
    "pytorch", "a PyTorch checkpoint", "Export its tensors by name, as docs/weights.md describes for HDF5"
)
_KERAS = Kind(
    "keras",
    "a Keras model archive (.keras)",
    "Load it in Keras and save its weights as HDF5",
)
_TAR = Kind("tar", "a tar archive", "Unpack it with `tar -xf FILE`")
_PARQUET = Kind(
    "parquet",
    "a Parquet file, the format of Hugging Face data sets",
    "Export the images to class folders first, as docs/reading-shards.md shows, or use the original tar",
)
_MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x1f\x8b", Kind("gzip", "a gzip archive", "Unpack it with `gunzip FILE`")),
    (0, b"BZh", Kind("bzip2", "a bzip2 archive", "Unpack it with `bunzip2 FILE`")),
    (0, b"\xfd7zXZ\0", Kind("xz", "an xz archive", "Unpack it with `unxz FILE`")),
    (0, b"\x28\xb5\x2f\xfd", Kind("zstd", "a Zstandard archive", "Unpack it with `unzstd FILE`")),
    (0, b"\x04\x22\x4d\x18", Kind("lz4", "an LZ4 archive", "Unpack it with `unlz4 FILE`")),
    (0, b"\x1f\x9d", Kind("compress", "a compress archive (.Z)", "Unpack it with `uncompress FILE`")),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("7z", "a 7-Zip archive", "Unpack it with `7z x FILE`")),
    (0, b"Rar!\x1a\x07", Kind("rar", "a RAR archive", "Unpack it with `unrar x FILE`")),
    (0, b"PAR1", _PARQUET),
    (
        0,
        b"ARROW1",
        Kind("arrow", "an Arrow file, the cache format of Hugging Face data sets", _PARQUET.way_out),
    ),
    (0, b"\x89HDF\r\n\x1a\n", Kind("hdf5", "an HDF5 file", "Give it where a weights file is expected")),
    (0, b"\x93NUMPY", Kind("npy", "a NumPy array (.npy)", "Read it with `numpy.load`")),
    (0, b"\xff\xd8\xff", Kind("jpeg", "a JPEG image", "Give the folder or archive that holds it")),
    (0, b"\x89PNG\r\n\x1a\n", Kind("png", "a PNG image", "Give the folder or archive that holds it")),
    (0, b"GIF8", Kind("gif", "a GIF image", "Give the folder or archive that holds it")),
    (8, b"WEBP", Kind("webp", "a WebP image", "Give the folder or archive that holds it")),
    (0, b"%PDF-", Kind("pdf", "a PDF document", _DOWNLOAD)),
    (
        0,
        b"\0\x05\x16\x07",
        Kind("appledouble", "a macOS metadata file (._*)", "Give the file of the same name without ._"),
    ),
    (0, b"version https://git-lfs", _LFS),
    (257, b"ustar", _TAR),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_TEXT = re.compile(rb"[\x09\x0a\x0d\x20-\x7e\x80-\xff]+")


def kind_of(head: bytes) -> Kind | None:
    """Detect the format of a file by magic bytes.

    Args:
        head: The first `HEAD` bytes, or all of a shorter file.

    Returns:
        The format; None if it is unknown.
    """
    if not head:
        return _EMPTY
    if head[:2] == b"PK" and head[2:4] in (b"\3\4", b"\5\6", b"\7\x08"):
        return _zip(head)
    for at, magic, kind in _MAGIC:
        if head.startswith(magic, at):
            return kind
    if _PICKLE.match(head):
        return _TORCH if b"torch" in head or head[2:14] == _TORCH_MAGIC else _PICKLED
    if len(head) >= 512 and not any(head):
        return _ZEROS
    return _text(head)


_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
_PICKLED = Kind(
    "pickle", "a Python pickle", "Give the original file; loading an untrusted pickle can run code"
)


def _zip(head: bytes) -> Kind:
    """Distinguish formats based on zip by the name of the first member."""
    length = int.from_bytes(head[26:28], "little")
    first = head[30 : 30 + length]
    if first.endswith(b".npy"):
        return _NPZ
    if first.endswith((b"/data.pkl", b"/.format_version", b"/byteorder")):
        return _TORCH
    if first in (b"metadata.json", b"config.json", b"model.weights.h5"):
        return _KERAS
    return _ZIP


def _text(head: bytes) -> Kind | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<!--")):
        return _HTML
    if text.startswith(b"<?xml"):
        return _HTML if b"<html" in head.lower() or b"xhtml" in head.lower() else _XML
    if text.startswith((b"{", b"[")) and _TEXT.fullmatch(head):
        return Kind("json", "JSON text, often an error message of a download server", _DOWNLOAD)
    if _TEXT.fullmatch(head) and b"\0" not in head:
        return Kind("text", "a text file", "Copy or download the file again")
    return None


def kind_of_file(path: AnyPath) -> Kind | None:
    """Detect the format of a file; None if the format is unknown or the file cannot be read."""
    try:
        if not os.path.isfile(path):  # Opening a pipe would block until a writer appears.
            return None
        with open(path, "rb") as file:
            return kind_of(file.read(HEAD))
    except OSError:
        return None


def not_a(wanted: str, path: AnyPath, kind: Kind | None, otherwise: str) -> str:
    """Return a message that a file does not have the required format, with advice.

    Args:
        wanted: The required format with an article, such as "a tar archive".
        path: The file.
        kind: The file's format, from `kind_of`.
        otherwise: Advice if the format is unknown: a sentence without the period.
    """
    if kind is None:
        return f"{path} is not {wanted}. {otherwise}"
    return f"{path} is not {wanted}: got {kind}. {kind.way_out.replace('FILE', str(path))}"


def describe(
    error: OSError, path: AnyPath | None = None, otherwise: str = "", *, writing: bool = False
) -> str:
    """Return the system's message and advice, such as "No space left on device. Make room".

    Args:
        error: The error.
        path: The file; taken from the error if None.
        otherwise: Advice if the error itself suggests none: a sentence without the period.
        writing: Whether the failed operation was a write.
    """
    cause = error.strerror or str(error) or type(error).__name__
    advice = way_out(error, path, otherwise, writing=writing)
    return f"{cause}. {advice}" if advice else cause


def way_out(
    error: OSError, path: AnyPath | None = None, otherwise: str = "", *, writing: bool = False
) -> str:
    """Return advice for a system error.

    Args:
        error: The error.
        path: The file; taken from the error if None.
        otherwise: Advice if the errno suggests none.
        writing: Whether the failed operation was a write.

    Returns:
        A sentence without the period.
    """
    if path is None and isinstance(error.filename, str | bytes):
        path = os.fsdecode(error.filename)
    advise, name = _WAYS.get(error.errno or 0), "" if path is None else os.fspath(path)
    if advise is not None and (text := advise(name, writing)):
        return text
    return otherwise or (_nearest(name) if error.errno == errno.ENOENT else "")


def _dead_link(path: str, writing: bool) -> str:
    if not os.path.islink(path):
        return ""
    return (
        f"{path} is a link to {_target(path)}, which does not exist. Restore the target, or remove the link"
    )


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return "an unknown target"


def _nearest(path: str) -> str:
    """Return advice that names the nearest existing ancestor, if the parent folder of a path does not exist."""
    folder = parent = os.path.dirname(os.path.abspath(path)) if path else ""
    while folder and not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return "" if folder == parent else f"The nearest folder that exists is {folder}. Check the path"


def _not_a_folder(path: str, writing: bool) -> str:
    part = os.path.abspath(path) if path else ""
    while part and not os.path.lexists(part) and part != os.path.dirname(part):
        part = os.path.dirname(part)
    return f"{part} is not a folder: choose another path" if part and not os.path.isdir(part) else ""


def _denied(path: str, writing: bool) -> str:
    access = "write" if writing else "read"
    return (
        f"Ask the owner for {access} permission, or grant it (`chmod u+{access[0]} {path or 'FILE'}`); every parent "
        "folder needs x"
    )


def _always(text: str) -> Callable[[str, bool], str]:
    return lambda path, writing: text


def _open_files(path: str, writing: bool) -> str:
    return "Raise the limit on open files (`ulimit -n 4096`), or use fewer --workers"


_REMOUNT = _always(
    "The network disk has lost the file or the connection: mount it again, and run the same command again"
)
_QUOTA = _always("The disk quota is used up: delete files, or choose a folder on another disk")
_WAYS: dict[int, Callable[[str, bool], str]] = {
    errno.ENOENT: _dead_link,
    errno.ENOTDIR: _not_a_folder,
    errno.EACCES: _denied,
    errno.EPERM: _denied,
    errno.EMFILE: _open_files,
    errno.ENFILE: _always("The machine has run out of open files: end other programs, or raise fs.file-max"),
    errno.ENOSPC: _always("Make room on the disk (`df -h`, `df -i`), or choose a folder on another disk"),
    errno.EDQUOT: _QUOTA,
    errno.EFBIG: _always(
        "The file would exceed the largest size allowed by the disk (FAT32: 4 GB) or by `ulimit -f`: choose another "
        "disk, or raise the limit"
    ),
    errno.EIO: _always(
        "The disk or its connection is failing: check `dmesg`, and use a copy on another disk"
    ),
    errno.EROFS: _always("The disk is mounted read-only: choose a folder on another disk"),
    errno.ESTALE: _REMOUNT,
    errno.ENOTCONN: _REMOUNT,
    errno.ETIMEDOUT: _REMOUNT,
    errno.EHOSTDOWN: _REMOUNT,
    errno.EHOSTUNREACH: _REMOUNT,
    errno.ECONNRESET: _REMOUNT,
    errno.ENODEV: _REMOUNT,
    errno.ENXIO: _REMOUNT,
    errno.ELOOP: _always("A symbolic link leads back to itself: remove or correct it"),
    errno.ENAMETOOLONG: _always("Choose a shorter name or path"),
    errno.ENOMEM: _always("Memory is full: end other programs, or use fewer --workers"),
    errno.EBUSY: _always(
        "Another program is using the file: end the program, and run the same command again"
    ),
    errno.ETXTBSY: _always(
        "Another program is using the file: end the program, and run the same command again"
    ),
}
"""errno -> function of the path and of whether the failed operation was a write, which returns advice."""
