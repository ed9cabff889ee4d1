"""A network's accuracy over time, with confidence intervals over images."""

from typing import Any

import numpy as np

from convrnn_experiments.statistics.intervals import Estimate, proportion_interval
from convrnn_experiments.statistics.sampling_error import network_means, strata


def accuracy_estimates(
    right: np.ndarray, levels: np.ndarray, blocks: np.ndarray, labels: np.ndarray
) -> list[Estimate]:
    """Accuracy in percent at each time step, with Wilson's interval, images stratified by level, block and category.

    Args:
        right: (images, time) whether each answer is right.
        levels: (images,) perturbation levels.
        blocks: (images,) response-time blocks.
        labels: (images,) categories.
    """
    if not len(right):
        return [Estimate(float("nan"), float("nan"), float("nan"))] * right.shape[1]
    codes = strata(levels.astype(str), blocks, labels)
    found = []
    for column in right.T:
        means = network_means(100.0 * column, np.zeros(len(column), dtype=int), 1, codes)
        variance, freedom = float(means.covariance[0, 0]), float(means.freedom[0])
        found.append(proportion_interval(float(means.values[0]), variance, freedom, len(column)))
    return found


def as_lists(found: list[Estimate], images: int) -> dict[str, Any]:
    """Estimates as `measures.json` holds them: `percent`, `low`, `high`, each a list over time, and `images`."""
    return {
        "percent": [one.value for one in found],
        "low": [one.low for one in found],
        "high": [one.high for one in found],
        "images": images,
    }
