"""Resampling within strata: weights, variances, coverage and degrees of freedom."""

import numpy as np
import pytest

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
        found = resampling.percentile_estimate(weights @ values / 8, 7)
        covered += found.low <= 0 <= found.high
    assert 270 <= covered <= 297  # binomial, 95 %: 285 +- 4 SD


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
