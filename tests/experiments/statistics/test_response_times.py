"""Response times of networks: by hand, and fitted to human times on other images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics import response_times
from convrnn_experiments.statistics.correlations import weighted_ranks
from convrnn_experiments.statistics.response_times import (
    cross_validated_response_times,
    entropy_response_times,
    fit_threshold,
)

NAN = float("nan")


def test_response_times_by_hand():
    entropy = np.array([[2.0, 1.0, 0.5], [0.4, 0.9, 0.2], [2.0, 2.0, 1.5]])
    np.testing.assert_array_equal(entropy_response_times(entropy, 1.0), [1, 0, NAN])
    np.testing.assert_array_equal(entropy_response_times(entropy, 0.0), [NAN] * 3)
    np.testing.assert_array_equal(entropy_response_times(np.zeros((2, 0)), 1.0), [NAN] * 2)
    with pytest.raises(ConvRNNError):
        entropy_response_times(entropy[0], 1.0)


@settings(deadline=None)
@given(
    arrays.arrays(float, (7, 5), elements=st.one_of(st.floats(0, 3), st.just(NAN))),
    arrays.arrays(float, 4, elements=st.floats(-1, 3)),
)
def test_ranks_of_all_thresholds_are_those_of_each(entropy, thresholds):
    expected = [stats.rankdata(response_times.response_order(entropy, one)) for one in thresholds]
    np.testing.assert_array_equal(response_times._order_ranks(entropy, thresholds), expected)


@settings(deadline=None)
@given(arrays.arrays(float, (7, 5), elements=st.floats(0, 3)), st.floats(0, 3), st.floats(0, 3))
def test_a_lower_threshold_never_answers_earlier(entropy, one, other):
    early, late = (entropy_response_times(entropy, t) for t in (max(one, other), min(one, other)))
    assert (np.nan_to_num(early, nan=9) <= np.nan_to_num(late, nan=9)).all()


def slow_and_fast(images, seed):
    """Return entropies that fall at each image's own pace, and human times that follow the pace."""
    rng = np.random.default_rng(seed)
    pace = rng.uniform(0.15, 0.6, images)
    entropy = np.maximum(0, 2.7 - 2.7 * pace[:, None] * np.arange(8)) + rng.normal(0, 0.02, (images, 8))
    return entropy, 600 - 400 * pace + rng.normal(0, 20, images)


def test_the_threshold_is_fitted_on_one_half_and_tested_on_the_other():
    entropy, human = slow_and_fast(200, seed=0)
    fit = cross_validated_response_times(entropy, human, seed=0, splits=3)
    assert fit.correlation > 0.7
    assert fit.reached > 0.5
    assert len(fit.thresholds) == 6
    assert fit == cross_validated_response_times(entropy, human, seed=0, splits=3)
    # Times without a relation to the network: a fit to one half does not transfer to the other.
    noise = np.random.default_rng(2).permutation(human)
    assert abs(cross_validated_response_times(entropy, noise, seed=0, splits=5).correlation) < 0.15


def test_threshold_fits_by_hand():
    entropy = np.array([[3, 1, 0], [3, 2, 1], [3, 3, 2.0]])
    # At 1 the last image never answers, which makes it the slowest; at 2 it ties with the second.
    assert fit_threshold(entropy, [10, 20, 30], [1.0, 2.0]) == 1.0
    assert fit_threshold(entropy, [10, 20, NAN], [1.0, 2.0]) == 1.0
    assert fit_threshold(entropy, [10, 20, 30], [-1.0, 0.0]) == 0.0
    assert math.isnan(fit_threshold(entropy, [10, 20, 30], [-1.0]))  # no image answers
    assert math.isnan(fit_threshold(entropy, [NAN] * 3))
    empty = cross_validated_response_times(entropy, [NAN] * 3, seed=0, splits=2)
    assert math.isnan(empty.correlation)
    with pytest.raises(ConvRNNError):
        fit_threshold(entropy, [1, 2])


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(30)))
def test_the_fit_does_not_depend_on_the_order_of_images(order):
    entropy, human = slow_and_fast(30, seed=3)
    assert fit_threshold(entropy[order], human[order]) == pytest.approx(fit_threshold(entropy, human))


def test_an_image_that_never_reaches_the_threshold_is_the_slowest():
    # Dropping these images would lose their part of the order.
    rng = np.random.default_rng(0)
    times = rng.random(400)
    # The slower half of the images reaches the threshold after the last step.
    step = np.floor(16 * times + rng.normal(scale=4, size=400))
    entropy = np.where(np.arange(8) >= step[:, None], 0.5, 2.0)
    ranked = response_times.response_order(entropy, 1.0)
    assert (ranked[step >= 8] == 8).all()
    dropped = response_times.entropy_response_times(entropy, 1.0)
    assert np.isnan(dropped[step >= 8]).all()
    ranked_correlation = stats.spearmanr(ranked, times).statistic
    dropped_correlation = stats.spearmanr(dropped, times, nan_policy="omit").statistic
    assert ranked_correlation > dropped_correlation + 0.1
    assert response_times.fit_threshold(entropy, times) == pytest.approx(0.5)


def test_each_sample_fits_its_threshold_to_one_half_and_tests_it_on_the_other():
    entropy, human = slow_and_fast(60, seed=4)
    human[:3] = NAN
    rng = np.random.default_rng(5)
    splits = response_times.random_halves(human, rng, 2)
    assert all(len(np.intersect1d(*halves)) == 0 for halves in splits)
    weights = np.concatenate([np.ones((1, 60)), rng.integers(0, 3, (4, 60))])
    # Times differ between samples, because observers are resampled, too.
    times = human + rng.normal(0, 60, (5, 60))
    candidates = response_times.candidate_thresholds(entropy)
    expected = []
    for sample, own in zip(weights.astype(int), times, strict=True):
        found = []
        for halves in splits:
            one, other = (np.repeat(half, sample[half]) for half in halves)
            for fitted, tested in ((one, other), (other, one)):
                threshold = fit_threshold(entropy[fitted], own[fitted], candidates)
                steps = response_times.response_order(entropy[tested], threshold)
                found.append(stats.spearmanr(steps, own[tested], nan_policy="omit").statistic)
        expected.append(np.mean(found))
    ranks = [weighted_ranks(times[:, half], weights[:, half]) for halves in splits for half in halves]
    np.testing.assert_allclose(
        response_times.held_out_correlations(entropy, splits, ranks), expected, atol=1e-10
    )


def test_a_network_that_never_becomes_certain_has_no_correlation():
    splits = response_times.random_halves(np.arange(20.0), np.random.default_rng(0), 1)
    ranks = [weighted_ranks(half.astype(float), np.ones((2, 10))) for half in splits[0]]
    for constant in (np.inf, 1.0):
        found = response_times.held_out_correlations(np.full((20, 8), constant), splits, ranks)
        assert np.isnan(found).all()
