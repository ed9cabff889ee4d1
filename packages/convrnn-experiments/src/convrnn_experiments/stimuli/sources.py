"""Sources of new stimuli: labelled validation images in a prepared set, an archive or folders."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convrnn_data import PreparedSet
from convrnn_data.base import advice
from convrnn_data.base.directories import files_below, is_dead_link
from convrnn_data.base.reading import names_in
from convrnn_data.categories import LABELS, shipped_lists
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.plan import members_of
from convrnn_data.imagenet.validation import find_validation
from convrnn_data.shards.formats import origin
from convrnn_data.shards.prepared_set import MANIFEST
from convrnn_experiments.errors import ConvRNNError

_SUFFIXES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Source:
    """Encoded images and their categories.

    Attributes:
        names: File names.
        labels: (images,) categories, 0..15.
        read: Function from a row to the bytes of its image.
    """

    names: list[str]
    labels: np.ndarray
    read: Callable[[int], bytes]


def find_source(folder: Path, labels: Path | None = None) -> Source:
    """Find validation images; their order depends only on their names and folders.

    Args:
        folder: A prepared set, with ILSVRC's validation images if it has any, else its split `val`; ILSVRC's validation
            archive or a folder of its images; folders named by synset or category; or any folder of images, with
            `labels`.
        labels: CSV of image name and synset or category, such as ILSVRC's `LOC_val_solution.csv`; for ILSVRC's
            validation images also the devkit, or text with one synset per line.

    Raises:
        ConvRNNError: Images of the 16 categories are not found.
    """
    if not folder.exists():
        raise ConvRNNError(
            f"cannot find validation images: {folder} does not exist. Give a prepared set or validation images"
        )
    if labels is None and (folder / MANIFEST).is_file():
        return _prepared_source(PreparedSet(folder))
    if folder.is_file() or (labels is not None and labels.suffix != ".csv"):
        return _ilsvrc_source(folder, labels)
    categories = _categories_by_folder(folder) if labels is None else _categories_by_list(folder, labels)
    if not categories and labels is None and next(folder.rglob("ILSVRC2012_*val*"), None) is not None:
        return _ilsvrc_source(folder, None)
    if not categories:
        raise ConvRNNError(
            f"cannot find validation images: {folder} must hold images of the 16 categories, got none. Give a prepared "
            "set, ILSVRC's validation images, folders named by synset or category, or --labels with a CSV of image "
            "names and synsets"
        )
    paths = sorted(categories)
    image_labels = np.array([LABELS[categories[path]] for path in paths])
    return Source([path.name for path in paths], image_labels, lambda row: paths[row].read_bytes())


def _prepared_source(prepared: PreparedSet) -> Source:
    """Return ILSVRC's validation images in a prepared set if there are any, else its split `val`."""
    unseen = [name for name in ("val", "test") if prepared.origins(name).get("validation")]
    table = prepared.table(unseen[0] if unseen else "val")
    order = np.argsort(table.keys)
    if unseen:
        order = order[[origin(key) == "validation" for key in table.keys[order].tolist()]]
    names = [f"{key}.jpg" for key in table.keys[order]]
    return Source(names, table.labels[order], lambda row: table.read([int(order[row])])[0])


def _ilsvrc_source(path: Path, labels: Path | None) -> Source:
    """Return ILSVRC's validation images as distributed: an archive, or a folder of its images."""
    categories = shipped_lists().categories
    found = find_validation(path, categories, labels)
    images = sorted(
        (member.name, LABELS[categories[member.synset]], member)
        for images_of_class in found.classes
        for member in members_of(images_of_class)
    )

    def read(row: int) -> bytes:
        with Reader() as reader:
            return reader.read(images[row][2])

    return Source([image[0] for image in images], np.array([image[1] for image in images]), read)


def _categories_by_folder(folder: Path) -> dict[Path, str]:
    """Return image -> category for images in folders that are named by synset or category."""
    found: dict[Path, str] = {}
    for inner in (folder / name for name in names_in(folder)):
        if category := _category(inner.name):
            if is_dead_link(inner):
                raise ConvRNNError(
                    f"cannot read the images of {category}: {inner} must link to a folder, got a broken link. "
                    "Mount the disk of its target, or remove the link"
                )
            if inner.is_dir():
                paths = (inner / name for name in names_in(inner))
                found |= {path: category for path in paths if path.suffix.lower() in _SUFFIXES}
    return found


def _categories_by_list(folder: Path, labels: Path) -> dict[Path, str]:
    """Return image -> category for images at any depth that a CSV lists.

    A row has a name, with or without its extension, and a synset or category, which other text may follow.
    """
    try:
        with labels.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if len(row) > 1 and row[1].split()]
    except OSError as error:
        raise ConvRNNError(f"cannot read {labels}: {advice.describe(error, labels)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConvRNNError(
            f"cannot read {labels}: it must be CSV text in UTF-8, got another encoding or damage ({error}). Save it as "
            "UTF-8"
        ) from error
    wanted = {Path(row[0]).stem: category for row in rows if (category := _category(row[1].split()[0]))}
    if not wanted:
        raise ConvRNNError(
            f"cannot use {labels}: its columns must be the name and the synset of images, got none of the 16 "
            "categories. Give ILSVRC's LOC_val_solution.csv or a table like it"
        )
    found: dict[str, Path] = {}
    for path in files_below(folder):
        if path.stem in wanted and path.suffix.lower() in _SUFFIXES:
            first = found.setdefault(path.stem, path)
            if first != path:
                raise ConvRNNError(
                    f"cannot tell the images of {folder} apart: a listed name may occur once, got {first} and {path}. "
                    "Remove one of them"
                )
    return {path: wanted[stem] for stem, path in found.items()}


def _category(name: str) -> str | None:
    """Return the category that a synset or a category's own name stands for, if it is one of the 16."""
    return name if name in LABELS else shipped_lists().categories.get(name)
