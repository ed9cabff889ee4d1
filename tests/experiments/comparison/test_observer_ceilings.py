"""Ceilings of the measures of a comparison."""

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.comparison.observer_ceilings import ceilings_of
from convrnn_experiments.statistics.means import mean_over


def test_ceilings_are_those_of_accuracies_and_times_computed_by_hand():
    answers, observers, _ = agreeing_network(observers=6, images=320)
    found = ceilings_of(
        observers.scores,
        {"response_time_correlation": observers.standardized_times()},
        labels=answers.labels,
        cells=answers.blocks,
        blocks=answers.blocks,
        strata=answers.blocks,
        rng=np.random.default_rng(0),
    )
    curves = np.stack([100 * observers.scores[:, answers.blocks == block].mean(axis=1) for block in (0, 1)])
    others = [np.delete(curves, one, axis=1).mean(axis=1) for one in range(6)]
    gaps = curves.T - np.stack(others)
    assert found["sat_rmse_raw"].observer.value == pytest.approx(np.sqrt(np.mean(gaps**2)))
    # Two blocks: the slope over normalised time is the difference of their accuracies.
    steps = curves[1] - curves[0]
    rise = steps - (steps.sum() - steps) / 5
    assert found["steepness_difference"].observer.value == pytest.approx(np.sqrt(np.mean(rise**2)))
    assert 0.5 < found["response_time_correlation"].halves.value < 1
    assert found["response_time_correlation"].observer.value < found["response_time_correlation"].halves.value
    assert mean_over([found["category_correlation_raw"].halves.value]) < 1
