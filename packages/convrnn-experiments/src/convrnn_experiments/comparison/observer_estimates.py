"""Estimates for the observers only: mean response times and miss rates by response-time block."""

import numpy as np

from convrnn_data.human.experiment import BLOCKS
from convrnn_experiments.comparison.condition_observers import ConditionObservers
from convrnn_experiments.statistics.intervals import Estimate, normal_interval, proportion_interval
from convrnn_experiments.statistics.means import membership


def mean_time_estimates(observers: ConditionObservers) -> list[Estimate]:
    """Return mean response times in ms with Student's intervals over observers, (blocks,)."""
    return [
        normal_interval(
            float(mean), _variance_of_mean(times[~np.isnan(times)]), max((~np.isnan(times)).sum() - 1, 1)
        )
        for mean, times in zip(observers.mean_times, observers.observer_mean_times.T, strict=True)
    ]


def miss_rates(observers: ConditionObservers) -> list[Estimate]:
    """Return miss rates in percent with Wilson's intervals, averaged by observer, then over observers, (blocks,)."""
    trials = ~np.isnan(observers.scores) | observers.missed
    member = membership(observers.blocks, BLOCKS)
    number, missed = trials @ member, observers.missed @ member
    rates = []
    for block in range(BLOCKS):
        took_part = number[:, block] > 0
        by_observer = 100 * missed[took_part, block] / number[took_part, block]
        mean = float(by_observer.mean()) if len(by_observer) else float("nan")
        freedom = max(len(by_observer) - 1, 1)
        rates.append(proportion_interval(mean, _variance_of_mean(by_observer), freedom, len(by_observer)))
    return rates


def _variance_of_mean(values: np.ndarray) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else float("nan")
