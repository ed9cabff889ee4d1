"""New test sets in the layout of the human experiments, from validation images, by the regimes that training uses."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from convrnn_data import CATEGORIES, PreparedSet
from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_folder, require_new
from convrnn_data.base.console import Report, silent
from convrnn_data.base.directories import files_below, is_dead_link
from convrnn_data.base.random_streams import Stream, generator
from convrnn_data.base.reading import names_in
from convrnn_data.categories import LABELS, shipped_lists
from convrnn_data.human.experiment import BLOCKS
from convrnn_data.human.stimuli import StimulusName
from convrnn_data.imagenet.copying import Reader
from convrnn_data.imagenet.plan import members_of
from convrnn_data.imagenet.validation import find_validation
from convrnn_data.sample.sample import FOLDERS
from convrnn_data.shards.formats import origin
from convrnn_data.shards.images import BadImage
from convrnn_data.shards.prepared_set import MANIFEST
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime, plain_level
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import Frame, centre_square
from convrnn_experiments.images.perturbations import perturb, set_stream
from convrnn_experiments.runs.config import default_resize
from convrnn_experiments.stimuli.balance import balanced_counts
from convrnn_model.backend import keras

SIZE = 224
PER_BLOCK = 210
"""Pixels and images of the published test set."""

LEVELS: dict[str, tuple[str, ...]] = {
    "color_gray": ("c", "g"),
    **{
        str(regime): tuple(plain_level(level) for level in CONDITIONS[regime].test_levels)
        for regime in (Regime.NOISE, Regime.BLUR)
    },
}
"""Experiment -> its levels, as in file names."""

QUALITY = 100
"""Of the JPEGs: at 95, quantisation would add 1 % to a noise SD of 0.04, where 100 adds 0.5 %."""
_SUFFIXES = (".jpeg", ".jpg", ".png")
_BATCH = 30


def levels_of(noise: Sequence[float], blur: Sequence[float]) -> dict[str, tuple[str, ...]]:
    """The experiments' levels with other ones for noise and blur.

    Raises:
        ConvRNNError: a level is negative or not finite.
    """
    for regime, levels in ((Regime.NOISE, noise), (Regime.BLUR, blur)):
        CONDITIONS[regime].with_levels(tuple(levels))
    return LEVELS | {"noise": tuple(map(plain_level, noise)), "blur": tuple(map(plain_level, blur))}


@dataclass(frozen=True)
class Source:
    """Validation images: `read(row)` gives the bytes of the image `names[row]`, whose category is `labels[row]`."""

    names: list[str]
    labels: np.ndarray
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Planned:
    """One stimulus to make."""

    experiment: str
    block: int
    name: str
    level: str
    row: int


def make(
    validation: Path,
    out: Path,
    *,
    labels: Path | None = None,
    levels: Mapping[str, Sequence[str]] = LEVELS,
    per_block: int = PER_BLOCK,
    size: int = SIZE,
    seed: int = 0,
    report: Report = silent,
) -> int:
    """Write a test set: `ColorGraySplit`, `NoiseSplit_gray_contrast0.2`, `BlurSplit_color`, each with blocks 0 to 4.

    Pictures are cropped at their centre, as in validation, and perturbed at the size of the files, which is the
    stimulus size of the runs to be tested. Categories and levels are as balanced as
    `per_block` allows, and images repeat only where a category has too few (see `plan`). `stimuli.csv` says what was
    made of which image. The same images, settings and seed give the same files.

    Args:
        validation: a prepared set, of which ILSVRC's validation images are taken where it has any, else the split
            `val`; ILSVRC's validation archive or a folder of its images; a folder of folders named by synset or
            category; or any folder of images, with `labels`.
        out: a new folder.
        labels: CSV of image name and synset or category, such as ILSVRC's `LOC_val_solution.csv`; of ILSVRC's
            validation images also the devkit, or text with one synset a line.
        levels: experiment -> levels; noise SD in units of [0, 1], blur SD in pixels; c and g of `color_gray`.
        per_block: images in each block.
        size: side of the stimuli, px: the stimulus size of the runs to be tested.
        seed: of everything that is drawn.
        report: called as stimuli are made.

    Returns:
        How many stimuli there are.

    Raises:
        ConvRNNError: there are no such images, a category has none, or `out` is there already. Nothing is left behind.
    """
    require_new(out)
    source = find_source(validation, labels)
    planned = plan(source.labels, levels, per_block, seed)
    with atomic_folder(out) as folder:
        for done, (one, image) in enumerate(_made(source, planned, size, seed), start=1):
            target = folder / FOLDERS[one.experiment] / str(one.block) / one.name
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target, "JPEG", quality=QUALITY, subsampling=0)
            report("stimuli", done, len(planned))
        _write_list(folder / "stimuli.csv", source, planned)
    return len(planned)


def _write_list(path: Path, source: Source, planned: Sequence[Planned]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("experiment", "block", "file_name", "category", "level", "source"))
        writer.writerows(
            (
                one.experiment,
                one.block,
                one.name,
                CATEGORIES[source.labels[one.row]],
                one.level,
                source.names[one.row],
            )
            for one in planned
        )


def plan(labels: np.ndarray, levels: Mapping[str, Sequence[str]], per_block: int, seed: int) -> list[Planned]:
    """Decide which image becomes which stimulus, from the labels, the settings and the seed alone.

    In each block, categories, levels, and categories at a level each occur equally often, or differ by one; so do
    they over all blocks (see `balance`). Images repeat within an experiment only once all of their category are
    used, and within a block only if the category has fewer images than the block needs.

    Args:
        labels: category of each image, (images,) 0..15.
        levels: experiment -> levels.
        per_block: stimuli in each block.
        seed: decides the choice.

    Raises:
        ConvRNNError: a category has no image.
    """
    missing = [name for label, name in enumerate(CATEGORIES) if not (labels == label).any()]
    if missing:
        raise ConvRNNError(
            f"cannot plan stimuli: every category must have a validation image, got none of {', '.join(missing)}. Give "
            "images of all 16 categories"
        )
    planned = []
    for experiment, its in levels.items():
        rng = generator(seed, Stream.STIMULUS_PLAN, list(LEVELS).index(experiment))
        counts = balanced_counts(BLOCKS, len(CATEGORIES), len(its), per_block, rng)
        decks = [_Deck(np.flatnonzero(labels == label), rng) for label in range(len(CATEGORIES))]
        for block, table in enumerate(counts):
            trials = np.argwhere(table).repeat(table[table > 0], axis=0)[rng.permutation(per_block)]
            rows = _rows(trials[:, 0], decks)
            for index, ((label, level), row) in enumerate(zip(trials.tolist(), rows.tolist(), strict=True)):
                named = StimulusName(str(index), experiment, its[level], CATEGORIES[label])
                planned.append(Planned(experiment, block, str(named), its[level], row))
    return planned


def _rows(labels: np.ndarray, decks: "Sequence[_Deck]") -> np.ndarray:
    """Draw an image for each trial of a block, (trials,)."""
    rows = np.empty(len(labels), dtype=np.int64)
    for label, deck in enumerate(decks):
        mine = labels == label
        rows[mine] = deck.draw(int(mine.sum()))
    return rows


class _Deck:
    """The images of one category, drawn so that each is used about equally often."""

    def __init__(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        self._rows, self._rng = rows, rng
        self._uses = np.zeros(len(rows), dtype=np.int64)

    def draw(self, count: int) -> np.ndarray:
        """Draw the least used images at random; none occurs twice among fewer draws than there are images."""
        drawn: list[np.ndarray] = []
        while count > 0:
            order = np.lexsort((self._rng.random(len(self._rows)), self._uses))[:count]
            self._uses[order] += 1
            drawn.append(self._rows[order])
            count -= len(order)
        return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)


def _made(
    source: Source, planned: Sequence[Planned], size: int, seed: int
) -> Iterator[tuple[Planned, Image.Image]]:
    """Stimuli in order, perturbed together as long as the regime is the same."""
    seeds = keras.random.SeedGenerator(0)
    set_stream(seeds, seed, Stream.STIMULUS_PERTURBATION)
    for start in range(0, len(planned), _BATCH):
        batch = planned[start : start + _BATCH]
        groups: dict[Regime, list[Planned]] = {}
        for one in batch:
            groups.setdefault(_regime(one), []).append(one)
        for regime, group in groups.items():
            pictures = np.stack([_square(source, one.row, size) for one in group])
            strengths = [0.0 if one.level in "cg" else float(one.level) for one in group]
            shown = _perturbed(pictures, CONDITIONS[regime], strengths, seeds)
            for one, pixels in zip(group, shown, strict=True):
                yield one, Image.fromarray(pixels)


def _perturbed(
    pictures: np.ndarray, condition: Condition, levels: list[float], seeds: keras.random.SeedGenerator
) -> np.ndarray:
    shown, _ = perturb(pictures, condition, seed_generator=seeds, levels=np.array(levels, np.float32))
    return np.rint(255 * np.asarray(keras.ops.convert_to_numpy(shown))).clip(0, 255).astype(np.uint8)


def _regime(one: Planned) -> Regime:
    return {"c": Regime.COLOR, "g": Regime.GRAYSCALE}.get(one.level) or Regime(one.experiment)


def _square(source: Source, row: int, size: int) -> np.ndarray:
    """Crop a picture's centre as validation does: (size, size, 3) float32 in [0, 1]."""
    try:
        square = centre_square(source.read(row), Frame(size, default_resize(size)))
    except BadImage as error:
        raise ConvRNNError(
            f"cannot decode {source.names[row]}: {error}. Replace it with an undamaged copy"
        ) from error
    except OSError as error:
        raise ConvRNNError(f"cannot read {source.names[row]}: {advice.describe(error)}") from error
    return square.astype(np.float32) / 255


