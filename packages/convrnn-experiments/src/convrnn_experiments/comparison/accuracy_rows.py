"""Comparison of humans with networks of which only accuracies by response-time block are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convrnn_data.observers.table import observer_curves
from convrnn_experiments.comparison.condition_observers import BEEP_TIMES
from convrnn_experiments.comparison.observer_group import ObserverGroup
from convrnn_experiments.conditions import ALL_LEVELS, condition_name
from convrnn_experiments.rows.accuracies import AccuracyRow
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.means import mean_over


@dataclass(frozen=True)
class AccuracyComparison:
    """Comparison in one condition. Sampling error is unknown without the images, so measures have no interval.

    Attributes:
        network: Name of the network.
        condition: Name of the condition.
        values: Measure -> value; measures that need answers to single images are left out.
        images: Number of images; NaN if unknown.
        observers: Number of observers.
        level_blocks: Number of pairs of level and response-time block in the RMSE.
        pooled: Whether this is the comparison over all levels of the regime.
    """

    network: str
    condition: str
    values: dict[str, float]
    images: float
    observers: int
    level_blocks: int
    pooled: bool


def compare_accuracies(rows: Sequence[AccuracyRow], group: ObserverGroup) -> list[AccuracyComparison]:
    """Compare accuracies with the mean human curve of the same level, and of all levels together.

    The human curve is over all stimuli of the level. Levels that no observer was shown are left out.
    """
    compared = []
    for network, regime in dict.fromkeys((row.network, row.regime) for row in rows):
        levels = [row for row in rows if (row.network, row.regime) == (network, regime)]
        shown = [(row, curve) for row in levels if np.isfinite(curve := _human_curve(group, row)).any()]
        several = len(shown) > 1
        compared += [_comparison([pair], pair[0].condition, group, pooled=not several) for pair in shown]
        if several:
            compared.append(_comparison(shown, condition_name(regime, ALL_LEVELS), group, pooled=True))
    return compared


def _comparison(
    pairs: Sequence[tuple[AccuracyRow, np.ndarray]], condition: str, group: ObserverGroup, *, pooled: bool
) -> AccuracyComparison:
    network = np.array([row.percent for row, _ in pairs])
    human = np.array([curve for _, curve in pairs])
    known = np.isfinite(human)
    exits, beeps = np.arange(network.shape[1]), BEEP_TIMES
    slopes = (measures.steepness(exits, mean_over(network)), measures.steepness(beeps, mean_over(human)))
    first = pairs[0][0]
    return AccuracyComparison(
        first.network,
        condition,
        {
            "sat_rmse_raw": measures.sat_rmse(network[known], human[known]),
            "steepness_network": slopes[0],
            "steepness_people": slopes[1],
            "steepness_difference": slopes[0] - slopes[1],
        },
        float(np.sum([row.images for row, _ in pairs])),
        group.size(first.regime),
        int(known.sum()),
        pooled,
    )


def _human_curve(group: ObserverGroup, row: AccuracyRow) -> np.ndarray:
    """Return the mean accuracy of the observers by block in percent, (blocks,); NaN where none was shown the level."""
    trials = group.at_level(row.regime, row.level)
    if trials.empty:
        return np.full(len(BEEP_TIMES), np.nan)
    return mean_over(observer_curves(trials, by=None).to_numpy(dtype=float))
