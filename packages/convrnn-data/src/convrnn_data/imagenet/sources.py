"""Detection and listing of ImageNet on disk: class folders, class tars, or one tar of either."""

import os
import stat
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from convrnn_data.base import advice
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import names_in
from convrnn_data.imagenet.archives import (
    CLASS_TAR,
    IMAGES_FOLDER,
    OFFICIAL,
    TAR_OF_FOLDERS,
    list_class_tar,
    list_folders_in_tar,
    source_in_tar,
)
from convrnn_data.imagenet.listing import (
    IMAGES,
    SYNSETS,
    WNID,
    ClassListing,
    Container,
    ListedFile,
    Listing,
    Source,
    class_listing,
    is_image,
    require_unique,
)
from convrnn_data.imagenet.unpacking import Unpacker

__all__ = [
    "IMAGES",
    "OFFICIAL",
    "SYNSETS",
    "ClassListing",
    "Container",
    "Listing",
    "Source",
    "find_source",
    "list_images",
]

FORMS = (
    f"<wnid>/*.JPEG, <wnid>/images/*.JPEG, <wnid>.tar, {OFFICIAL} or a tar of <wnid>/ folders, compressed or not, "
    "directly or in train/ or ILSVRC/Data/CLS-LOC/train/ (a <wnid> is a name such as n02690373)"
)
"""Supported layouts, in words."""

_ABOVE = ("train", "ILSVRC2012_img_train", "ILSVRC", "Data", "CLS-LOC")
"""Folders above the classes: Kaggle's copy has ILSVRC/Data/CLS-LOC/train."""

_ONE_TAR = tuple(
    f"{name}.{ending}"
    for name in ("ILSVRC2012_img_train", "train")
    for ending in ("tar", "tar.gz", "tgz", "tar.bz2", "tar.xz")
)
"""Names of tars of all classes, which are detected in a given folder."""

THREADS = 8
"""Number of classes listed concurrently: listing on a network disk is bound by latency."""

_GIVE_IMAGENET = f"Give ImageNet as {FORMS}"


def find_source(root: Path, unpack: Unpacker | None = None) -> Source:
    """Detect ImageNet at a path.

    Args:
        root: A folder or an archive.
        unpack: Unpacks a compressed archive, which is refused if this is None.

    Raises:
        ConvRNNError: The path does not exist or is not ImageNet; the message lists the supported layouts.
    """
    try:
        mode = os.stat(root).st_mode
        if stat.S_ISDIR(mode):
            return _in_folder(root, unpack, depth=len(_ABOVE))
        if not stat.S_ISREG(mode):
            raise ConvRNNError(f"{root} is neither a folder nor a regular file. {_GIVE_IMAGENET}")
        return source_in_tar(root, unpack)
    except OSError as error:
        raise ConvRNNError(f"cannot read {root}: {advice.describe(error, root, _GIVE_IMAGENET)}") from error


def _in_folder(root: Path, unpack: Unpacker | None, depth: int) -> Source:
    names = names_in(root, _GIVE_IMAGENET)
    classes = [name for name in names if WNID.fullmatch(name) or CLASS_TAR.fullmatch(name)]
    # If the folder holds classes, only train/ takes precedence; the other names may be unrelated.
    for name in (_ABOVE[:1] if classes else _ABOVE) if depth else ():
        if name in names and stat.S_ISDIR(_mode(root / name)):
            return _in_folder(root / name, unpack, depth - 1)
    if classes:
        return _of_classes(root, [_class(root / name) for name in classes])
    for name in _ONE_TAR:
        if name in names and stat.S_ISREG(_mode(root / name)):
            return source_in_tar(root / name, unpack)
    raise ConvRNNError(_nothing_found(root, names))


def _mode(path: Path) -> int:
    """Return the mode of a path; a dead link is an error."""
    try:
        return os.stat(path).st_mode
    except OSError as error:
        otherwise = "Every class must be readable"
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, otherwise)}") from error


def _class(path: Path) -> Container:
    mode, match = _mode(path), CLASS_TAR.fullmatch(path.name)
    if stat.S_ISDIR(mode) and match is None:
        return Container(path.name, path)
    kind = advice.kind_of_file(path) if stat.S_ISREG(mode) else None
    size = path.stat().st_size
    if stat.S_ISREG(mode) and size and (match or (kind and kind.name in ("tar", "gzip", "bzip2", "xz"))):
        return Container(match[1] if match else path.name, path, 0, size)
    got = kind or ("a folder" if stat.S_ISDIR(mode) else "something else")
    raise ConvRNNError(
        f"{path} is neither a class folder nor a class tar: got {got}. Restore the class, or remove the entry"
    )


