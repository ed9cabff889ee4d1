"""Paired differences between networks that were compared with the same observers on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from convrnn_experiments.comparison.compare import Comparison, dashed_without_blocks
from convrnn_experiments.comparison.observer_group import trial_keys
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.intervals import Estimate


@dataclass(frozen=True)
class Difference:
    """Measure of `network` minus that of `reference`, on the same images and observers."""

    condition: str
    network: str
    reference: str
    measure: str
    estimate: Estimate


def differences(rows: Sequence[Comparison]) -> list[Difference]:
    """Estimate paired differences between every two networks, in each condition in which they share all images."""
    paired = []
    for row, reference in combinations(rows, 2):
        if row.condition != reference.condition or not (pair := _aligned(row, reference)):
            continue
        first, second = pair
        slopes = contrast.difference(first.network_steepness(), second.network_steepness())
        estimates = {
            "sat_rmse": contrast.rmse_difference(first, second),
            "category_correlation": contrast.correlation_difference(first, second),
            "steepness_network": student(slopes),
        }
        estimates = dashed_without_blocks(estimates, row.evaluation.regime)
        names = row.condition, row.evaluation.network, reference.evaluation.network
        paired += [Difference(*names, measure, estimate) for measure, estimate in estimates.items()]
    return paired


def _aligned(row: Comparison, reference: Comparison) -> tuple[Contrast, Contrast] | None:
    """Return the contrasts of both with the images in the order of the first; None if the images differ."""
    positions = {key: position for position, key in enumerate(trial_keys(reference.answers))}
    keys = trial_keys(row.answers)
    if set(keys) != set(positions) or len(keys) != len(positions):
        return None
    order = np.array([positions[key] for key in keys])
    other = reference.contrast
    return row.contrast, Contrast(
        other.labels[order],
        other.levels[order],
        other.blocks[order],
        other.network[order],
        other.exits[order],
        other.scores[:, order],
    )
