"""Labels of ILSVRC's validation images, in each published format."""

import io
import re
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.imagenet.devkit import UnreadableError, read_synsets

GROUND_TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
"""Files of the devkit that together assign a synset to each image."""

USUAL = (
    "ILSVRC2012_devkit_t12.tar.gz",
    "ILSVRC2012_devkit_t12",
    GROUND_TRUTH,
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
)
"""Usual names of label files, which are searched for next to the images."""

FORMS = "ILSVRC2012_devkit_t12 (.tar.gz or folder), LOC_val_solution.csv, or text with one synset per line"

LARGEST = 1 << 24
"""Maximum size of a label file in bytes; the largest in use, Kaggle's CSV, has 3 MB."""

_WNID = re.compile(r"n\d{8}", re.ASCII)
_ROW = re.compile(r'"?(?:[^,\s"]*/)?ILSVRC2012_val_(\d{8})(?:\.\w+)?"?[,\s]\s*"?(n\d{8})\b.*', re.ASCII)


def read_ground_truth(path: Path) -> dict[int, str]:
    """Read labels: number in the image's name, from 1 -> synset.

    Args:
        path: The devkit, packed or unpacked; the ground truth in a folder with `meta.mat`; a CSV or text of image names
            and synsets, such as Kaggle's; or text with one synset per line, in the order of the images.

    Raises:
        ConvRNNError: The file cannot be read, or has another format.
    """
    if path.is_dir():
        return _devkit(path, lambda name: _in_folder(path, name))
    data = _read(path)
    if data[:2] == b"\x1f\x8b":
        return _devkit(path, lambda name: _in_archive(path, data, name))
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _unreadable(path, "they must be UTF-8 text or a .tar.gz") from error
    while lines and not lines[-1].strip():
        lines.pop()
    if lines and lines[0].strip().isdecimal():
        return _from_numbers(path, lines, lambda: _read(path.parent / META))
    if lines and _WNID.fullmatch(lines[0].strip()):
        return {number: _synset(path, number, line) for number, line in enumerate(lines, start=1)}
    return _from_rows(path, lines)


def _unreadable(path: Path, problem: str) -> ConvRNNError:
    return ConvRNNError(f"cannot read validation labels {path}: {problem}. Give {FORMS}")


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        otherwise = (
            f"Put the devkit's {META} next to {GROUND_TRUTH}" if path.name == META else f"Give {FORMS}"
        )
        raise ConvRNNError(
            f"cannot read validation labels {path}: {advice.describe(error, path, otherwise)}"
        ) from error
    if len(data) > LARGEST:
        raise _unreadable(path, f"they must be at most {LARGEST:,} bytes, got a larger file")
    return data


def _synset(path: Path, number: int, line: str) -> str:
    if not _WNID.fullmatch(line.strip()):
        raise _unreadable(path, f"line {number} must be a synset, got {line[:40]!r}")
    return line.strip()


def _from_rows(path: Path, lines: list[str]) -> dict[int, str]:
    """Parse a table whose first two columns are image name and synset, with or without a header."""
    labels: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _ROW.fullmatch(line)
        if match is None:
            if number == 1 or not line.strip():
                continue
            raise _unreadable(path, f"line {number} must name an image and its synset, got {line[:40]!r}")
        if labels.setdefault(int(match[1]), match[2]) != match[2]:
            raise _unreadable(
                path, f"image {match[1]} must have one synset, got {labels[int(match[1])]} and {match[2]}"
            )
    if not labels:
        raise _unreadable(path, "they must name images such as ILSVRC2012_val_00000001, got none")
    return labels


def _devkit(path: Path, read: Callable[[str], bytes]) -> dict[int, str]:
    lines = read(GROUND_TRUTH).decode("ascii", "replace").split()
    return _from_numbers(path, lines, lambda: read(META))


def _in_folder(path: Path, name: str) -> bytes:
    inner = path / "data" / name
    return _read(inner if inner.is_file() else path / name)


def _in_archive(path: Path, data: bytes, name: str) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.rpartition("/")[2] == name else None
                if file is not None:
                    return file.read(LARGEST)
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise _unreadable(path, f"the archive is damaged ({error})") from error
    raise _unreadable(path, f"the archive must hold {name}")


def _from_numbers(path: Path, lines: list[str], read_meta: Callable[[], bytes]) -> dict[int, str]:
    synsets = _synsets_by_id(path, read_meta())
    labels = {}
    for number, line in enumerate(lines, start=1):
        synset = synsets.get(int(line)) if line.strip().isdecimal() and len(line) < 9 else None
        if synset is None:
            raise _unreadable(
                path, f"line {number} must be an ILSVRC2012_ID listed in {META}, got {line[:40]!r}"
            )
        labels[number] = synset
    return labels


def _synsets_by_id(path: Path, meta: bytes) -> dict[int, str]:
    try:
        synsets = read_synsets(meta)
    except UnreadableError as error:
        raise _unreadable(path, f"{META} is damaged, or not the devkit's ({error})") from error
    if not synsets or not all(_WNID.fullmatch(synset) for synset in synsets.values()):
        raise _unreadable(path, f"{META} must list synsets such as n02690373")
    return synsets
