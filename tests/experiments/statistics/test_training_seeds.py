"""Spread over training seeds, against textbook formulas and simulated networks."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.resampling import Bootstrapped
from convrnn_experiments.statistics.sampling_error import SampledEstimates, concatenate, network_means
from convrnn_experiments.statistics.training_seeds import (
    bootstrap_error,
    group_by_settings,
    linear_error,
    seed_difference,
    seed_spread,
    spread_of_values,
)


def spread_of(values):
    return seed_spread(values.values, linear_error(values))


def test_networks_are_grouped_by_all_settings_but_the_seed():
    settings = [
        {"network": "bl", "epochs": 10, "seed": 0},
        {"network": "b", "epochs": 10, "seed": 0},
        {"network": "bl", "epochs": 10, "seed": 1},
        {"network": "bl", "epochs": 20, "seed": 1},
    ]
    assert group_by_settings(settings) == [[0, 2], [1], [3]]
    assert group_by_settings([settings[0], dict(settings[0])]) == [[0, 1]]


def test_the_mean_has_students_interval_over_seeds():
    values = np.array([60.0, 62.0, 65.0, 61.0])
    nothing = np.zeros((50, 4))
    found = spread_of(SampledEstimates(values, nothing, np.zeros((0, 4)), nothing, 40))
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (found.mean.low, found.mean.high) == pytest.approx(expected)
    assert found.seeds == 4
    assert found.sd == pytest.approx(values.std(ddof=1))
    alone = spread_of_values(values)
    assert (alone.mean, alone.sd) == (found.mean, found.sd)
    assert np.isnan([alone.on_new_images.low, alone.seed_variance, alone.image_variance]).all()
    assert found.seed_variance == pytest.approx(values.var(ddof=1))
    assert found.image_variance == pytest.approx(0)
    # Without an error of the images, new images add nothing.
    assert found.on_new_images.high == pytest.approx(found.mean.high)


def test_one_network_has_no_spread():
    part = np.ones((5, 1))
    found = spread_of(SampledEstimates(np.array([50.0]), part, np.zeros((0, 1)), 0 * part, 4))
    assert found.mean.value == 50
    assert np.isnan(
        [found.mean.low, found.seed_variance, found.image_variance, found.on_new_images.high]
    ).all()
    with pytest.raises(ConvRNNError, match="at least one"):
        seed_spread([], lambda weights: (0.0, 1.0))


def test_a_measure_that_a_network_lacks_has_no_spread():
    found = spread_of_values([50.0, float("nan")])
    assert np.isnan([found.mean.value, found.mean.low, found.sd]).all()


def test_simulated_variances_are_recovered_and_the_mean_is_covered():
    rng = np.random.default_rng(0)
    images, networks, truth, sd = 300, 5, 0.6, 0.04
    codes = np.zeros(images, dtype=int)
    seeds, covered = [], 0
    for _ in range(300):
        difficulty = rng.normal(size=images)
        accuracy = truth + sd * rng.normal(size=networks)
        latent = np.sqrt(0.6) * difficulty[:, None] + np.sqrt(0.4) * rng.normal(size=(images, networks))
        right = stats.norm.cdf(latent) < accuracy
        found = spread_of(concatenate([network_means(100.0 * column, codes, 1, codes) for column in right.T]))
        seeds.append(found.seed_variance)
        covered += found.on_new_images.low <= 100 * truth <= found.on_new_images.high
    # The variance of 5 networks is known to 71 %, so its mean over 300 to 4 %; cut at 0, it is slightly too large.
    assert np.mean(seeds) == pytest.approx(100**2 * sd**2, rel=0.15)
    assert 0.91 < covered / 300 < 0.99


def test_replicates_give_the_spread_that_contributions_of_the_same_images_give():
    rng = np.random.default_rng(3)
    images, networks, samples = 200, 4, 4000
    scores = (rng.normal(size=(images, 1)) + rng.normal(size=(images, networks))) * 20 + [50, 55, 52, 61]
    codes = np.zeros(images, dtype=int)
    joined = concatenate([network_means(one, codes, 1, codes) for one in scores.T])
    weights = rng.multinomial(images - 1, np.full(images, 1 / images), size=samples) / (images - 1)
    drawn = np.concatenate([scores.mean(axis=0)[None], weights @ scores])
    replicates = [Bootstrapped(one, one[1:], np.full(samples, one[0]), images - 1, 0) for one in drawn.T]
    expected = spread_of(joined)
    found = seed_spread(drawn[0], bootstrap_error(replicates))
    assert found.mean.low == pytest.approx(expected.mean.low)
    assert found.sd == pytest.approx(expected.sd)
    assert found.image_variance == pytest.approx(expected.image_variance, rel=0.1)
    assert found.seed_variance == pytest.approx(expected.seed_variance, rel=0.1)
    assert found.on_new_images.low == pytest.approx(expected.on_new_images.low, abs=0.3)


def test_an_undefined_replicate_leaves_the_spread_over_these_images():
    known = Bootstrapped(np.arange(5.0), np.arange(4.0), np.arange(4.0), 9, 4)
    unknown = Bootstrapped(np.arange(1.0, 6.0), np.full(4, np.nan), np.arange(4.0), 9, 4)
    found = seed_spread([0.0, 1.0], bootstrap_error([known, unknown]))
    assert (found.mean.value, found.sd) == (0.5, pytest.approx(0.5**0.5))
    assert np.isnan(found.on_new_images.low)


def welch(first, second):
    found = stats.ttest_ind(first, second, equal_var=False)
    return found.confidence_interval(), found.df


def test_without_a_sampling_error_the_difference_of_two_groups_is_welchs():
    first, second = np.array([60.0, 62.0, 65.0, 61.0]), np.array([50.0, 58.0, 55.0])
    found, freedom = seed_difference(first, second, lambda weights: (0.0, np.inf))
    (low, high), df = welch(first, second)
    assert found.value == pytest.approx(first.mean() - second.mean())
    assert (found.low, found.high, freedom) == pytest.approx((low, high, df))


def test_two_networks_differ_by_the_sampling_error_alone():
    found, freedom = seed_difference([60.0], [50.0], lambda weights: (4.0, 30.0))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 30, 10, 2))
    assert freedom == pytest.approx(30)


def test_the_difference_of_a_group_and_itself_has_no_error_of_the_images():
    rng = np.random.default_rng(2)
    scores = 20 * rng.normal(size=(100, 1)) + 5 * rng.normal(size=(100, 3)) + [50, 55, 52]
    codes = np.zeros(100, dtype=int)
    values = concatenate([network_means(one, codes, 1, codes) for one in scores.T])
    both = linear_error(concatenate([values, values]))
    found, _ = seed_difference(values.values, values.values, both)
    weights = np.repeat([1 / 3, -1 / 3], 3)
    assert both(weights)[0] == pytest.approx(0, abs=1e-12)
    assert found.value == pytest.approx(0)
    spread = 2 * values.values.var(ddof=1) / 3
    assert found.high == pytest.approx(stats.t.ppf(0.975, 4) * np.sqrt(spread), rel=0.02)


@pytest.mark.parametrize(("values", "variance"), [([60.0, np.nan], 1.0), ([60.0, 61.0], np.nan)])
def test_an_unknown_value_or_error_leaves_no_interval(values, variance):
    found, freedom = seed_difference(values, [50.0], lambda weights: (variance, 9.0))
    assert np.isnan([found.low, found.high, freedom]).all()
