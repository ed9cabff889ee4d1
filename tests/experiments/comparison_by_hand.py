"""Synthetic answers of a network and observers in one condition."""

import numpy as np

from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.evaluation.predictions import Answers


def agreeing_network(observers=5, images=60, seed=0, slow=0.5):
    """Return answers and observers that find the same images hard, and each image's difficulty, from 0 to 1."""
    rng = np.random.default_rng(seed)
    labels, blocks = np.arange(images) % 16, np.arange(images) % 2
    difficulty = rng.random(images)
    correct = (rng.random((observers, images)) > difficulty).astype(float)
    correct[rng.random(correct.shape) < 0.2] = np.nan
    times = np.where(
        np.isnan(correct), np.nan, 600 + 300 * blocks + 200 * difficulty + 50 * rng.normal(size=correct.shape)
    )
    observers = ConditionObservers(
        [str(number) for number in range(observers)],
        scores=np.nan_to_num(correct, nan=1 / 16),
        correct=correct,
        times=times,
        answers=np.where(np.isnan(correct), -1, labels),
        missed=np.isnan(correct),
        blocks=blocks,
    )
    steps = np.arange(8)
    entropy = 2.7 - (steps + 1) * (1 - slow * difficulty[:, None]) * 0.3
    answers = Answers(
        *(np.array([""] * images, dtype=object),) * 2, labels=labels,
        answers=np.repeat(labels[:, None], 8, axis=1), confidence=np.ones((images, 8)), entropy=entropy,
        margin=np.clip(1 - entropy / 2.8, 0, 1),
        levels=np.array(["0"] * images, dtype=object), blocks=blocks,
    )  # fmt: skip
    return answers, observers, difficulty
