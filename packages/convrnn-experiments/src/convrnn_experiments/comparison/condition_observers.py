"""Observers in one condition as arrays, aligned with the images of a network."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convrnn_data.categories import CATEGORIES
from convrnn_data.human.experiment import BEEPS
from convrnn_experiments.statistics.means import mean_over, membership, safe_divide

BEEP_TIMES = np.array(list(BEEPS.values()), dtype=float)
"""Time from the stimulus to the beep in ms, (blocks,)."""


@dataclass(frozen=True)
class ConditionObservers:
    """Observers in one condition: rows are observers in the order of their ids, columns the network's images.

    Attributes:
        ids: Ids of the observers.
        scores: (observers, images), 0 to 1, with missed trials scored by their convention; NaN without a trial.
        correct: (observers, images), 1, 0, or NaN without an answer to score.
        times: Response times in ms, (observers, images); NaN without an answer.
        answers: Category answered, (observers, images), 0 to 15; -1 without an answer.
        missed: Whether the trial was missed, (observers, images); False without a trial.
        blocks: Response-time block of each image, (images,).
    """

    ids: list[str]
    scores: np.ndarray
    correct: np.ndarray
    times: np.ndarray
    answers: np.ndarray
    missed: np.ndarray
    blocks: np.ndarray

    def select(self, images: np.ndarray) -> "ConditionObservers":
        """Keep some of the images, by mask, and the observers with a trial on them."""
        columns = {
            name: getattr(self, name)[:, images]
            for name in ("scores", "correct", "times", "answers", "missed")
        }
        took_part = ~np.isnan(columns["scores"]).all(axis=1) | columns["missed"].any(axis=1)
        return ConditionObservers(
            [observer for observer, kept in zip(self.ids, took_part, strict=True) if kept],
            **{name: column[took_part] for name, column in columns.items()},
            blocks=self.blocks[images],
        )

    @cached_property
    def observer_mean_times(self) -> np.ndarray:
        """Mean response time of each observer in ms, (observers, blocks); NaN without an answer."""
        member = membership(self.blocks, len(BEEPS))
        return safe_divide(np.nan_to_num(self.times) @ member, (~np.isnan(self.times)) @ member)

    @cached_property
    def mean_times(self) -> np.ndarray:
        """Mean response time in ms, by observer, then over observers, (blocks,); NaN without an answer."""
        return mean_over(self.observer_mean_times)

    def block_times(self, block: int) -> np.ndarray:
        """Return all response times of a block in ms."""
        times = self.times[:, self.blocks == block]
        return times[~np.isnan(times)]

    def standardized_times(self, *, correct: bool = False) -> np.ndarray:
        """Standardise response times within observer and block, (observers, images); NaN without a time.

        This removes differences in speed between observers, and the pace that the beep sets in each block (this
        project's definition).

        Args:
            correct: Use the times of correct answers only.
        """
        times = np.where(self.correct == 1, self.times, np.nan) if correct else self.times
        standard = np.full(times.shape, np.nan)
        for block in range(len(BEEPS)):
            in_block = self.blocks == block
            values = times[:, in_block]
            known = ~np.isnan(values)
            number = known.sum(axis=1, keepdims=True)
            mean = np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(number, 1)
            centred = np.where(known, values - mean, np.nan)
            spread = np.sqrt(np.nansum(centred**2, axis=1, keepdims=True) / np.maximum(number - 1, 1))
            standard[:, in_block] = np.divide(
                centred, spread, out=np.full(centred.shape, np.nan), where=spread > 0
            )
        return standard

    def confusions(self, labels: np.ndarray) -> np.ndarray:
        """Count answers, (blocks, 16, 16): true categories `labels` (images,) in rows, answers in columns."""
        counts = np.zeros((len(BEEPS), len(CATEGORIES), len(CATEGORIES)), dtype=np.int64)
        observers, images = np.nonzero(self.answers >= 0)
        np.add.at(counts, (self.blocks[images], labels[images], self.answers[observers, images]), 1)
        return counts
