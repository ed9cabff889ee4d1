"""Makes new test sets in the layout of the human experiments, with the perturbations of training."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from convrnn_data import CATEGORIES
from convrnn_data.base import advice
from convrnn_data.base.atomic import atomic_folder, require_new
from convrnn_data.base.console import Report, silent
from convrnn_data.base.random_streams import Stream
from convrnn_data.sample.sample import FOLDERS
from convrnn_data.shards.images import BadImage
from convrnn_experiments.conditions import CONDITIONS, Condition, Regime
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.images.batches import Frame, centre_square
from convrnn_experiments.images.perturbations import perturb, set_stream
from convrnn_experiments.runs.config import STIMULUS_SIZE, default_resize
from convrnn_experiments.stimuli.plan import LEVELS, PER_BLOCK, PlannedStimulus, plan_stimuli
from convrnn_experiments.stimuli.sources import Source, find_source
from convrnn_model.backend import keras

QUALITY = 100
"""JPEG quality: quantisation at 95 would add 1 % to a noise SD of 0.04, at 100 it adds 0.5 %."""
_BATCH = 30


def make_stimuli(
    validation: Path,
    out: Path,
    *,
    labels: Path | None = None,
    levels: Mapping[str, Sequence[str]] = LEVELS,
    per_block: int = PER_BLOCK,
    size: int = STIMULUS_SIZE,
    seed: int = 0,
    report: Report = silent,
) -> int:
    """Write a test set: `ColorGraySplit`, `NoiseSplit_gray_contrast0.2`, `BlurSplit_color`, each with blocks 0 to 4.

    Images are cropped at the centre, as in validation, and perturbed at the size of the files, which is the stimulus
    size of the runs to be tested. Categories and levels are as balanced as `per_block` allows, and images repeat only
    if a category has too few (see `plan.plan_stimuli`). `stimuli.csv` lists the source image of each stimulus. The same
    images, settings and seed give the same files.

    Args:
        validation: Validation images; see `sources.find_source`.
        out: A new folder.
        labels: Categories of the images; see `sources.find_source`.
        levels: Experiment -> levels; noise SD in units of [0, 1], blur SD in pixels; c and g of `color_gray`.
        per_block: Images in each block.
        size: Side of the stimuli, px: the stimulus size of the runs to be tested.
        seed: Seed of all random draws.
        report: Progress in stimuli.

    Returns:
        Number of stimuli.

    Raises:
        ConvRNNError: Validation images are not found or not readable, a category has none, or `out` exists already.
            The folder is written completely or not at all.
    """
    require_new(out)
    source = find_source(validation, labels)
    planned = plan_stimuli(source.labels, levels, per_block, seed)
    with atomic_folder(out) as folder:
        for done, (stimulus, image) in enumerate(_render(source, planned, size, seed), start=1):
            target = folder / FOLDERS[stimulus.experiment] / str(stimulus.block) / stimulus.name
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target, "JPEG", quality=QUALITY, subsampling=0)
            report("stimuli", done, len(planned))
        _write_list(folder / "stimuli.csv", source, planned)
    return len(planned)


def _write_list(path: Path, source: Source, planned: Sequence[PlannedStimulus]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("experiment", "block", "file_name", "category", "level", "source"))
        writer.writerows(
            (
                stimulus.experiment,
                stimulus.block,
                stimulus.name,
                CATEGORIES[source.labels[stimulus.row]],
                stimulus.level,
                source.names[stimulus.row],
            )
            for stimulus in planned
        )


def _render(
    source: Source, planned: Sequence[PlannedStimulus], size: int, seed: int
) -> Iterator[tuple[PlannedStimulus, Image.Image]]:
    """Yield every stimulus with its image; the stimuli of one regime in a batch are perturbed together."""
    seeds = keras.random.SeedGenerator(0)
    set_stream(seeds, seed, Stream.STIMULUS_PERTURBATION)
    for start in range(0, len(planned), _BATCH):
        groups: dict[Regime, list[PlannedStimulus]] = {}
        for stimulus in planned[start : start + _BATCH]:
            groups.setdefault(_regime(stimulus), []).append(stimulus)
        for regime, group in groups.items():
            squares = np.stack([_crop(source, stimulus.row, size) for stimulus in group])
            levels = [0.0 if stimulus.level in "cg" else float(stimulus.level) for stimulus in group]
            perturbed = _perturb(squares, CONDITIONS[regime], levels, seeds)
            for stimulus, pixels in zip(group, perturbed, strict=True):
                yield stimulus, Image.fromarray(pixels)


def _perturb(
    squares: np.ndarray, condition: Condition, levels: list[float], seeds: keras.random.SeedGenerator
) -> np.ndarray:
    perturbed, _ = perturb(squares, condition, seed_generator=seeds, levels=np.array(levels, np.float32))
    return np.rint(255 * np.asarray(keras.ops.convert_to_numpy(perturbed))).clip(0, 255).astype(np.uint8)


def _regime(stimulus: PlannedStimulus) -> Regime:
    return {"c": Regime.COLOR, "g": Regime.GRAYSCALE}.get(stimulus.level) or Regime(stimulus.experiment)


def _crop(source: Source, row: int, size: int) -> np.ndarray:
    """Crop the centre of an image as in validation: (size, size, 3) float32 in [0, 1]."""
    try:
        square = centre_square(source.read(row), Frame(size, default_resize(size)))
    except BadImage as error:
        raise ConvRNNError(
            f"cannot decode {source.names[row]}: {error}. Replace it with an undamaged copy"
        ) from error
    except OSError as error:
        raise ConvRNNError(f"cannot read {source.names[row]}: {advice.describe(error)}") from error
    return square.astype(np.float32) / 255