def find_source(folder: Path, labels: Path | None = None) -> Source:
    """Find validation images by name; see `make`.

    Raises:
        ConvRNNError: there are none of the 16 categories.
    """
    if not folder.exists():
        raise ConvRNNError(
            f"cannot find validation images: {folder} does not exist. Give a prepared set or validation images"
        )
    if labels is None and (folder / MANIFEST).is_file():
        return _in_set(PreparedSet(folder))
    if folder.is_file() or (labels is not None and labels.suffix != ".csv"):
        return _in_ilsvrc(folder, labels)
    named = _in_folders(folder) if labels is None else _by_list(folder, labels)
    if not named and labels is None and next(folder.rglob("ILSVRC2012_*val*"), None) is not None:
        return _in_ilsvrc(folder, None)
    if not named:
        raise ConvRNNError(
            f"cannot find validation images: {folder} must hold images of the 16 categories, got none. Give a prepared "
            "set, ILSVRC's validation images, folders named by synset or category, or --labels with a CSV of image "
            "names and synsets"
        )
    paths = sorted(named)
    labels_of = np.array([LABELS[named[path]] for path in paths])
    return Source([path.name for path in paths], labels_of, lambda row: paths[row].read_bytes())


def _in_set(prepared: PreparedSet) -> Source:
    """Images of a prepared set: ILSVRC's validation images where it has any, else those of its split `val`."""
    unseen = [name for name in ("val", "test") if prepared.origins(name).get("validation")]
    table = prepared.table(unseen[0] if unseen else "val")
    order = np.argsort(table.keys)
    if unseen:
        order = order[[origin(key) == "validation" for key in table.keys[order].tolist()]]
    names = [f"{key}.jpg" for key in table.keys[order]]
    return Source(names, table.labels[order], lambda row: table.read([int(order[row])])[0])


