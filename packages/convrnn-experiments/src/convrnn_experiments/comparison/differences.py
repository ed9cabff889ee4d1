"""Paired differences between networks that were compared with the same observers on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from convrnn_experiments.comparison.agreement import paired_difference
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.estimates import Bootstraps, bootstraps, dashed_without_blocks
from convrnn_experiments.comparison.observer_group import trial_keys
from convrnn_experiments.comparison.sat_fits import NETWORK_MEASURES, SatFits, fit_sides
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast, student
from convrnn_experiments.statistics.intervals import Estimate
from convrnn_experiments.statistics.significance import holm_within, interval_p_value

OF_NETWORKS = ("steepness_network", *NETWORK_MEASURES)
"""Measures of networks alone, whose intervals do not depend on the number of observers."""


@dataclass(frozen=True)
class Difference:
    """Measure of `network` minus that of `reference`, on the same images and observers.

    Attributes:
        condition: Condition.
        network, reference: Names of the networks.
        measure: Measure.
        estimate: Difference with its interval.
        p_value: Two-sided p-value of no difference, from the interval; NaN without one.
        corrected: The p-value with Holm's correction over all pairs of networks in the condition and measure.
    """

    condition: str
    network: str
    reference: str
    measure: str
    estimate: Estimate
    p_value: float = float("nan")
    corrected: float = float("nan")


def differences(rows: Sequence[Comparison], *, seed: int = 0) -> list[Difference]:
    """Estimate paired differences between every two networks, in each condition in which they share all images.

    Args:
        rows: Comparisons.
        seed: Seed of `compare`, for networks that list the images in different orders.
    """
    paired = []
    for row, reference in combinations(rows, 2):
        if row.condition != reference.condition or (order := image_order(row, reference)) is None:
            continue
        estimates = _estimates(row, reference, order, seed)
        names = row.condition, row.evaluation.network, reference.evaluation.network
        for measure, estimate in dashed_without_blocks(estimates, row.evaluation.regime).items():
            p_value = interval_p_value(estimate, _freedom(measure, row))
            paired.append(Difference(*names, measure, estimate, p_value))
    corrected = holm_within(
        [(pair.condition, pair.measure) for pair in paired], [pair.p_value for pair in paired]
    )
    return [replace(pair, corrected=value) for pair, value in zip(paired, corrected, strict=True)]


def _estimates(row: Comparison, reference: Comparison, order: np.ndarray, seed: int) -> dict[str, Estimate]:
    first, second = row.contrast, in_order(reference.contrast, order)
    drawn, sat = _reference(row, reference, second, order, seed)
    return paired_estimates((first, second), (row.found.bootstraps, drawn), (row.found.sat, sat))


def paired_estimates(
    sides: tuple[Contrast, Contrast], drawn: tuple[Bootstraps, Bootstraps], fits: tuple[SatFits, SatFits]
) -> dict[str, Estimate]:
    """Estimate the differences of two networks on the same images and observers.

    Args:
        sides: Each network and the observers as arrays.
        drawn: Replicates of each network, over the same bootstrap samples.
        fits: Fitted SAT functions of each network.

    Returns:
        Measure -> first network minus second.
    """
    first, second = sides
    slopes = contrast.difference(first.network_steepness(), second.network_steepness())
    return {
        "sat_rmse": contrast.rmse_difference(first, second),
        "category_correlation": contrast.correlation_difference(first, second),
        "steepness_network": student(slopes),
        "error_consistency": paired_difference(drawn[0].consistency, drawn[1].consistency),
        **{
            measure: paired_difference(found, drawn[1].times[measure])
            for measure, found in drawn[0].times.items()
        },
        **(fits[0] - fits[1]),
    }


def _reference(
    row: Comparison, reference: Comparison, ordered: Contrast, order: np.ndarray, seed: int
) -> tuple[Bootstraps, SatFits]:
    """Return replicates and fits of the reference on the images in the order of the row."""
    if is_identity(order):
        return reference.found.bootstraps, reference.found.sat
    answers = reference.answers.of(order)
    drawn = bootstraps(answers, row.observers, ordered, reference.match, seed)
    # Only the fits of the network are compared, for which missed trials do not matter.
    return drawn, fit_sides(ordered, row.observers, reference.evaluation.multiply_adds, "chance")


def _freedom(measure: str, row: Comparison) -> float:
    """Return degrees of freedom of an interval: those of the observers, or of the images for networks alone."""
    if measure in OF_NETWORKS:
        return float(max(row.image_count - len(np.unique(row.contrast.strata)), 1))
    return float(max(row.observer_count - 1, 1))


def image_order(row: Comparison, reference: Comparison) -> np.ndarray | None:
    """Return the positions of the row's images among those of the reference; None if the images differ."""
    positions = {key: position for position, key in enumerate(trial_keys(reference.answers))}
    keys = trial_keys(row.answers)
    if set(keys) != set(positions) or len(keys) != len(positions):
        return None
    return np.array([positions[key] for key in keys])


def is_identity(order: np.ndarray) -> bool:
    """Return whether an order of images, (images,) positions, is their own."""
    return bool((order == np.arange(len(order))).all())


def in_order(other: Contrast, order: np.ndarray) -> Contrast:
    """Return a contrast with its images in another order, (images,) positions; itself if the order is its own."""
    if is_identity(order):
        return other  # with the estimates that it has cached
    return Contrast(
        other.labels[order],
        other.levels[order],
        other.blocks[order],
        other.network[order],
        other.exits[order],
        other.scores[:, order],
    )
