"""The 16 categories in label order, with their synsets and the images on Geirhos' lists.

The lists are those of 16-class ImageNet (Geirhos et al. 2018, CC BY 4.0), included as `listed_images.txt.xz`.
"""

import lzma
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from convrnn_data.base import advice
from convrnn_data.base.errors import ConvRNNError

CATEGORIES: tuple[str, ...] = (
    "airplane",
    "bear",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "car",
    "cat",
    "chair",
    "clock",
    "dog",
    "elephant",
    "keyboard",
    "knife",
    "oven",
    "truck",
)
"""Categories in alphabetical order; positions are labels."""

LABELS: dict[str, int] = {category: label for label, category in enumerate(CATEGORIES)}

CHANCE = 1 / len(CATEGORIES)
"""Probability that a random category is correct."""

IMAGE_NAME = re.compile(r"(n\d{8})_(0|[1-9]\d{0,17})\.JPEG", re.ASCII)
"""ImageNet training file name: synset and number of the image."""

SHIPPED = "listed_images.txt.xz"

ATTRIBUTION = (
    "# 16-class ImageNet: image lists of Geirhos et al. (2018), Generalisation in humans and deep neural networks,",
    "# https://github.com/rgeirhos/generalisation-humans-DNNs, CC BY 4.0. Changed in form only: one line per synset:",
    "# category, synset, then the image numbers in ascending order, each as the difference from the one before.",
)


@dataclass(frozen=True)
class ImageLists:
    """Synsets of the categories, and listed images of the synsets.

    Attributes:
        categories: Synset -> category, sorted by synset.
        numbers: Synset -> numbers of the listed images, (images,) int64, ascending.
    """

    categories: dict[str, str]
    numbers: dict[str, np.ndarray]

    @property
    def total(self) -> int:
        """Number of listed images."""
        return sum(len(numbers) for numbers in self.numbers.values())

    def label(self, synset: str) -> int:
        """Return the label of a synset."""
        return LABELS[self.categories[synset]]

    def names(self, synset: str) -> list[str]:
        """Return the listed file names of a synset, by ascending number."""
        return [f"{synset}_{number}.JPEG" for number in self.numbers[synset].tolist()]


@cache
def shipped_lists() -> ImageLists:
    """Return Geirhos' lists, which are included in the package: 213,555 images of 202 synsets."""
    data = resources.files("convrnn_data").joinpath(SHIPPED).read_bytes()
    return unpack(lzma.decompress(data).decode("ascii"))


def read_lists(folder: Path) -> ImageLists:
    """Read image lists: one `{category}.txt` per category, one file name per line.

    Raises:
        ConvRNNError: A list is missing or empty, a line is not an ImageNet file name, an image is listed twice, or
            a synset is in two categories.
    """
    categories: dict[str, str] = {}
    numbers: dict[str, list[int]] = {}
    for category in CATEGORIES:
        for line, name in enumerate(_lines(folder / f"{category}.txt"), start=1):
            match = IMAGE_NAME.fullmatch(name)
            where = f"{folder / category}.txt, line {line}"
            if match is None:
                raise ConvRNNError(
                    f"{where}: a line must be an ImageNet training file name such as n02690373_10001.JPEG, got "
                    f"{name!r}. Correct or remove the line"
                )
            synset = match[1]
            if categories.setdefault(synset, category) != category:
                raise ConvRNNError(
                    f"{where}: a synset must be in one list, got {synset} in {categories[synset]}.txt and "
                    f"{category}.txt. Remove it from one of them"
                )
            numbers.setdefault(synset, []).append(int(match[2]))
    return _lists(categories, numbers)


_ONE_PER_LINE = "an image list must have one ImageNet file name per line"


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines()]
    except OSError as error:
        otherwise = "Give a folder of 16 image lists, airplane.txt to truck.txt"
        raise ConvRNNError(f"cannot read {path}: {advice.describe(error, path, otherwise)}") from error
    except UnicodeDecodeError as error:
        raise ConvRNNError(
            f"{path} is not ASCII text: {_ONE_PER_LINE}. Correct or replace the file"
        ) from error
    if not any(lines):
        raise ConvRNNError(f"{path} is empty: {_ONE_PER_LINE}. Restore the file, or add its images")
    return [line for line in lines if line]


def _lists(categories: dict[str, str], numbers: dict[str, list[int]]) -> ImageLists:
    columns = {synset: np.unique(numbers[synset]) for synset in sorted(numbers)}
    for synset, column in columns.items():
        if len(column) != len(numbers[synset]):
            raise ConvRNNError(
                f"{categories[synset]}.txt lists {len(numbers[synset]) - len(column)} image(s) of {synset} twice: "
                "every image must be listed once. Remove the repeated lines"
            )
    return ImageLists({synset: categories[synset] for synset in columns}, columns)


def pack(lists: ImageLists) -> str:
    """Encode lists in the compact format that is included in the package (before compression)."""
    lines: list[str] = [*ATTRIBUTION]
    for synset, numbers in lists.numbers.items():
        steps = np.diff(numbers, prepend=0)
        lines.append(" ".join([lists.categories[synset], synset, *map(str, steps.tolist())]))
    return "\n".join(lines) + "\n"


def unpack(text: str) -> ImageLists:
    """Decode lists from the compact format; the inverse of `pack`."""
    categories, numbers = {}, {}
    for line in _without_comments(text.splitlines()):
        category, synset, *steps = line.split()
        categories[synset] = category
        numbers[synset] = np.cumsum(np.array(steps, dtype=np.int64))
    return ImageLists(categories, numbers)


def _without_comments(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if not line.startswith("#")]
