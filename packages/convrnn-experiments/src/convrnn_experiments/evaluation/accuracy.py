"""Accuracy of a network over time, with confidence intervals over images."""

import numpy as np

from convrnn_experiments.statistics.intervals import Estimate, proportion_interval
from convrnn_experiments.statistics.sampling_error import network_means, strata


def accuracy_estimates(
    right: np.ndarray, levels: np.ndarray, blocks: np.ndarray, labels: np.ndarray
) -> list[Estimate]:
    """Return the accuracy in percent at each time step with Wilson's interval, stratified by level, block and category.

    Args:
        right: (images, time) whether the answer is right.
        levels: (images,) perturbation levels.
        blocks: (images,) response-time blocks.
        labels: (images,) categories.
    """
    if not len(right):
        return [Estimate(float("nan"), float("nan"), float("nan"))] * right.shape[1]
    codes = strata(levels.astype(str), blocks, labels)
    estimates = []
    for column in right.T:
        means = network_means(100.0 * column, np.zeros(len(column), dtype=int), 1, codes)
        variance, freedom = float(means.covariance[0, 0]), float(means.freedom[0])
        estimates.append(proportion_interval(float(means.values[0]), variance, freedom, len(column)))
    return estimates
