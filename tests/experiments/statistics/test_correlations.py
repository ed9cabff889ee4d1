"""Correlations against SciPy, with ties, missing values and constants."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from convrnn_experiments.statistics import correlations
from convrnn_experiments.statistics.correlations import rank_correlation
from convrnn_experiments.statistics.measures import (
    category_correlation,
)

NAN = float("nan")
PERCENT = st.floats(0, 100, allow_nan=False)
pairs = st.integers(1, 20).flatmap(lambda n: st.tuples(*2 * [arrays.arrays(float, n, elements=PERCENT)]))


@settings(deadline=None)
@given(arrays.arrays(float, (2, 12), elements=st.integers(0, 5)))
def test_rank_correlation_equals_spearman(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns where one is constant
        expected = stats.spearmanr(*pair).statistic
    assert rank_correlation(*pair) == pytest.approx(expected, nan_ok=True)


def test_rank_correlation_omits_images_without_a_time():
    assert rank_correlation([1, 2, NAN, 4], [10, NAN, 0, 30]) == pytest.approx(1)
    assert math.isnan(rank_correlation([1, NAN], [NAN, 2]))


@settings(deadline=None)
@given(pairs, st.randoms())
def test_correlations_are_symmetric_bounded_and_invariant_to_order(pair, random):
    a, b = pair
    order = random.sample(range(len(a)), len(a))
    for correlation in (category_correlation, rank_correlation):
        r = correlation(a, b)
        assert math.isnan(r) or -1 <= r <= 1
        for other in (correlation(b, a), correlation(a[order], b[order])):
            assert other == pytest.approx(r, abs=1e-6, nan_ok=True)  # rounding of sums in another order


@pytest.mark.parametrize("groups", [5, 200])
def test_rank_correlations_of_weighted_samples_are_those_of_repeated_units(groups):
    rng = np.random.default_rng(groups)
    a, b = rng.integers(0, groups, 150).astype(float), np.round(rng.normal(size=150), 1)
    a[:10], b[5:20] = NAN, NAN
    weights = rng.integers(0, 3, (6, 150))
    for rho, counts in zip(correlations.rank_correlations(a, b, weights), weights, strict=True):
        x, y = np.repeat(a, counts), np.repeat(b, counts)
        known = ~(np.isnan(x) | np.isnan(y))
        assert rho == pytest.approx(stats.spearmanr(x[known], y[known]).statistic)


def test_constant_ranks_have_no_correlation():
    ones = np.ones((1, 4))
    assert np.isnan(correlations.rank_correlations(np.full(4, 0.1), np.arange(4.0), ones)).all()
    assert np.isnan(correlations.rank_correlations(np.array([np.nan] * 3 + [1]), np.arange(4.0), ones)).all()
