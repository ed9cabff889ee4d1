"""ImageNet as it lies on a disk: class folders, per-class tars, or the official tar of tars, read in place."""

import collections
import io
import os
import re
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from convrnn_data.console import Report, silent
from convrnn_data.errors import ConvRNNError
from convrnn_data.tarwalk import walk

SYNSETS, IMAGES = 1000, 1_281_167
"""What all of ImageNet's training set holds."""

OFFICIAL = "ILSVRC2012_img_train.tar"

FORMS = f"train/<wnid>/*.JPEG, <wnid>/*.JPEG, <wnid>.tar or {OFFICIAL} (a <wnid> is a name such as n02690373)"
"""What is looked for in a folder, in words."""

SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})

THREADS = 8
"""Classes listed at once: on a network disk listing waits for answers, not for the processor."""

LONGEST_NAME = 255
"""Letters of a file name, as on any disk. Names are kept as wide as the widest: one could fill the memory."""

_WNID = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True)
class Container:
    """One class of a source: a folder, a tar, or the part of the outer tar that is the inner one.

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
        """The path as any process finds it, whatever folder it stands in."""
        return os.path.abspath(self.path)


@dataclass(frozen=True)
class Source:
    """A place where ImageNet was found, before anything in it is listed."""

    kind: str
    root: Path
    containers: tuple[Container, ...]


@dataclass(frozen=True)
class ClassListing:
    """The images of one class, in the order of their names.

    Attributes:
        container: where they lie.
        names: file names, (images,) fixed-width bytes.
        offsets: first byte in the container's tar, (images,) int64; 0 for folders.
        sizes: bytes, (images,) int64.
        stamps: time of last change of the file that holds each image, nanoseconds, (images,) int64.
        foreign: what is not an image: (name, reason).
    """

    container: Container
    names: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    stamps: np.ndarray
    foreign: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Listing:
    """The wanted classes of a source, image by image, and what the source holds in all."""

    source: Source
    classes: tuple[ClassListing, ...]
    images: int

    @property
    def summary(self) -> str:
        """What was found, in one line."""
        synsets = len(self.source.containers)
        whole = (synsets, self.images) == (SYNSETS, IMAGES)
        part = (
            "all of ImageNet's training set" if whole else f"a part of ImageNet's {SYNSETS:,} and {IMAGES:,}"
        )
        return f"{self.source.kind}: {synsets:,} synsets, {self.images:,} images ({part})"


def find_source(root: Path) -> Source:
    """Look at a path and find ImageNet in it.

    Raises:
        ConvRNNError: there is nothing there, or nothing that is ImageNet; the message says what was looked for.
    """
    try:
        if root.is_file():
            return Source("tar of tars", root, _inner_tars(root))
        entries = {entry.name: entry for entry in os.scandir(root)}
        if "train" in entries and entries["train"].is_dir():
            root = root / "train"
            entries = {entry.name: entry for entry in os.scandir(root)}
    except OSError as error:
        raise ConvRNNError(f"{root}: {error.strerror}; ImageNet is looked for there as {FORMS}") from error
    return _in_folder(root, entries)


def _in_folder(root: Path, entries: dict[str, os.DirEntry[str]]) -> Source:
    folders = sorted(name for name in entries if _WNID.fullmatch(name) and entries[name].is_dir())
    tars = sorted(
        name for name in entries if _WNID.fullmatch(name.removesuffix(".tar")) and entries[name].is_file()
    )
    if folders and tars:
        raise ConvRNNError(
            f"{root} holds {len(folders)} class folders and {len(tars)} class tars, which looks like an unfinished "
            "extraction; leave one kind there, or give the original tar"
        )
    if folders:
        return Source("class folders", root, tuple(Container(name, root / name) for name in folders))
    if tars:
        return Source("class tars", root, tuple(_tar(root / name) for name in tars))
    if OFFICIAL in entries:
        return Source("tar of tars", root / OFFICIAL, _inner_tars(root / OFFICIAL))
    found = ", ".join(sorted(entries)[:4]) + (", …" if len(entries) > 4 else "")
    raise ConvRNNError(
        f"{root} is not ImageNet: looked for {FORMS}; found {found or 'nothing, the folder is empty'}"
    )


def _tar(path: Path) -> Container:
    return Container(path.stem, path, 0, path.stat().st_size)


def _inner_tars(path: Path) -> tuple[Container, ...]:
    containers = []
    with open(path, "rb") as file:
        for entry in walk(file.fileno(), path):
            synset, suffix = PurePosixPath(entry.name).stem, PurePosixPath(entry.name).suffix
            if suffix != ".tar" or not _WNID.fullmatch(synset):
                raise ConvRNNError(
                    f"{path} is not {OFFICIAL}: a tar of tars named <wnid>.tar is looked for, and it "
                    f"holds {entry.name!r}. For the tar of a single class give the folder that it lies in"
                )
            containers.append(Container(synset, path, entry.offset, entry.offset + entry.size))
    if not containers:
        raise ConvRNNError(f"{path} is an empty tar; {OFFICIAL} is looked for")
    _once([container.synset for container in containers], path)
    return tuple(sorted(containers, key=lambda container: container.synset))


def list_images(source: Source, wanted: Collection[str], report: Report = silent) -> Listing:
    """List the images of the wanted synsets, and count those of all others.

    Args:
        source: where to look, from `find_source`.
        wanted: the synsets to list.
        report: told of every class.

    Raises:
        ConvRNNError: something cannot be read, or a tar is damaged.
    """

    def one(container: Container) -> tuple[ClassListing | None, int]:
        listed = _list_class(container) if container.synset in wanted else None
        return listed, len(listed.names) if listed else _count(container)

    classes, images = [], 0
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (listed, count) in enumerate(pool.map(one, source.containers), start=1):
            images += count
            classes += [listed] if listed else []
            report("Listing classes", done, len(source.containers))
    return Listing(source, tuple(classes), images)


def _count(container: Container) -> int:
    if container.end:
        return sum(1 for name, _, _, _ in _in_tar(container) if _is_image(name))
    return sum(1 for name in _names(container.path) if _is_image(name))


def _list_class(container: Container) -> ClassListing:
    rows = sorted(_in_tar(container) if container.end else _in_class_folder(container.path))
    images = [row for row in rows if _is_image(row[0])]
    foreign = [
        (row[0][:LONGEST_NAME], "not the name of an image (.JPEG, .jpg, .png)")
        for row in rows
        if not _is_image(row[0])
    ]
    _once([name for name, _, _, _ in images], container.path)
    names = np.array([os.fsencode(name) for name, _, _, _ in images], dtype=bytes)
    columns = np.array([row[1:] for row in images], dtype=np.int64).reshape(-1, 3)
    offsets, sizes, stamps = columns.T.copy()
    return ClassListing(container, names, offsets, sizes, stamps, tuple(foreign))


def _is_image(name: str) -> bool:
    return len(name) <= LONGEST_NAME and os.path.splitext(name)[1].lower() in SUFFIXES


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError as error:
        raise ConvRNNError(f"{folder}: {error.strerror}; every class folder must be readable") from error


def _in_class_folder(folder: Path) -> Iterable[tuple[str, int, int, int]]:
    for name in _names(folder):
        try:
            stat = os.stat(os.path.join(folder, name))
        except OSError as error:
            raise ConvRNNError(f"{folder / name}: {error.strerror}; every image must be readable") from error
        yield name, 0, stat.st_size, stat.st_mtime_ns


def _in_tar(container: Container) -> Iterable[tuple[str, int, int, int]]:
    with _opened(container.path) as file:
        stamp = os.fstat(file.fileno()).st_mtime_ns
        for entry in walk(file.fileno(), container.path, container.start, container.end):
            name = entry.name.rpartition("/")[2]
            if not name.startswith("."):
                yield name, entry.offset, entry.size, stamp


def _opened(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path)
    except OSError as error:
        raise ConvRNNError(f"{path}: {error.strerror}; every class must be readable") from error


def _once(names: list[str], path: Path) -> None:
    if len(set(names)) != len(names):
        twice = collections.Counter(names).most_common(1)[0][0]
        raise ConvRNNError(f"{path} holds {twice!r} twice; every name may be there once")
