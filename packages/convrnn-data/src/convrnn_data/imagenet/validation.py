"""Listing of ILSVRC's validation images: the archive, a folder of images, or class folders.

The pretrained networks were trained on ILSVRC's training images, not on these.
"""

import collections
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import is_hidden
from convrnn_data.imagenet.ground_truth import FORMS as LABEL_FORMS
from convrnn_data.imagenet.ground_truth import USUAL, read_ground_truth
from convrnn_data.imagenet.listing import WNID, ClassListing, Container, is_image
from convrnn_data.imagenet.unpacking import Unpacker, is_compressed, unpacked_name
from convrnn_data.shards.tarwalk import walk

ARCHIVE = "ILSVRC2012_img_val.tar"

IMAGES = 50_000
"""Number of images in ILSVRC's validation set."""

FORMS = f"{ARCHIVE}, a folder of its images, or <wnid>/ILSVRC2012_val_*.JPEG"

_BELOW = ("val", "ILSVRC/Data/CLS-LOC/val", "Data/CLS-LOC/val")
"""Subfolders with the images in the layouts of torchvision and Kaggle."""

_STEM = re.compile(r"ILSVRC2012_val_(\d{8})(?:_(n\d{8}))?", re.ASCII)


class File(NamedTuple):
    """File among the validation images, and the folder that contains it."""

    folder: str
    name: str
    path: Path
    offset: int
    size: int
    stamp: int


@dataclass(frozen=True)
class Validation:
    """ILSVRC's validation images of the wanted synsets.

    Attributes:
        kind: Layout, in words.
        classes: Images of the wanted synsets, one entry per synset with images.
        wanted: Number of images of the wanted synsets.
        images: Number of images of all synsets.
        labels: File with the synsets; None if folders or names give them.
    """

    kind: str
    classes: tuple[ClassListing, ...]
    wanted: int
    images: int
    labels: Path | None

    @property
    def summary(self) -> str:
        """Layout and size, in one line."""
        part = (
            "all of ILSVRC's validation set"
            if self.images == IMAGES
            else f"a part of ILSVRC's {IMAGES:,} validation images"
        )
        labels = "" if self.labels is None else f", labels from {self.labels.name}"
        return f"{self.kind}: {self.images:,} images, {self.wanted:,} of the 16 categories ({part}{labels})"


def find_validation(
    path: Path, wanted: Collection[str], labels: Path | None = None, unpack: Unpacker | None = None
) -> Validation:
    """List ILSVRC's validation images of the wanted synsets.

    Args:
        path: Archive, folder of images, class folders, or a folder that holds one of these.
        wanted: Synsets to list.
        labels: See `read_ground_truth`; searched for next to the images by default.
        unpack: Unpacks a compressed archive, which is refused if this is None.

    Raises:
        ConvRNNError: There are no images, they cannot be read, or their synsets are unknown.
    """
    root = _root(path)
    try:
        if unpack is not None and root.is_file() and is_compressed(root):
            root = unpack.unpack(root, f"validation-{unpacked_name(root)}")
        found = list(_in_archive(root) if root.is_file() else _in_folder(root))
    except OSError as error:
        path, otherwise = Path(error.filename or root), "Every folder and file must be readable"
        raise ConvRNNError(
            f"cannot read validation images {path}: {advice.describe(error, path, otherwise)}"
        ) from error
    images = [file for file in found if is_image(file.name) and _stem(file.name)]
    if not images:
        names = ", ".join(file.name for file in found[:3]) or "nothing"
        raise ConvRNNError(
            f"{path} holds no ILSVRC validation images such as ILSVRC2012_val_00000001.JPEG, got {names}. Give {FORMS}"
        )
    _refuse_repeated(images, root)
    labelled = all(_own_synset(file) for file in images)
    if labels is None and not labelled:
        labels = _usual_labels(path, root)
    synsets = _synsets(images, root, labels)
    classes = tuple(
        _listing(synset, group, root) for (synset, _), group in sorted(synsets.items()) if synset in wanted
    )
    if not classes:
        raise ConvRNNError(
            f"{path} holds no validation images of the 16 categories, got {len(images):,} of other classes. Give the "
            "whole ILSVRC validation set"
        )
    kind = "validation archive" if root.is_file() else f"{'labelled ' if labelled else ''}validation images"
    return Validation(kind, classes, sum(len(listing.names) for listing in classes), len(images), labels)


