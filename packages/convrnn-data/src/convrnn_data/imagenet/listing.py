"""Classes and images of an ImageNet source, and rules for file names."""

import collections
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from convrnn_data.base.errors import ConvRNNError

SYNSETS, IMAGES = 1000, 1_281_167
"""Numbers of classes and images in ImageNet's training set."""

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp"})
"""Extensions of images, compared in lower case."""

NOT_AN_IMAGE = "not the name of an image (.JPEG, .jpg, .png, .webp)"

LONGEST_NAME = 255
"""Maximum length of a file name. Columns of names are as wide as the longest, which could exhaust memory."""

WNID = re.compile(r"n[0-9]{8}")

_WITH_WNID = re.compile(rb"(.+)_(n[0-9]{8})")
"""Names in the Hugging Face copy end with the class: `n01514859_10021_n01514859.JPEG`."""


@dataclass(frozen=True)
class Container:
    """Location of one class: a folder, a tar, or a part of a larger tar.

    Attributes:
        synset: Wnid of the class.
        path: Folder or tar.
        start: First byte of the class tar in `path`; 0 for a folder.
        end: End of the class tar, exclusive; 0 for a folder.
    """

    synset: str
    path: Path
    start: int = 0
    end: int = 0

    @cached_property
    def absolute(self) -> str:
        """Absolute path, valid in processes with another current folder."""
        return os.path.abspath(self.path)


@dataclass(frozen=True)
class Source:
    """ImageNet source whose images have not been listed yet.

    Attributes:
        kind: Layout, in words.
        root: Folder or archive.
        containers: Classes; empty for a tar of class folders, whose classes are known after listing.
    """

    kind: str
    root: Path
    containers: tuple[Container, ...]


class ListedFile(NamedTuple):
    """File of a class: name, first byte in the tar (0 for folders), size, and modification time in ns."""

    name: str
    offset: int
    size: int
    stamp: int


@dataclass(frozen=True)
class ClassListing:
    """Images of one class, in the order of their names.

    Attributes:
        container: Location of the class.
        names: (images,) fixed-width bytes, file names.
        offsets: (images,) int64, first byte in the tar; 0 for folders.
        sizes: (images,) int64, bytes.
        stamps: (images,) int64, modification time of the file that holds the image, in nanoseconds.
        foreign: (name, reason) of files that are not images.
    """

    container: Container
    names: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    foreign: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listing:
    """Images of the wanted classes of a source, and the total number of images in the source."""

    source: Source
    classes: tuple[ClassListing, ...]
    images: int

    @property
    def summary(self) -> str:
        """Layout and size of the source, in one line."""
        synsets = len(self.source.containers)
        whole = (synsets, self.images) == (SYNSETS, IMAGES)
        part = (
            "all of ImageNet's training set" if whole else f"a part of ImageNet's {SYNSETS:,} and {IMAGES:,}"
        )
        return f"{self.source.kind}: {synsets:,} synsets, {self.images:,} images ({part})"


def is_image(name: str) -> bool:
    """Return whether a file name has an extension of images."""
    return len(name) <= LONGEST_NAME and os.path.splitext(name)[1].lower() in SUFFIXES


def key_of(name: bytes) -> bytes:
    """Return the key of an image: the name without extension, and without the class added by the Hugging Face copy."""
    stem = name.rpartition(b".")[0]
    match = _WITH_WNID.fullmatch(stem)
    return match[1] if match else stem


def stated_synsets(name: bytes) -> set[bytes]:
    """Return the classes stated at the beginning and at the end of an image's name."""
    stem = name.rpartition(b".")[0]
    match = _WITH_WNID.fullmatch(stem)
    stated = {match[2]} if match else set()
    return stated | ({stem[:9]} if re.match(rb"n[0-9]{8}_", stem) else set())


def class_listing(container: Container, rows: Iterable[ListedFile]) -> ClassListing:
    """Separate the files of a class into images and others.

    Raises:
        ConvRNNError: Two files have the same name, which is possible in a tar.
    """
    ordered = sorted(rows)
    images = [row for row in ordered if is_image(row.name)]
    foreign = tuple((row.name[:LONGEST_NAME], NOT_AN_IMAGE) for row in ordered if not is_image(row.name))
    require_unique([row.name for row in images], container.path)
    names = np.array([os.fsencode(row.name) for row in images], dtype=bytes)
    columns = np.array([row[1:] for row in images], dtype=np.int64).reshape(-1, 3)
    offsets, sizes, stamps = columns.T.copy()
    return ClassListing(container, names, offsets, sizes, stamps, foreign)


def require_unique(names: list[str], path: Path) -> None:
    """Raise ConvRNNError if a name occurs twice in `path`."""
    if len(set(names)) != len(names):
        repeated = collections.Counter(names).most_common(1)[0][0]
        raise ConvRNNError(
            f"{path} holds {repeated!r} twice: every name must be unique. Remove one of the two"
        )