def _in_ilsvrc(path: Path, labels: Path | None) -> Source:
    """ILSVRC's validation images as they are distributed, in the order of their names."""
    categories = shipped_lists().categories
    found = find_validation(path, categories, labels)
    images = sorted(
        (member.name, LABELS[categories[member.synset]], member)
        for one in found.classes
        for member in members_of(one)
    )

    def read(row: int) -> bytes:
        with Reader() as reader:
            return reader.read(images[row][2])

    return Source([image[0] for image in images], np.array([image[1] for image in images]), read)


def _in_folders(folder: Path) -> dict[Path, str]:
    named: dict[Path, str] = {}
    for inner in (folder / name for name in names_in(folder)):
        if category := _category(inner.name):
            if is_dead_link(inner):
                raise ConvRNNError(
                    f"cannot read the images of {category}: {inner} must link to a folder, got a broken link. "
                    "Mount the disk of its target, or remove the link"
                )
            if inner.is_dir():
                paths = (inner / name for name in names_in(inner))
                named |= {path: category for path in paths if path.suffix.lower() in _SUFFIXES}
    return named


def _by_list(folder: Path, labels: Path) -> dict[Path, str]:
    """Each line: a name, with or without ending, and a synset or category, after which anything may follow."""
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
    return name if name in LABELS else shipped_lists().categories.get(name)
