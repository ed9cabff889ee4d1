"""Error consistency and response times of networks and observers, with joint bootstrap intervals."""

import numpy as np
import pytest
from comparison_by_hand import agreeing_network

from convrnn_experiments.comparison import agreement
from convrnn_experiments.statistics import measures, resampling


def test_error_consistency_is_the_mean_over_observers_and_blocks():
    answers, observers, difficulty = agreeing_network()
    right = difficulty < 0.5
    drawn = agreement.resample(answers.blocks, 5, seed=0)
    found = agreement.error_consistency(
        agreement.bootstrapped_consistency(right, answers, observers, drawn),
        agreement.shared_trials(answers, observers),
    )
    kappas = []
    for observer in observers.correct:
        by_block = []
        for block in range(2):
            known = (answers.blocks == block) & ~np.isnan(observer)
            by_block.append(measures.error_consistency(right[known], observer[known]))
        kappas.append(np.mean(by_block))
    assert found.value == pytest.approx(np.mean(kappas))
    assert found.low < found.value < found.high
    assert found.low > 0  # its errors are on the images that observers miss


def test_one_observer_gives_no_interval():
    answers, observers, difficulty = agreeing_network(observers=1)
    drawn = agreement.resample(answers.blocks, 1, seed=0)
    found = agreement.error_consistency(
        agreement.bootstrapped_consistency(difficulty < 0.5, answers, observers, drawn),
        agreement.shared_trials(answers, observers),
    )
    assert np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(agreement.ceiling(answers, observers, drawn).value)


def test_the_interval_allows_for_few_trials():
    answers, observers, difficulty = agreeing_network()
    drawn = agreement.resample(answers.blocks, 5, seed=0)
    found = agreement.bootstrapped_consistency(difficulty < 0.5, answers, observers, drawn)
    shared = agreement.shared_trials(answers, observers)
    np.testing.assert_array_equal(
        shared[:, 1], (~np.isnan(observers.correct[:, answers.blocks == 1])).sum(axis=1)
    )
    plain, many = resampling.spread_estimate(found), agreement.error_consistency(found, np.full(3, 1e9))
    assert many == plain or np.allclose([many.low, many.high], [plain.low, plain.high])
    few = agreement.error_consistency(found, np.array([11.0]))
    # 11 k / (10 + k) is k = 1 for equal answers, and 1.1 k for k near 0.
    stretch = 11 / (10 + plain.value)
    np.testing.assert_allclose([few.low, few.high], [stretch * plain.low, min(stretch * plain.high, 1)])
    assert few.value == plain.value


def test_kappa_of_few_trials_is_unbiased_after_the_stretch():
    # The raters share 30 % of their answers, so kappa is 0.3.
    rng = np.random.default_rng(0)
    first = rng.random((4000, 8)) < 0.6
    second = np.where(rng.random(first.shape) < 0.3, first, rng.random(first.shape) < 0.6)
    kappas = np.array([measures.error_consistency(a, b) for a, b in zip(first, second, strict=True)])
    kappa = np.nanmean(kappas)
    assert kappa < 0.28  # The standard error is 0.006.
    assert 8 * kappa / (7 + kappa) == pytest.approx(0.3, abs=0.015)


def test_the_ceiling_has_the_sampling_error_of_images():
    widths = []
    for images in (60, 600):
        answers, observers, _ = agreeing_network(images=images, observers=8)
        drawn = agreement.resample(answers.blocks, 8, seed=0)
        found = agreement.ceiling(answers, observers, drawn)
        matrix = agreement.consistency(answers, observers, np.zeros((0, images)))
        assert found.value == pytest.approx(matrix[np.triu_indices(8, 1)].mean())
        assert found.low < found.value < found.high
        widths.append(found.high - found.low)
    assert widths[1] < 0.6 * widths[0]


def test_response_times_follow_difficulty():
    answers, observers, _ = agreeing_network(images=200, observers=8)
    drawn = agreement.resample(answers.blocks, 8, seed=0)
    found = agreement.response_time_correlation(
        agreement.bootstrapped_times(answers.entropy, observers, drawn, correct=False, seed=0)
    )
    assert found.low > 0.3
    correct = agreement.response_time_correlation(
        agreement.bootstrapped_times(answers.entropy, observers, drawn, correct=True, seed=0)
    )
    assert correct.value != found.value
    assert correct.low > 0


def test_opposite_answers_in_two_trials_have_an_interval_within_the_limits():
    spread = np.linspace(-1, -0.8, 10)
    opposite = resampling.Bootstrapped(np.array([-1.0, *spread]), spread, spread, 1, 4)
    found = agreement.error_consistency(opposite, np.array([[2.0, 2.0]]))
    assert -1 == found.value == found.low < found.high <= 1
