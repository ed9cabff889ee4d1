"""People on their own: mean response times and miss rates by response-time block, with intervals over observers."""

import numpy as np

from convrnn_experiments.comparison.observer_group import Crowd, mean_times, observer_mean_times
from convrnn_experiments.statistics.contrast import BLOCKS
from convrnn_experiments.statistics.intervals import (
    Estimate,
    normal_interval,
    proportion_interval,
    without_interval,
)
from convrnn_experiments.statistics.means import membership


def mean_time_estimates(crowd: Crowd) -> list[Estimate]:
    """(blocks,) people's mean response times in ms, with Student's intervals over observers."""
    own = observer_mean_times(crowd)
    found = []
    for mean, column in zip(mean_times(crowd), own.T, strict=True):
        known = column[~np.isnan(column)]
        found.append(_student_mean(float(mean), known))
    return found


def _student_mean(mean: float, values: np.ndarray) -> Estimate:
    if len(values) < 2:
        return without_interval(mean)
    return normal_interval(mean, float(values.var(ddof=1)) / len(values), len(values) - 1)


def miss_rates(crowd: Crowd) -> list[Estimate]:
    """(blocks,) share of trials missed in percent: of each observer, then over observers; with Wilson's interval."""
    trials = ~np.isnan(crowd.scores) | crowd.missed
    member = membership(crowd.blocks, BLOCKS)
    number, missed = trials @ member, crowd.missed @ member
    found = []
    for block in range(BLOCKS):
        has = number[:, block] > 0
        own = 100 * missed[has, block] / number[has, block]
        variance = float(own.var(ddof=1)) / len(own) if len(own) > 1 else float("nan")
        mean = float(own.mean()) if len(own) else float("nan")
        found.append(proportion_interval(mean, variance, max(len(own) - 1, 1), len(own)))
    return found
