"""Human test set: grammar of file names, and listing in each layout."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from convrnn_data.base import advice
from convrnn_data.base.directories import is_dead_link
from convrnn_data.base.errors import ConvRNNError
from convrnn_data.base.reading import names_in
from convrnn_data.categories import CATEGORIES, LABELS
from convrnn_data.human.experiment import BLOCK_FOLDERS, BLOCKS
from convrnn_data.shards.formats import HUMAN
from convrnn_data.shards.prepared_set import MANIFEST, PreparedSet, SampleTable

CONDITIONS: dict[str, str] = {
    "color": "color",
    "grayscale": "grayscale",
    "noise": "noise_grayscale",
    "blur": "blur_color",
}
"""Regime -> folder in the layout that the network's loader reads."""

REGIMES: tuple[str, ...] = tuple(CONDITIONS)

TRAINING = "train"
"""Folder next to the blocks that does not hold test data."""

EXPERIMENTS = ("color_gray", "noise", "blur")

LAYOUTS = (
    f"<experiment>/{{0..4}}/*.JPEG (as on OSF, such as ColorGraySplit), one experiment's {{0..4}}/*.JPEG, "
    f"{{{','.join(CONDITIONS.values())}}}/<category>/*_exit<block>.JPEG, or shards of it"
)

_NAME = re.compile(
    rf"(?P<index>[0-9]{{1,9}})_(?P<experiment>{'|'.join(EXPERIMENTS)})_(?P<level>[cg]|[0-9]{{1,4}}(?:\.[0-9]{{1,6}})?)_"
    rf"(?P<category>{'|'.join(CATEGORIES)})(?:_exit(?P<block>[0-4]))?\.(?:JPEG|jpeg|jpg)"
)


class StimulusName(NamedTuple):
    """Parsed file name of a stimulus: `{index}_{experiment}_{level}_{category}[_exit{block}].JPEG`."""

    number: str
    experiment: str
    level: str
    category: str
    block: int | None = None

    @property
    def regime(self) -> str:
        """Regime, one of `REGIMES`."""
        return {"c": "color", "g": "grayscale"}.get(self.level, self.experiment)

    @property
    def stem(self) -> str:
        """Name without block and extension."""
        return f"{self.number}_{self.experiment}_{self.level}_{self.category}"

    def __str__(self) -> str:
        """Return the file name."""
        return f"{self.stem}.JPEG" if self.block is None else f"{self.stem}_exit{self.block}.JPEG"


def parse_name(name: str) -> StimulusName | None:
    """Parse the file name of a stimulus; None if it does not follow the grammar."""
    match = _NAME.fullmatch(name)
    if match is None or (match["experiment"] == "color_gray") != (match["level"] in ("c", "g")):
        return None
    block = match["block"]
    return StimulusName(
        match["index"],
        match["experiment"],
        match["level"],
        match["category"],
        None if block is None else int(block),
    )


