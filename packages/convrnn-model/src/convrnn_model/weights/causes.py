"""Reasons why a file is not a weights file, by its first bytes."""

import zipfile
from pathlib import Path

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
READ_BYTES = 1024
"""Leading bytes that identify a format; a tar has its magic number at byte 257, a MATLAB file that of HDF5 at 512."""
LARGEST_HEADER = 1 << 27
"""Largest plausible safetensors header in bytes; the format allows 100 MB."""

_DOWNLOAD_AGAIN = "Download the file again, by its direct link"
_PYTORCH = (
    "Load it in PyTorch, and copy its arrays into a network here before `save_weights` (kernels are "
    "(height, width, in, out))"
)
_SAFETENSORS = (
    "Rename it so that its name ends in `.safetensors`: it is then read if its weights have the names of "
    "`convrnn_model.torch`"
)
_PREFIXES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip archive", "Unpack it first: `gunzip FILE`, or `tar xzf FILE`"),
    (b"BZh", "a bzip2 archive", "Unpack it first: `bunzip2 FILE`"),
    (b"\xfd7zXZ\0", "an xz archive", "Unpack it first: `unxz FILE`"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it first: `unzstd FILE`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it first"),
    (b"PAR1", "a Parquet table, which contains data, not weights", "Give the weights file"),
    (b"\x93NUMPY", "one NumPy array (.npy)", "Give the whole network's weights, as HDF5"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "Run `git lfs pull` in its repository",
    ),
    (b"MATLAB 7.3", "a MATLAB 7.3 file", "Give weights that Keras or `save_weights` wrote"),
    (b"\x0e\x03\x13\x01", "an HDF4 file", "Convert it to HDF5 (`h4toh5`)"),
    (b"\x89HDF", "HDF5 whose line ends were changed by a transfer in text mode", "Copy it again in binary mode"),
)  # fmt: skip


def describe_foreign(path: Path) -> tuple[str, str]:
    """Identify the format of a file that is not HDF5.

    Args:
        path: A readable file.

    Returns:
        The format, such as "a gzip archive", and the remedy.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(READ_BYTES)
    if not start.strip(b"\0"):
        kind = "empty" if not start else "filled with zeros, like an unfinished download"
        return kind, _DOWNLOAD_AGAIN
    for prefix, kind, remedy in _PREFIXES:
        if start.startswith(prefix):
            return kind, remedy.replace("FILE", path.name)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return _describe_zip(path)
    return _describe_other(start)


def _describe_zip(path: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a zip archive that is damaged or truncated", _DOWNLOAD_AGAIN
    if {"config.json", "model.weights.h5"} <= set(names):
        return (
            "a whole Keras 3 model (.keras)",
            "Read it by `keras.saving.load_model`; `save_weights` converts it",
        )
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "a PyTorch file (zip)", _PYTORCH
    if names and all(name.endswith(".npy") for name in names):
        return (
            "NumPy arrays (.npz)",
            "Give the weights as HDF5: assign the arrays to a network, then `save_weights`",
        )
    weights = next((name for name in names if name.endswith((".h5", ".hdf5"))), None)
    return "a zip archive", f"Unpack it first, and give {weights}" if weights else "Unpack it first"


def _describe_other(start: bytes) -> tuple[str, str]:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")):
        return "a web page, such as a login or error page", _DOWNLOAD_AGAIN
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= LARGEST_HEADER:
        return "a safetensors file", _SAFETENSORS
    if start[:1] == b"\x80" and 2 <= start[1] <= 5:
        return (
            "a Python pickle, like PyTorch's older .pth files",
            f"Pickles can run code and are not read. {_PYTORCH}",
        )
    if start[257:262] == b"ustar":
        return "a tar archive", "Unpack it first"
    if text[:1] in (b"{", b"["):
        return "JSON, such as the response of a web service", _DOWNLOAD_AGAIN
    return (
        f"not HDF5 (it begins with {start[:8]!r})",
        "Give a weights file that Keras or `save_weights` wrote",
    )
