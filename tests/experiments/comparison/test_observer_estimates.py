"""Mean response times and miss rates of the observers."""

import numpy as np
import pytest

from convrnn_experiments.comparison.observer_estimates import mean_time_estimates, miss_rates


def test_mean_times_and_misses_are_averaged_by_observer_first(rows):
    observers = rows[0].observers
    for block, (time, miss) in enumerate(
        zip(mean_time_estimates(observers), miss_rates(observers), strict=True)
    ):
        in_block = observers.blocks == block
        own_times = [
            np.nanmean(times[in_block]) for times in observers.times if np.isfinite(times[in_block]).any()
        ]
        assert time.value == pytest.approx(np.mean(own_times))
        assert time.low < time.value < time.high
        trials = ~np.isnan(observers.scores[:, in_block]) | observers.missed[:, in_block]
        shares = [
            100 * missed[in_block][shown].mean()
            for missed, shown in zip(observers.missed, trials, strict=True)
        ]
        assert miss.value == pytest.approx(np.mean(shares))
        assert miss.low < miss.high