@dataclass(frozen=True)
class Stimulus:
    """Image that human observers were shown.

    Attributes:
        path: File that holds the image: the image itself, or a shard.
        name: File name without the block, the same in every layout.
        index: Number at the beginning of the name.
        experiment: "color_gray", "noise" or "blur".
        level: Level in the name: c or g; noise SD in 0..1; blur SD in pixels.
        level_value: Level as a number; None for c and g.
        category: One of `CATEGORIES`.
        label: 0..15.
        block: Response-time block, from 0, the fastest.
        regime: "color", "grayscale", "noise" or "blur".
        offset: First byte of the image in `path`; 0 unless `path` is a shard.
        size: Size of the image in bytes; None if it is the whole file.
    """

    path: Path
    name: str
    index: int
    experiment: str
    level: str
    level_value: float | None
    category: str
    label: int
    block: int
    regime: str
    offset: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """Read the content of the image."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read() if self.size is None else file.read(self.size)

    @property
    def parsed(self) -> StimulusName:
        """Parsed name, including the block."""
        return StimulusName(
            self.name.partition("_")[0], self.experiment, self.level, self.category, self.block
        )


class Scan(NamedTuple):
    """Content of a folder of stimuli.

    Attributes:
        root: The folder.
        stimuli: Stimuli by regime, block, index and name; the same order in every layout.
        misfits: (path, reason) of files among the stimuli that are not stimuli.
        aside: Other entries: training folders, answers, other files.
    """

    root: Path
    stimuli: tuple[Stimulus, ...]
    misfits: tuple[tuple[Path, str], ...]
    aside: tuple[Path, ...]


def list_stimuli(folder: str | os.PathLike[str]) -> list[Stimulus]:
    """List the human test set in a folder of any layout.

    Raises:
        ConvRNNError: No layout is recognised, or a file among the stimuli is not a stimulus.
    """
    scan = scan_stimuli(Path(folder))
    if scan.misfits:
        path, reason = scan.misfits[0]
        raise ConvRNNError(
            f"{len(scan.misfits)} file(s) in {folder} are not stimuli, the first: {path}: {reason}. Remove them, or "
            "copy the stimuli alone with `convrnn-data reformat`"
        )
    return list(scan.stimuli)


def scan_stimuli(folder: Path) -> Scan:
    """List the stimuli, the misfits and the other entries of a folder.

    Raises:
        ConvRNNError: No layout is recognised, a folder cannot be listed, or two stimuli of a block have the same name.
    """
    with contextlib.suppress(PermissionError):  # Listing reports the error.
        if not folder.is_dir():
            state = "is not a directory" if folder.exists() else "does not exist"
            raise ConvRNNError(
                f"{folder} {state}: the human test set must be a folder of {LAYOUTS}. Check the path"
            )
    entries = names_in(folder)
    if MANIFEST in entries:
        layout = _in_shards
    elif any(name in CONDITIONS.values() for name in entries):
        layout = _in_conditions
    elif any(name in BLOCK_FOLDERS for name in entries):
        layout = _in_experiment
    else:
        layout = _in_osf
    try:
        found = [*layout(folder)]
    except OSError as error:  # A folder may be readable without being searchable.
        path = error.filename or folder
        raise ConvRNNError(
            f"cannot list {path}: {advice.describe(error, path, 'Every folder and stimulus must be readable')}"
        ) from error
    stimuli = [entry for entry in found if isinstance(entry, Stimulus)]
    misfits = [entry for entry in found if isinstance(entry, tuple)]
    aside = [entry for entry in found if isinstance(entry, Path)]
    if not stimuli and not misfits:
        listed = ", ".join(entries[:4]) + (", …" if len(entries) > 4 else "") or "an empty folder"
        raise ConvRNNError(
            f"{folder} is not the human test set: it must hold {LAYOUTS}, got {listed}. Give the folder of the stimuli"
        )
    _refuse_duplicates(stimuli)
    return Scan(folder, tuple(sorted(stimuli, key=_order)), tuple(sorted(misfits)), tuple(sorted(aside)))


Found = Stimulus | tuple[Path, str] | Path
"""A stimulus, a misfit with the reason, or another entry."""


def _order(stimulus: Stimulus) -> tuple[int, int, int, str, str]:
    return (REGIMES.index(stimulus.regime), stimulus.block, stimulus.index, stimulus.name, str(stimulus.path))


def _refuse_duplicates(stimuli: Iterable[Stimulus]) -> None:
    paths: dict[str, Path] = {}
    for stimulus in stimuli:
        first = paths.setdefault(str(stimulus.parsed), stimulus.path)
        if first != stimulus.path:
            raise ConvRNNError(
                f"cannot list the stimuli: a name may occur once in a response-time block, got {first} and "
                f"{stimulus.path}. Remove one of them, or the folder that holds the copy"
            )


_MAX_SPARSITY = 2.5
"""File names are taken to number the images of a block if the largest number is at most this multiple of the count."""


def incomplete_blocks(stimuli: Iterable[Stimulus]) -> list[str]:
    """Name the response-time blocks that lack images.

    A complete block has as many images as the largest block of the experiment and, if file names number the images of a
    block from 0, as the largest number implies. Numbers are ignored if only one condition of an experiment is present,
    such as color without grayscale.

    Returns:
        Sentences such as "blur, block 0: 20 of 40 images".
    """
    counts: Counter[tuple[str, int]] = Counter()
    largest: dict[str, int] = {}
    regimes: dict[str, set[str]] = {}
    for stimulus in stimuli:
        counts[stimulus.experiment, stimulus.block] += 1
        largest[stimulus.experiment] = max(largest.get(stimulus.experiment, 0), stimulus.index + 1)
        regimes.setdefault(stimulus.experiment, set()).add(stimulus.regime)
    incomplete = []
    for experiment in EXPERIMENTS:
        sizes = [counts[experiment, block] for block in range(BLOCKS)]
        full = max(sizes)
        whole = experiment != "color_gray" or len(regimes.get(experiment, ())) == 2
        if whole and full < largest.get(experiment, 0) <= _MAX_SPARSITY * full:
            full = largest[experiment]
        incomplete += [
            f"{experiment}, block {block}: {size} of {full} images"
            for block, size in enumerate(sizes)
            if size < full
        ]
    return incomplete


_DEAD_LINK = "it is a link to a file that does not exist"


def _in_osf(folder: Path) -> Iterator[Found]:
    for path in (folder / name for name in names_in(folder)):
        if path.is_dir() and any(name in BLOCK_FOLDERS for name in names_in(path)):
            yield from _in_experiment(path)
        elif is_dead_link(path):
            yield path, _DEAD_LINK
        else:
            yield path


def _in_experiment(folder: Path) -> Iterator[Found]:
    for path in (folder / name for name in names_in(folder)):
        if path.is_dir() and path.name in BLOCK_FOLDERS:
            for name in names_in(path):
                yield _stimulus(path / name, int(path.name))
        elif path.is_dir() and path.name == TRAINING:
            yield path
        else:
            yield path, _DEAD_LINK if is_dead_link(path) else "it must be in one of the block folders 0 to 4"


def _in_conditions(folder: Path) -> Iterator[Found]:
    for path in (folder / name for name in names_in(folder)):
        if path.name not in CONDITIONS.values():
            yield path
            continue
        if not path.is_dir():
            yield path, _DEAD_LINK if is_dead_link(path) else "it must be a folder of images"
            continue
        for inner in (path / name for name in names_in(path)):
            if inner.is_dir() and inner.name in LABELS:
                for name in names_in(inner):
                    yield _stimulus(inner / name, None)
            else:
                yield inner, "it must be a folder named after one of the 16 categories"


def _stimulus(path: Path, block: int | None) -> Found:
    """Return the stimulus of a file in folder `block` or, if `block` is None, in the layout of conditions."""
    parsed = parse_name(path.name)
    if is_dead_link(path):
        return path, _DEAD_LINK
    if parsed is None or not path.is_file():
        return path, "its name must be {index}_{experiment}_{level}_{category}.JPEG"
    if block is not None:
        if parsed.block is not None:
            return path, f"its name must not give a block in a block folder, got _exit{parsed.block}"
        return _build(path, parsed._replace(block=block))
    if parsed.block is None:
        return path, "its name must end in a block, _exit0 to _exit4"
    if (path.parent.name, path.parent.parent.name) != (parsed.category, CONDITIONS[parsed.regime]):
        return path, f"by its name, it must be in {CONDITIONS[parsed.regime]}/{parsed.category}"
    return _build(path, parsed)


def _build(path: Path, parsed: StimulusName, offset: int = 0, size: int | None = None) -> Stimulus:
    level = None if parsed.experiment == "color_gray" else float(parsed.level)
    assert parsed.block is not None
    return Stimulus(
        path=path,
        name=f"{parsed.stem}.JPEG",
        index=int(parsed.number),
        experiment=parsed.experiment,
        level=parsed.level,
        level_value=level,
        category=parsed.category,
        label=LABELS[parsed.category],
        block=parsed.block,
        regime=parsed.regime,
        offset=offset,
        size=size,
    )


def key_of(parsed: StimulusName) -> str:
    """Return the key of a stimulus in a shard: the dot of the level becomes a hyphen, since keys have no dots."""
    return str(parsed).removesuffix(".JPEG").replace(".", "-")


def _in_shards(folder: Path) -> Iterator[Found]:
    prepared = PreparedSet(folder)
    if prepared.manifest["kind"] != HUMAN:
        raise ConvRNNError(
            f"{folder} is a prepared set of ImageNet: the human test set must hold {LAYOUTS}. Give the folder of the "
            "stimuli"
        )
    for split in prepared.splits:
        yield from _in_table(prepared.table(split))


def _in_table(table: SampleTable) -> Iterator[Found]:
    columns = (table.keys.tolist(), table.shard_ids.tolist(), table.offsets.tolist(), table.sizes.tolist())
    for key, shard, offset, size in zip(*columns, strict=True):
        parsed = parse_name(f"{key.replace('-', '.')}.JPEG")
        if parsed is None or parsed.block is None:
            yield table.shards[shard], f"its keys must be names of stimuli, got {key}"
        else:
            yield _build(table.shards[shard], parsed, offset, size)