def _of_classes(root: Path, classes: list[Container]) -> Source:
    tars = [container for container in classes if container.end]
    if 0 < len(tars) < len(classes):
        raise ConvRNNError(
            f"{root} holds {len(classes) - len(tars)} class folders and {len(tars)} class tars: all classes must be of "
            "one kind, and a mix looks like an unfinished extraction. Finish it, or give the original tar"
        )
    require_unique([container.synset for container in classes], root)
    classes.sort(key=lambda container: container.synset)
    return Source("class tars" if tars else "class folders", root, tuple(classes))


_SHOWN = 4
_ARCHIVES = ("zip", "parquet", "arrow", "tar", "gzip", "bzip2", "xz", "zstd", "7z", "rar")


def _nothing_found(root: Path, names: list[str]) -> str:
    """Return the message for a folder that is not ImageNet, with advice for archives and tables of images."""
    start = f"{root} is not ImageNet: it must hold {FORMS}, got "
    if not names:
        return f"{start}an empty folder. Give the folder that holds the classes"
    for name in names[:50]:
        kind = advice.kind_of_file(root / name)
        if kind is not None and kind.name in _ARCHIVES:
            way = (
                f"Give {root / name} itself"
                if kind.name == "tar"
                else kind.way_out.replace("FILE", str(root / name))
            )
            return f"{start}{name}, {kind}. {way}"
    found = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{start}{found}. Give the folder that holds the classes"


def list_images(
    source: Source, wanted: Collection[str], report: Report = silent, unpack: Unpacker | None = None
) -> Listing:
    """List the images of the wanted synsets, and count those of all others.

    Args:
        source: Result of `find_source`.
        wanted: Synsets to list.
        report: Progress callback.
        unpack: Unpacks compressed class tars, which are refused if this is None.

    Raises:
        ConvRNNError: A file or folder cannot be read, or a tar is damaged.
    """
    if source.kind.startswith(TAR_OF_FOLDERS):
        return list_folders_in_tar(source, wanted, report)

    def list_class(container: Container) -> tuple[ClassListing | None, int]:
        if container.end:
            return list_class_tar(container, container.synset in wanted, unpack)
        return _list_class_folder(container, container.synset in wanted)

    classes, images = [], 0
    pool = ThreadPoolExecutor(THREADS)
    try:
        for done, (listed, count) in enumerate(pool.map(list_class, source.containers), start=1):
            images += count
            classes += [listed] if listed else []
            report("Listing classes", done, len(source.containers))
    except BaseException:
        if unpack is not None:
            unpack.stop()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    if unpack is not None and unpack.used and not source.kind.endswith("compressed"):
        source = replace(source, kind=f"{source.kind}, compressed")
    return Listing(source, tuple(classes), images)


def _list_class_folder(container: Container, wanted: bool) -> tuple[ClassListing | None, int]:
    names = names_in(container.path, "Every class folder must be readable")
    others: list[ListedFile] = []
    if IMAGES_FOLDER in names and stat.S_ISDIR(_mode(container.path / IMAGES_FOLDER)):
        if images := [name for name in names if is_image(name)]:
            raise ConvRNNError(
                f"{container.path} holds images, such as {images[0]}, and a folder {IMAGES_FOLDER}/: images must be in "
                "one of the two. Move them together"
            )
        others = [ListedFile(name, 0, 0, 0) for name in names if name != IMAGES_FOLDER]
        container = Container(container.synset, container.path / IMAGES_FOLDER)
        names = names_in(container.path, "Every class folder must be readable")
    if not wanted:
        return None, sum(1 for name in names if is_image(name))
    listed = class_listing(container, [*others, *_rows(container.path, names)])
    return listed, len(listed.names)


def _rows(folder: Path, names: Iterable[str]) -> Iterable[ListedFile]:
    for name in names:
        path = os.path.join(folder, name)
        try:
            status = os.stat(path)
        except OSError as error:
            otherwise = "Every image must be readable"
            raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, otherwise)}") from error
        if is_image(name) and not stat.S_ISREG(status.st_mode):
            raise ConvRNNError(
                f"{path} is named like an image but is not a regular file. Remove or rename it"
            )
        yield ListedFile(name, 0, status.st_size, status.st_mtime_ns)
