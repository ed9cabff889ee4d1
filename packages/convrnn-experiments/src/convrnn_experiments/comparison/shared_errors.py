"""Sampling error of a measure that networks on the same images and observers share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convrnn_experiments.comparison.agreement import shared_trials, unbiased_ends
from convrnn_experiments.comparison.compare import Comparison
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.comparison.differences import image_order, in_order, is_identity
from convrnn_experiments.conditions import has_blocks
from convrnn_experiments.statistics import contrast
from convrnn_experiments.statistics.contrast import Contrast
from convrnn_experiments.statistics.resampling import Bootstrapped
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate
from convrnn_experiments.statistics.sat_function import accuracy_range
from convrnn_experiments.statistics.training_seeds import (
    SamplingError,
    SeedSpread,
    bootstrap_error,
    linear_error,
    seed_spread,
    spread_of_values,
)


def shared_error(rows: Sequence[Comparison], measure: str) -> SamplingError | None:
    """Return the sampling error of a measure of networks.

    Args:
        rows: Comparisons in one condition, at least one.
        measure: Key of the measure.

    Returns:
        None if the images differ, a network does not have an interval, or the error of the measure is not known. For
        measures that are resampled, None if the networks list the images in different orders.
    """
    orders = [image_order(rows[0], row) for row in rows]
    places = [order for order in orders if order is not None]
    estimates = [row.estimates[measure] for row in rows]
    known = np.isfinite([(one.value, one.low, one.high) for one in estimates]).all()
    if len(places) < len(rows) or not known:
        return None
    if measure in _SAMPLED and has_blocks(rows[0].evaluation.regime):
        sides = [in_order(row.contrast, order) for row, order in zip(rows, places, strict=True)]
        sampled = [found for side in sides if (found := _SAMPLED[measure](side)) is not None]
        return linear_error(concatenate(sampled)) if len(sampled) == len(rows) else None
    # Bootstrap samples are shared by networks that list the images in one order, as evaluations of one set do.
    replicates = [drawn for row in rows if (drawn := _replicates(row, measure)) is not None]
    if len(replicates) < len(rows) or not all(map(is_identity, places)):
        return None
    return bootstrap_error(replicates)


def spread_over_seeds(rows: Sequence[Comparison], measure: str) -> SeedSpread:
    """Summarise a measure over networks that differ only in the seed of their training.

    Args:
        rows: Comparisons in one condition, at least one.
        measure: Key of the measure.
    """
    values = [row.estimates[measure].value for row in rows]
    if (error := shared_error(rows, measure)) is None:
        return spread_of_values(values)
    spread = seed_spread(values, error)
    if measure != "error_consistency":
        return spread
    trials = shared_trials(rows[0].answers, rows[0].observers)
    return replace(spread, on_new_images=unbiased_ends(spread.on_new_images, trials))


def _replicates(row: Comparison, measure: str) -> Bootstrapped | None:
    drawn = row.found.bootstraps
    return drawn.consistency if measure == "error_consistency" else drawn.times.get(measure)


def _steepness_difference(sides: Contrast) -> SampledEstimates:
    return contrast.difference(sides.network_steepness(), sides.human_steepness(BEEP_TIMES))


_SAMPLED: dict[str, Callable[[Contrast], SampledEstimates | None]] = {
    "sat_rmse": Contrast.sampled_rmse,
    "steepness_network": Contrast.network_steepness,
    "steepness_difference": _steepness_difference,
    "accuracy_range_network": lambda sides: accuracy_range(sides.network_curve()),
}
"""Measures of which the contribution of each image is known, so that their variance over images is, too."""
