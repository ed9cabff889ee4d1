"""Estimates of all measures in one condition."""

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.comparison.columns import MEASURES
from convrnn_experiments.comparison.estimates import bootstraps, dashed_without_blocks, estimate
from convrnn_experiments.comparison.exits import Match
from convrnn_experiments.statistics.contrast import Contrast
from convrnn_experiments.statistics.intervals import Estimate

MATCH = Match(np.arange(5.0))


@pytest.fixture(scope="module")
def one():
    answers, observers, difficulty = agreeing_network(observers=6, images=160)
    exits = answers.right & (difficulty[:, None] < np.linspace(0.3, 0.8, 8))
    sides = Contrast(
        answers.labels,
        np.zeros(160, dtype=int),
        answers.blocks,
        exits[:, 0].astype(float),
        exits,
        observers.scores,
    )
    return answers, observers, sides


def of(one, regime):
    answers, observers, sides = one
    return estimate(
        answers, observers, sides, sides, MATCH, multiply_adds=np.arange(1, 9) * 1e9, regime=regime,
        misses="chance", seed=0,
    )  # fmt: skip


def test_every_measure_is_estimated_and_undefined_fits_have_reasons(one):
    found = of(one, "color")
    assert set(found.measures) == {measure.key for measure in MEASURES}
    for measure, reason in found.reasons.items():
        assert bool(reason) == np.isnan(found.measures[measure].value), measure
    # Two response-time blocks do not determine a SAT function of humans.
    assert "got 2" in found.reasons["sat_rate_people"]
    for measure, ceiling in found.ceilings.items():
        assert measure in found.measures
        assert np.isfinite(ceiling.observer.value)
    assert found.ceilings["error_consistency"].observer == found.measures["error_consistency_people"]


def test_experiments_without_blocks_lack_the_measures_over_time(one):
    found = of(one, "another experiment")
    assert np.isfinite(found.measures["category_correlation_raw"].value)
    assert np.isnan(found.measures["accuracy_range_network"].value)
    assert set(found.ceilings) == {"category_correlation_raw", "error_consistency"}
    kept = dashed_without_blocks({"sat_rmse": Estimate(1.0, 0.5, 2.0)}, "color")
    assert kept["sat_rmse"].value == 1


def test_networks_share_their_bootstrap_samples(one):
    answers, observers, sides = one
    first, second = (bootstraps(answers, observers, sides, MATCH, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.consistency.replicates, second.consistency.replicates)
    assert set(first.times) == {
        "response_time_correlation",
        "response_time_correlation_correct",
        "response_time_area",
        "response_time_margin",
        "response_time_accumulator",
    }