def _root(path: Path) -> Path:
    """Return the archive or folder that contains the images."""
    for inner in (path / ARCHIVE, *(path / name for name in _BELOW)):
        if inner.exists():
            return inner
    return path


def _in_archive(path: Path) -> Iterator[File]:
    with open(path, "rb") as file:
        stamp = os.fstat(file.fileno()).st_mtime_ns
        for entry in walk(file.fileno(), path):
            folder, _, name = entry.name.rpartition("/")
            if not is_hidden(entry.name):
                yield File(folder.rpartition("/")[2], name, path, entry.offset, entry.size, stamp)


def _in_folder(root: Path) -> Iterator[File]:
    for entry in _scan(root):
        if WNID.fullmatch(entry.name):
            yield from (_file(inner, entry.name) for inner in _scan(Path(entry.path)))
        elif not entry.is_dir():
            yield _file(entry, "")


def _scan(folder: Path) -> Iterable[os.DirEntry[str]]:
    return sorted(
        (entry for entry in os.scandir(folder) if not is_hidden(entry.name)), key=lambda entry: entry.name
    )


def _file(entry: os.DirEntry[str], folder: str) -> File:
    stat = os.stat(entry.path)
    return File(folder, entry.name, Path(entry.path).parent, 0, stat.st_size, stat.st_mtime_ns)


def _refuse_repeated(images: list[File], root: Path) -> None:
    name, times = collections.Counter(file.name for file in images).most_common(1)[0]
    if times > 1:
        raise ConvRNNError(
            f"{root} holds {name} {times} times: each validation image must occur once. Remove the others"
        )


def _stem(name: str) -> re.Match[str] | None:
    return _STEM.fullmatch(name.rpartition(".")[0])


def _own_synset(file: File) -> str | None:
    """Return the synset stated by an image's folder or, in Hugging Face's copy, by the name."""
    match = _stem(file.name)
    return file.folder if WNID.fullmatch(file.folder) else match[2] if match else None


def _usual_labels(path: Path, root: Path) -> Path:
    for folder in dict.fromkeys((path, path.parent, root.parent)):
        for name in USUAL:
            if folder.is_dir() and (folder / name).exists():
                return folder / name
    raise ConvRNNError(
        f"cannot find the labels of the validation images {path}: none of the usual files is next to them. Pass "
        f"--validation-labels: {LABEL_FORMS}"
    )


def _synsets(images: list[File], root: Path, labels: Path | None) -> dict[tuple[str, Path], list[File]]:
    """Group images by synset and by the folder or archive that contains them."""
    listed = {} if labels is None else read_ground_truth(labels)
    synsets: dict[tuple[str, Path], list[File]] = {}
    for file in images:
        own, number = _own_synset(file), int(file.name[15:23])
        synset = listed.get(number, own)
        if synset is None:
            raise ConvRNNError(
                f"{labels} has no label for {file.name} in {root}: it has {len(listed):,} labels, the highest for "
                f"image {max(listed, default=0):08d}. Give the labels of these images"
            )
        if own and synset != own:
            raise ConvRNNError(
                f"{file.name} in {root} must have one synset, got {own} by its folder or name and {synset} by "
                f"{labels}. Give the labels of these images"
            )
        synsets.setdefault((synset, file.path), []).append(file)
    return synsets


def _listing(synset: str, images: list[File], root: Path) -> ClassListing:
    images = sorted(images, key=lambda entry: entry.name)
    path = images[0].path
    end = root.stat().st_size if root.is_file() else 0
    names = np.array([file.name.encode() for file in images], dtype=bytes)
    columns = np.array([(file.offset, file.size, file.stamp) for file in images], dtype=np.int64)
    offsets, sizes, stamps = columns.T.copy()
    return ClassListing(Container(synset, path, 0, end), names, offsets, sizes, stamps)
