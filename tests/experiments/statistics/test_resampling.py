"""Resampling within strata: weights, variances, coverage and degrees of freedom."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.statistics import resampling


def test_strata_keep_their_size_and_the_seed_determines_weights():
    strata = np.array(["a"] * 7 + ["b"] * 3 + ["c"])
    first, repeated, other = (
        resampling.draw_weights(strata, np.random.default_rng(seed), samples=50) for seed in (1, 1, 2)
    )
    assert (first[0] == 1).all()
    np.testing.assert_allclose(first[:, :7].sum(axis=1), 7)
    np.testing.assert_allclose(first[:, 7:10].sum(axis=1), 3)
    assert (first[:, 10] == 1).all()
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [2, 4, 30])
def test_the_variance_of_a_mean_is_unbiased_however_small_the_strata(size):
    # The plain bootstrap of strata of 2 would halve it.
    rng = np.random.default_rng(size)
    values = rng.normal(size=60)
    strata = np.repeat(np.arange(60 // size), size)
    weights = resampling.draw_weights(strata, rng, samples=20_000)
    replicates = (weights[1:] @ values) / 60
    expected = sum(values[strata == code].var(ddof=1) for code in set(strata)) * size / 60**2
    assert replicates.var() == pytest.approx(expected, rel=0.05)


def test_intervals_cover_a_known_mean():
    """Check that intervals of a mean of few units cover it in about 95 of 100 cases."""
    covered = 0
    for case in range(300):
        rng = np.random.default_rng(case)
        values = rng.normal(size=8)
        weights = resampling.draw_weights(np.zeros(8), rng, samples=400)
        replicates = weights @ values / 8
        drawn = resampling.Bootstrapped(replicates, replicates[1:], np.zeros(400), 7, 1)
        found = resampling.spread_estimate(drawn)
        covered += found.low <= 0 <= found.high
    assert 270 <= covered <= 297  # binomial, 95 %: 285 +- 4 SD


def test_degrees_of_freedom_follow_the_larger_component():
    rng = np.random.default_rng(0)
    large, small = rng.normal(size=500), 0.01 * rng.normal(size=500)
    assert resampling.combined_freedom([(large, 7), (small, 500)]) == pytest.approx(7, rel=0.1)
    assert resampling.combined_freedom([(small, 7), (large, 500)]) == pytest.approx(500, rel=0.1)


def test_a_measure_that_is_mostly_undefined_has_no_interval():
    replicates = np.concatenate([[0.5], np.full(50, np.nan), np.linspace(0, 1, 50)])
    drawn = resampling.Bootstrapped(replicates, replicates[1:], replicates[1:], 10, 10)
    found = resampling.spread_estimate(drawn)
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()


def crossed(seed, samples=4000):
    """Table of 12 observers and 40 images with small effects of both, and the bootstrap of its mean."""
    rng = np.random.default_rng(seed)
    table = 0.2 * rng.normal(size=40) + 0.1 * rng.normal(size=(12, 1)) + rng.normal(size=(12, 40))
    observers, images = (
        resampling.draw_weights(np.zeros(units), rng, samples=samples) for units in table.shape
    )
    found = resampling.Bootstrapped(
        np.einsum("bs,si,bi->b", observers, table, images) / table.size,
        images[1:] @ table.mean(axis=0) / 40,
        observers[1:] @ table.mean(axis=1) / 12,
        39,
        11,
    )
    return table, found


def test_the_variance_over_images_and_observers_contains_the_residual_once():
    table, found = crossed(4)
    by_image, by_observer = table.mean(axis=0), table.mean(axis=1)
    left = table - by_image - by_observer[:, None] + table.mean()
    residual = (left**2).sum() / (39 * 11) / table.size
    expected = by_image.var(ddof=1) / 40 + by_observer.var(ddof=1) / 12 - residual
    assert residual > 0.3 * expected
    assert found.variance == pytest.approx(expected, rel=0.08)
    # Samples of both contain the residual three times.
    assert found.replicates[1:].var() == pytest.approx(expected + 2 * residual, rel=0.08)


def test_the_variance_is_at_least_that_of_each_component():
    _, found = crossed(5, samples=500)
    fewer = resampling.Bootstrapped(found.replicates, found.images, 0 * found.observers, 39, 11)
    assert fewer.variance >= found.images.var()
    unknown = resampling.Bootstrapped(found.replicates, np.nan * found.images, found.observers, 39, 11)
    assert np.isnan(unknown.variance)


def test_a_correlation_has_the_interval_of_student_on_fishers_scale():
    _, found = crossed(6, samples=500)
    shrunk = resampling.Bootstrapped(
        *(np.tanh(part) for part in (found.replicates, found.images, found.observers)),
        found.image_freedom,
        found.observer_freedom,
    )
    on_scale, interval = resampling.spread_estimate(found), resampling.correlation_estimate(shrunk)
    np.testing.assert_allclose(
        [interval.value, interval.low, interval.high], np.tanh([on_scale.value, on_scale.low, on_scale.high])
    )


def test_a_spread_has_the_interval_of_student():
    _, found = crossed(6, samples=500)
    interval = resampling.spread_estimate(found)
    half = stats.t.ppf(0.975, found.freedom) * np.sqrt(found.variance)
    np.testing.assert_allclose([interval.low, interval.high], found.replicates[0] + half * np.array([-1, 1]))
    undefined = resampling.Bootstrapped(
        np.concatenate([found.replicates[:1], np.nan * found.replicates[1:]]),
        found.images,
        found.observers,
        39,
        11,
    )
    assert np.isnan(resampling.spread_estimate(undefined).low)
