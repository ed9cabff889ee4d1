"""Plan of a new test set: the image, experiment, level and block of every stimulus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_data import CATEGORIES
from convrnn_data.base.random_streams import Stream, generator
from convrnn_data.human.experiment import BLOCKS
from convrnn_data.human.stimuli import StimulusName
from convrnn_experiments.conditions import CONDITIONS, Regime, plain_level
from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.stimuli.balance import balanced_counts

PER_BLOCK = 210
"""Images in each block of the published test set."""

LEVELS: dict[str, tuple[str, ...]] = {
    "color_gray": ("c", "g"),
    **{
        str(regime): tuple(plain_level(level) for level in CONDITIONS[regime].test_levels)
        for regime in (Regime.NOISE, Regime.BLUR)
    },
}
"""Experiment -> levels of the published test set, as in file names."""


@dataclass(frozen=True)
class PlannedStimulus:
    """Stimulus to make.

    Attributes:
        experiment: Human experiment that it belongs to.
        block: Response-time block, from 0.
        name: File name.
        level: Perturbation level, as in the file name.
        row: Row of its image in the source.
    """

    experiment: str
    block: int
    name: str
    level: str
    row: int


def with_levels(noise: Sequence[float], blur: Sequence[float]) -> dict[str, tuple[str, ...]]:
    """Return `LEVELS` with other levels of noise and blur.

    Raises:
        ConvRNNError: A level is negative or not finite.
    """
    for regime, levels in ((Regime.NOISE, noise), (Regime.BLUR, blur)):
        CONDITIONS[regime].with_levels(tuple(levels))
    return LEVELS | {"noise": tuple(map(plain_level, noise)), "blur": tuple(map(plain_level, blur))}


def plan_stimuli(
    labels: np.ndarray, levels: Mapping[str, Sequence[str]], per_block: int, seed: int
) -> list[PlannedStimulus]:
    """Choose the image of every stimulus, from the labels, the settings and the seed alone.

    Within each block, the counts of categories, of levels, and of categories at a level each differ by at most one; so
    do the counts over all blocks (see `balance`). Images repeat within an experiment only once all images of their
    category are used, and within a block only if the category has fewer images than the block needs.

    Args:
        labels: Categories of the images, (images,) 0..15.
        levels: Experiment -> levels.
        per_block: Stimuli in each block.
        seed: Seed of the choice.

    Raises:
        ConvRNNError: A category does not have an image.
    """
    missing = [name for label, name in enumerate(CATEGORIES) if not (labels == label).any()]
    if missing:
        raise ConvRNNError(
            f"cannot plan stimuli: every category must have a validation image, got none of {', '.join(missing)}. Give "
            "images of all 16 categories"
        )
    planned = []
    for experiment, names in levels.items():
        rng = generator(seed, Stream.STIMULUS_PLAN, list(LEVELS).index(experiment))
        counts = balanced_counts(BLOCKS, len(CATEGORIES), len(names), per_block, rng)
        decks = [_Deck(np.flatnonzero(labels == label), rng) for label in range(len(CATEGORIES))]
        for block, table in enumerate(counts):
            trials = np.argwhere(table).repeat(table[table > 0], axis=0)[rng.permutation(per_block)]
            rows = _draw_rows(trials[:, 0], decks)
            for index, ((label, level), row) in enumerate(zip(trials.tolist(), rows.tolist(), strict=True)):
                name = StimulusName(str(index), experiment, names[level], CATEGORIES[label])
                planned.append(PlannedStimulus(experiment, block, str(name), names[level], row))
    return planned


def _draw_rows(labels: np.ndarray, decks: "Sequence[_Deck]") -> np.ndarray:
    """Draw an image for each trial of a block, (trials,)."""
    rows = np.empty(len(labels), dtype=np.int64)
    for label, deck in enumerate(decks):
        in_category = labels == label
        rows[in_category] = deck.draw(int(in_category.sum()))
    return rows


class _Deck:
    """Images of one category, drawn so that the numbers of their uses differ by at most one."""

    def __init__(self, rows: np.ndarray, rng: np.random.Generator) -> None:
        self._rows, self._rng = rows, rng
        self._uses = np.zeros(len(rows), dtype=np.int64)

    def draw(self, count: int) -> np.ndarray:
        """Draw the least used images at random; an image repeats only if `count` exceeds the number of images."""
        drawn: list[np.ndarray] = []
        while count > 0:
            order = np.lexsort((self._rng.random(len(self._rows)), self._uses))[:count]
            self._uses[order] += 1
            drawn.append(self._rows[order])
            count -= len(order)
        return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)
