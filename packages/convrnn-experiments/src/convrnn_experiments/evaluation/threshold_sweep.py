"""Accuracy of a network against its mean response time, over thresholds on the entropy of its readout."""

from dataclasses import dataclass

import numpy as np

from convrnn_experiments.evaluation.accuracy import accuracy_estimates
from convrnn_experiments.evaluation.predictions import Answers
from convrnn_experiments.statistics.intervals import Estimate, normal_interval
from convrnn_experiments.statistics.response_times import response_order
from convrnn_experiments.statistics.sampling_error import network_means, strata

_THRESHOLDS = 15


@dataclass(frozen=True)
class ThresholdSweep:
    """Speed-accuracy curve of a network that answers each image at its own time (Spoerer et al. 2020).

    Attributes:
        thresholds: Thresholds in nats, falling, (thresholds,).
        steps: Mean time step of the answers, from 1, for each threshold.
        accuracy: Accuracy of the answers in percent, for each threshold.
        reached: Share of the images that reach each threshold, in percent, (thresholds,).
    """

    thresholds: np.ndarray
    steps: list[Estimate]
    accuracy: list[Estimate]
    reached: np.ndarray


def sweep_thresholds(answers: Answers) -> ThresholdSweep | None:
    """Sweep the threshold on the entropy from the fastest answers to the slowest.

    An image is answered at the first time step at which the entropy is at most the threshold, or at the last step if it
    never is. Thresholds are those at which the mean response time is nearest to equal distances from the first to the
    last time step. Source: Spoerer et al. 2020, PLOS Comput Biol, doi 10.1371/journal.pcbi.1008215.

    Args:
        answers: Answers of the network.

    Returns:
        None for a network of one time step, without images, or without the entropy of its readout.
    """
    count, times = answers.entropy.shape
    if not count or times < 2 or np.isnan(answers.entropy).any():
        return None
    candidates = np.unique(np.quantile(answers.entropy, np.linspace(0, 1, 200)))[::-1]
    orders = np.stack([response_order(answers.entropy, threshold) for threshold in candidates])
    steps = np.minimum(orders, times - 1).astype(np.int64)
    means = steps.mean(axis=1)
    wanted = np.linspace(means.min(), means.max(), _THRESHOLDS)
    chosen = np.unique(np.abs(means[:, None] - wanted).argmin(axis=0))
    steps, orders = steps[chosen], orders[chosen]
    right = np.take_along_axis(answers.right, steps.T, axis=1)
    codes = strata(answers.levels.astype(str), answers.blocks, answers.labels)
    return ThresholdSweep(
        candidates[chosen],
        [_mean_step(row, codes) for row in steps],
        accuracy_estimates(right, answers.levels, answers.blocks, answers.labels),
        100 * (orders < times).mean(axis=1),
    )


def _mean_step(steps: np.ndarray, codes: np.ndarray) -> Estimate:
    """Return the mean of time steps from 0, (images,), counted from 1, with Student's interval over images."""
    means = network_means(1.0 + steps, np.zeros(len(steps), dtype=int), 1, codes)
    return normal_interval(float(means.values[0]), float(means.covariance[0, 0]), float(means.freedom[0]))
