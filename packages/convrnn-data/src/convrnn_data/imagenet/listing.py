"""The classes and images of an ImageNet source, and the rules for their names."""

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
"""Classes and images of ImageNet's whole training set."""

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp"})
"""Endings of image names, in lower case; any case is read."""

NOT_AN_IMAGE = "not the name of an image (.JPEG, .jpg, .png, .webp)"

LONGEST_NAME = 255
"""Letters of a file name, as on any disk. Names are kept as wide as the widest: one could fill the memory."""

WNID = re.compile(r"n[0-9]{8}")

_WITH_WNID = re.compile(rb"(.+)_(n[0-9]{8})")
"""The Hugging Face copy ends every name with the class: `n01514859_10021_n01514859.JPEG`."""


@dataclass(frozen=True)
class Container:
    """One class of a source: a folder, a tar, or the part of a larger tar that holds it.

    Attributes:
        synset: the class's wnid.
        path: the folder or the tar.
        start: where the class's tar begins in `path`, in bytes; 0 for a folder.
        end: where it ends, exclusive; 0 for a folder.
    """

    synset: str
    path: Path
    start: int = 0
    end: int = 0

    @cached_property
    def absolute(self) -> str:
        """The path as any process finds it, whatever its current folder."""
        return os.path.abspath(self.path)


@dataclass(frozen=True)
class Source:
    """A place where ImageNet was found, before its images are listed.

    Attributes:
        kind: the form, in words.
        root: the folder or the archive.
        containers: the classes; empty for a tar of class folders, whose classes are known once it is listed.
    """

    kind: str
    root: Path
    containers: tuple[Container, ...]


class Row(NamedTuple):
    """One file of a class: its name, first byte in the tar (0 for folders), bytes, and time of change in ns."""

    name: str
    offset: int
    size: int
    stamp: int


@dataclass(frozen=True)
class ClassListing:
    """The images of one class, in the order of their names.

    Attributes:
        container: their folder or tar.
        names: file names, (images,) fixed-width bytes.
        offsets: first byte in the container's tar, (images,) int64; 0 for folders.
        sizes: bytes, (images,) int64.
        stamps: time of last change of the file that holds each image, nanoseconds, (images,) int64.
        foreign: files that are not images: (name, reason).
    """

    container: Container
    names: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    foreign: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listing:
    """The wanted classes of a source, image by image, and how many images the source holds in all."""

    source: Source
    classes: tuple[ClassListing, ...]
    images: int

    @property
    def summary(self) -> str:
        """The source's form and size, in one line."""
        synsets = len(self.source.containers)
        whole = (synsets, self.images) == (SYNSETS, IMAGES)
        part = (
            "all of ImageNet's training set" if whole else f"a part of ImageNet's {SYNSETS:,} and {IMAGES:,}"
        )
        return f"{self.source.kind}: {synsets:,} synsets, {self.images:,} images ({part})"


def is_image(name: str) -> bool:
    """Tell whether a file name is an image's, by its ending."""
    return len(name) <= LONGEST_NAME and os.path.splitext(name)[1].lower() in SUFFIXES


def key_of(name: bytes) -> bytes:
    """Return the key of an image: its name without ending, and without the class that the Hugging Face copy adds."""
    stem = name.rpartition(b".")[0]
    match = _WITH_WNID.fullmatch(stem)
    return match[1] if match else stem


def stated_synsets(name: bytes) -> set[bytes]:
    """Return the classes that an image's name states, at its beginning and its end; empty if it states none."""
    stem = name.rpartition(b".")[0]
    match = _WITH_WNID.fullmatch(stem)
    stated = {match[2]} if match else set()
    return stated | ({stem[:9]} if re.match(rb"n[0-9]{8}_", stem) else set())


def class_listing(container: Container, rows: Iterable[Row]) -> ClassListing:
    """Sort the files of a class into images and others.

    Raises:
        ConvRNNError: two files have the same name, as in a tar only.
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
    """Raise ConvRNNError where a name occurs twice in `path`."""
    if len(set(names)) != len(names):
        twice = collections.Counter(names).most_common(1)[0][0]
        raise ConvRNNError(f"{path} holds {twice!r} twice: every name must be unique. Remove one of the two")
