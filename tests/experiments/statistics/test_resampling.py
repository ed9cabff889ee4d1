"""Measures of many bootstrap samples at once against the same measures of one sample after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from convrnn_experiments.statistics import correlations, means, measures, resampling


def drawn(weights, *arrays):
    """The resampled set itself: each unit as often as it was drawn."""
    rows = np.repeat(np.arange(len(weights)), weights.astype(int))
    return [array[..., rows] for array in arrays]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), units=st.integers(6, 40))
def test_every_sample_is_measured_as_if_it_were_the_data(seed, units):
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 2, units).astype(float)
    others = rng.integers(0, 2, (3, units)).astype(float)
    others[rng.random(others.shape) < 0.2] = np.nan
    steps, times = rng.integers(0, 4, units).astype(float), rng.normal(size=units)
    steps[0] = np.nan
    weights = np.vstack([np.ones(units), rng.multinomial(units, np.full(units, 1 / units), size=5)]).astype(
        float
    )
    kappas = measures.kappas(right[None], others, weights)[:, 0]
    rho = correlations.rank_correlations(steps, times, weights)
    each = correlations.rank_correlations(steps, np.tile(times, (6, 1)), weights)
    np.testing.assert_allclose(each, rho)
    for sample, weight in enumerate(weights):
        a, b = drawn(weight, right, others)
        expected = measures.consistency_matrix(a[None], b)[0]
        np.testing.assert_allclose(kappas[sample], expected, atol=1e-12)
        x, y = drawn(weight, steps, times)
        np.testing.assert_allclose(rho[sample], correlations.rank_correlation(x, y), atol=1e-10)


def test_against_scipy_and_scikit_learn():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 60))
    ones = np.ones((1, 60))
    kappa = measures.kappas(a[None].astype(float), b[None].astype(float), ones)[0, 0, 0]
    # Chance from the two accuracies is Cohen's chance for two answers.
    assert kappa == pytest.approx(cohen_kappa_score(a, b))
    x, y = rng.integers(0, 5, 60).astype(float), rng.normal(size=60)
    assert correlations.rank_correlations(x, y, ones)[0] == pytest.approx(stats.spearmanr(x, y).statistic)
    found = correlations.correlations(x, y)
    assert found == pytest.approx(stats.pearsonr(x, y).statistic)


def test_pairs_of_people():
    rng = np.random.default_rng(2)
    correct = rng.integers(0, 2, (5, 40)).astype(float)
    matrix = measures.consistency_matrix(correct)
    weights = np.array([[1.0, 1, 1, 1, 1], [2, 0, 2, 1, 0]])
    found = measures.pair_means(matrix, weights)
    assert found[0] == pytest.approx(measures.ceiling(correct))
    # 0 and 2 were drawn twice, and make four pairs with each other, none with themselves.
    assert found[1] == pytest.approx((4 * matrix[0, 2] + 2 * matrix[0, 3] + 2 * matrix[2, 3]) / 8)


def test_strata_keep_their_size_and_seeds_repeat():
    strata = np.array(["a"] * 7 + ["b"] * 3 + ["c"])
    first, again, other = (
        resampling.draw_weights(strata, np.random.default_rng(seed), samples=50) for seed in (1, 1, 2)
    )
    assert (first[0] == 1).all()
    np.testing.assert_allclose(first[:, :7].sum(axis=1), 7)
    np.testing.assert_allclose(first[:, 7:10].sum(axis=1), 3)
    assert (first[:, 10] == 1).all()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [2, 4, 30])
def test_the_variance_of_a_mean_is_unbiased_however_small_the_strata(size):
    """The plain bootstrap of strata of 2 would halve it."""
    rng = np.random.default_rng(size)
    values = rng.normal(size=60)
    strata = np.repeat(np.arange(60 // size), size)
    weights = resampling.draw_weights(strata, rng, samples=20_000)
    replicates = (weights[1:] @ values) / 60
    expected = sum(values[strata == code].var(ddof=1) for code in set(strata)) * size / 60**2
    assert replicates.var() == pytest.approx(expected, rel=0.05)


def test_means_leave_out_what_is_not_known():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 4.0]])
    np.testing.assert_allclose(means.sample_means(values, np.ones((1, 3))), [[2, 4]])
    weighted = means.weighted_mean(np.array([1.0, np.nan, 6]), np.array([[1.0, 1, 1], [2, 1, 0]]))
    np.testing.assert_allclose(weighted, [3.5, 1])


def test_constant_ranks_have_no_correlation():
    ones = np.ones((1, 4))
    assert np.isnan(correlations.rank_correlations(np.full(4, 0.1), np.arange(4.0), ones)).all()
    assert np.isnan(correlations.rank_correlations(np.array([np.nan] * 3 + [1]), np.arange(4.0), ones)).all()


def test_intervals_cover_a_known_mean():
    """A mean of few units is held in about 95 of 100 cases."""
    held = 0
    for case in range(300):
        rng = np.random.default_rng(case)
        values = rng.normal(size=8)
        weights = resampling.draw_weights(np.zeros(8), rng, samples=400)
        found = resampling.percentile_estimate(weights @ values / 8, 7)
        held += found.low <= 0 <= found.high
    assert 270 <= held <= 297  # binomial, 95 %: 285 +- 4 SD


def test_degrees_of_freedom_follow_the_larger_component():
    rng = np.random.default_rng(0)
    large, small = rng.normal(size=500), 0.01 * rng.normal(size=500)
    assert resampling.combined_freedom([(large, 7), (small, 500)]) == pytest.approx(7, rel=0.1)
    assert resampling.combined_freedom([(small, 7), (large, 500)]) == pytest.approx(500, rel=0.1)


def test_a_measure_that_is_mostly_undefined_has_no_interval():
    replicates = np.concatenate([[0.5], np.full(50, np.nan), np.linspace(0, 1, 50)])
    found = resampling.percentile_estimate(replicates, 10)
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()
