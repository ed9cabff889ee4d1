"""ImageNet in a single tar: the official tar of class tars, or a tar of class folders."""

import os
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from convrnn_data.base import advice
from convrnn_data.base.console import Report, silent
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import is_hidden
from convrnn_data.imagenet.listing import (
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
from convrnn_data.imagenet.unpacking import Unpacker, is_compressed, unpacked_name
from convrnn_data.shards.tarwalk import Entry, walk

OFFICIAL = "ILSVRC2012_img_train.tar"

TAR_OF_TARS, TAR_OF_FOLDERS = "tar of tars", "tar of class folders"

CLASS_TAR = re.compile(r"(n[0-9]{8})\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz))")
"""Name of a class tar, compressed or not."""

IMAGES_FOLDER = "images"
"""Folder between class and images in Tiny-ImageNet's layout."""

TRAINING = "train"


def source_in_tar(path: Path, unpack: Unpacker | None) -> Source:
    """Detect ImageNet in a file.

    Args:
        path: The file.
        unpack: Unpacks a compressed file.

    Raises:
        ConvRNNError: The file is not an ImageNet tar.
        OSError: The file cannot be read.
    """
    tar = path
    if is_compressed(path):
        tar = unpacker(unpack, path).unpack(path, unpacked_name(path))
    others: list[str] = []
    with open(tar, "rb") as file:
        for entry in walk(file.fileno(), tar):
            if is_hidden(entry.name):
                continue
            if CLASS_TAR.fullmatch(PurePosixPath(entry.name).name):
                return _named(Source(TAR_OF_TARS, tar, _inner_tars(tar)), path)
            if _in_class_folder(entry) is not None and is_image(entry.name):
                return _named(Source(TAR_OF_FOLDERS, tar, ()), path)
            if len(others) < 10:
                others.append(entry.name)
    if not others:
        raise ConvRNNError(
            f"{path} is an empty tar: {OFFICIAL} holds a tar for each class. Download or copy it again"
        )
    raise ConvRNNError(
        f"{path} is not {OFFICIAL}: it must hold <wnid>.tar files or <wnid>/ folders, got {others[0]!r}. "
        f"{_way_out(others)}"
    )


def _named(source: Source, path: Path) -> Source:
    return source if source.root == path else replace(source, kind=f"{source.kind}, compressed")


def _way_out(names: list[str]) -> str:
    if any(name.endswith((".cls", ".json", ".__key__")) for name in names):
        return "It looks like a webdataset shard: give the ImageNet tar or folder that it was made from"
    return "If it is the tar of a single class, give the folder that holds the tar"


def unpacker(unpack: Unpacker | None, path: Path) -> Unpacker:
    """Return `unpack`, which is required for a compressed file.

    Raises:
        ConvRNNError: `unpack` is None.
    """
    if unpack is None:
        raise ConvRNNError(
            f"{path} is compressed: images are read by byte offset, which compression hides. Unpack it first"
        )
    return unpack


def _inner_tars(path: Path) -> tuple[Container, ...]:
    containers = []
    with open(path, "rb") as file:
        for entry in walk(file.fileno(), path):
            if is_hidden(entry.name):
                continue
            match = CLASS_TAR.fullmatch(PurePosixPath(entry.name).name)
            if match is None:
                raise ConvRNNError(
                    f"{path} is not {OFFICIAL}: every member must be a tar named <wnid>.tar, got {entry.name!r}. "
                    "Remove the member, or unpack the tar and give the folder"
                )
            containers.append(Container(match[1], path, entry.offset, entry.offset + entry.size))
    require_unique([container.synset for container in containers], path)
    return tuple(sorted(containers, key=lambda container: container.synset))


class _Location(NamedTuple):
    """Location of an image in a tar of class folders: folder above the classes, class, and file name."""

    above: str
    synset: str
    name: str


def _in_class_folder(entry: Entry) -> _Location | None:
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if len(parts) >= 3 and parts[-2] == IMAGES_FOLDER and WNID.fullmatch(parts[-3]):
        return _Location("/".join(parts[:-3]), parts[-3], parts[-1])
    if len(parts) >= 2 and WNID.fullmatch(parts[-2]):
        return _Location("/".join(parts[:-2]), parts[-2], parts[-1])
    return None


def list_folders_in_tar(source: Source, wanted: Collection[str], report: Report = silent) -> Listing:
    """List a tar of class folders in one pass over the headers.

    Args:
        source: Source of kind `TAR_OF_FOLDERS`.
        wanted: Synsets to list; images of other synsets are only counted.
        report: Progress callback, in MB.

    Raises:
        ConvRNNError: The tar is damaged, or holds several folders of classes of which none is named train.
    """
    path = source.root
    size = path.stat().st_size
    rows: dict[str, dict[str, list[ListedFile]]] = {}
    counts: dict[str, dict[str, int]] = {}
    links: list[str] = []
    with open(path, "rb") as file:
        stamp = os.fstat(file.fileno()).st_mtime_ns
        for number, entry in enumerate(walk(file.fileno(), path, links=links)):
            if number % 1000 == 0:
                report("Listing images (MB)", entry.offset // 1_000_000, size // 1_000_000)
            location = None if is_hidden(entry.name) else _in_class_folder(entry)
            if location is None:
                continue
            if location.synset in wanted:
                of_class = rows.setdefault(location.above, {}).setdefault(location.synset, [])
                of_class.append(ListedFile(location.name, entry.offset, entry.size, stamp))
            if is_image(location.name):
                by_class = counts.setdefault(location.above, {})
                by_class[location.synset] = by_class.get(location.synset, 0) + 1
    _refuse_links(path, links)
    above = _chosen(path, list(counts))
    containers = tuple(Container(synset, path, 0, size) for synset in sorted(counts[above]))
    found = rows.get(above, {})
    classes = tuple(
        class_listing(container, found[container.synset])
        for container in containers
        if container.synset in found
    )
    return Listing(replace(source, containers=containers), classes, sum(counts[above].values()))


def _chosen(path: Path, above: list[str]) -> str:
    """Return the folder of classes: the only one, or the only one named train."""
    training = [folder for folder in above if PurePosixPath(folder).name == TRAINING]
    chosen = above if len(above) == 1 else training
    if len(chosen) != 1:
        named = ", ".join(repr(folder or ".") for folder in sorted(above)[:4])
        raise ConvRNNError(
            f"{path} holds {len(above)} folders of classes ({named}): exactly one of them must be called {TRAINING}. "
            "Unpack the tar and give the right folder"
        )
    return chosen[0]


def list_class_tar(
    container: Container, wanted: bool, unpack: Unpacker | None
) -> tuple[ClassListing | None, int]:
    """List the tar of one class; a compressed tar is unpacked first.

    Args:
        container: The tar.
        wanted: Whether to list the images, or only to count them.
        unpack: Unpacks a compressed tar.

    Returns:
        The listing, None unless it is wanted; and the number of images.

    Raises:
        ConvRNNError: The tar cannot be read, or is damaged.
    """
    try:
        compressed = is_compressed(container.path, container.start)
        if compressed:
            tar = unpacker(unpack, container.path).unpack(
                container.path, f"{container.synset}.tar", container.start, container.end
            )
            container = Container(container.synset, tar, 0, tar.stat().st_size)
        if wanted:
            listed = class_listing(container, _members(container))
            return listed, len(listed.names)
        count = sum(1 for row in _members(container) if is_image(row.name))
        if compressed:
            container.path.unlink()
        return None, count
    except OSError as error:
        otherwise = "Every class tar must be readable"
        raise ConvRNNError(
            f"cannot read {container.path}: {advice.describe(error, container.path, otherwise)}"
        ) from error


def _members(container: Container) -> list[ListedFile]:
    links: list[str] = []
    with open(container.path, "rb", buffering=0) as file:
        stamp = os.fstat(file.fileno()).st_mtime_ns
        rows = [
            ListedFile(entry.name.rpartition("/")[2], entry.offset, entry.size, stamp)
            for entry in walk(file.fileno(), container.path, container.start, container.end, links=links)
            if not is_hidden(entry.name)
        ]
    _refuse_links(container.path, links)
    return rows


def _refuse_links(path: Path, links: list[str]) -> None:
    """Raise ConvRNNError if an image in a tar is a link, since the data is stored elsewhere."""
    images = [name for name in links if is_image(name) and not is_hidden(name)]
    if images:
        raise ConvRNNError(
            f"{path} holds {len(images)} image(s) as links: every image must be a file, got {images[0]!r}. Make "
            "the tar again with --dereference --hard-dereference"
        )
