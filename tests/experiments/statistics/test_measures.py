"""Measures of the comparison: by hand, and against SciPy and scikit-learn."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn import metrics
from sklearn.metrics import cohen_kappa_score

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics import correlations, measures
from convrnn_experiments.statistics.measures import (
    category_correlation,
    ceiling,
    confusion_matrix,
    consistency_matrix,
    error_consistency,
    row_shares,
    sat_rmse,
    steepness,
)

NAN = float("nan")
PERCENT = st.floats(0, 100, allow_nan=False)
trials = st.integers(1, 40).flatmap(lambda n: st.tuples(*2 * [arrays.arrays(bool, n)]))
pairs = st.integers(1, 20).flatmap(lambda n: st.tuples(*2 * [arrays.arrays(float, n, elements=PERCENT)]))


def test_sat_rmse_by_hand():
    assert sat_rmse([10, 20, 30], [13, 16, 30]) == pytest.approx(math.sqrt((9 + 16) / 3))
    assert sat_rmse([[10, 20], [30, 40]], [[12, 20], [30, 36]]) == pytest.approx(math.sqrt(20 / 4))
    assert math.isnan(sat_rmse([1, NAN], [1, 2]))
    assert math.isnan(sat_rmse([], []))
    with pytest.raises(ConvRNNError, match="shapes"):
        sat_rmse([1, 2], [[1, 2]])


@settings(deadline=None)
@given(pairs, st.randoms())
def test_sat_rmse_is_a_distance(pair, random):
    a, b = pair
    assert sat_rmse(a, b) == sat_rmse(b, a)
    assert 0 <= sat_rmse(a, b) <= 100
    assert sat_rmse(a, a) == 0
    order = random.sample(range(len(a)), len(a))
    assert sat_rmse(a[order], b[order]) == pytest.approx(sat_rmse(a, b))


def test_category_correlation_by_hand_and_by_scipy():
    assert category_correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert category_correlation([1, 2, 3, 9], [3, 2, 1, NAN]) == pytest.approx(-1)
    assert math.isnan(category_correlation([1, 1, 1], [1, 2, 3]))
    assert math.isnan(category_correlation([0.1 + 0.2, 0.3 + 5e-17, 0.3 + 5e-17][1:], [1, 2]))
    assert math.isnan(category_correlation([1, NAN], [1, 2]))
    close = 50 + 7.2e-15 * np.array([0, 0, 1])  # neighbouring numbers
    assert category_correlation(close, [0, 0, 1]) == pytest.approx(1)
    a, b = np.random.default_rng(0).normal(size=(2, 16))
    assert category_correlation(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)


def test_steepness_by_hand():
    # Time becomes 0, 0.5, 1: accuracy gains 30 from end to end.
    assert steepness([500, 1000, 1500], [10, 25, 40]) == pytest.approx(30)
    assert steepness([0, 1, 3], [0, 10, 30]) == pytest.approx(30)
    assert steepness([2, 0, 1], [20, 0, NAN]) == pytest.approx(20)
    assert math.isnan(steepness([1, 1], [0, 5]))
    assert math.isnan(steepness([], []))


@settings(deadline=None)
@given(arrays.arrays(float, 6, elements=PERCENT), st.floats(0.1, 1e6), st.floats(-1e3, 1e3))
def test_steepness_does_not_depend_on_the_unit_of_time(accuracy, factor, start):
    times = np.array([0.0, 1, 2, 4, 7, 8])
    expected = stats.linregress(times / 8, accuracy).slope
    assert steepness(times, accuracy) == pytest.approx(expected, abs=1e-9)
    assert steepness(start + factor * times, accuracy) == pytest.approx(expected, rel=1e-6, abs=1e-4)


def test_error_consistency_by_hand():
    a = np.array([1, 1, 1, 0, 0, 0, 1, 1], bool)
    b = np.array([1, 1, 0, 0, 0, 1, 1, 1], bool)
    # Both 5/8 right, alike on 6/8; by chance (25 + 9) / 64.
    assert error_consistency(a, b) == pytest.approx((6 / 8 - 34 / 64) / (1 - 34 / 64))
    assert error_consistency(a, a) == pytest.approx(1)
    assert error_consistency([True, False], [False, True]) == pytest.approx(-1)
    assert error_consistency([True, True], [True, False]) == 0
    assert math.isnan(error_consistency([True, True], [True, True]))
    assert math.isnan(error_consistency([], []))


@settings(deadline=None)
@given(trials, st.randoms())
def test_error_consistency_is_cohens_kappa(pair, random):
    a, b = pair
    kappa = error_consistency(a, b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn divides 0 by 0 where kappa is undefined
        expected = metrics.cohen_kappa_score(a, b, labels=[False, True])
    if math.isnan(kappa):
        assert np.array_equal(a, b)
        assert len(set(a.tolist())) == 1
    else:
        assert kappa == pytest.approx(expected)
        assert -1 <= kappa <= 1
    order = random.sample(range(len(a)), len(a))
    np.testing.assert_equal([error_consistency(b, a), error_consistency(a[order], b[order])], [kappa, kappa])


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 0]), ([1, NAN], [1, 0]), ([1], [1, 0])])
def test_error_consistency_refuses_invalid_answers(a, b):
    with pytest.raises(ConvRNNError):
        error_consistency(a, b)


def test_consistency_is_computed_over_shared_trials():
    rng = np.random.default_rng(1)
    correct = (rng.random((4, 60)) < 0.6).astype(float)
    correct[rng.random((4, 60)) < 0.3] = NAN
    matrix = consistency_matrix(correct)
    for i in range(4):
        for j in range(4):
            shared = ~np.isnan(correct[i]) & ~np.isnan(correct[j])
            assert matrix[i, j] == pytest.approx(error_consistency(correct[i, shared], correct[j, shared]))
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(consistency_matrix(correct[:1], correct[1:]), matrix[:1, 1:])
    assert ceiling(correct) == pytest.approx(matrix[np.triu_indices(4, 1)].mean())
    assert math.isnan(ceiling(correct[:1]))
    assert math.isnan(consistency_matrix([[1, NAN], [NAN, 1]])[0, 1])


def test_confusions_by_hand_and_by_scikit_learn():
    np.testing.assert_array_equal(confusion_matrix([0, 0, 1, 1], [0, 1, 1, -1], 2), [[1, 1], [0, 1]])
    over_time = confusion_matrix([0, 1], [[1, 0], [1, -1]], 2)
    np.testing.assert_array_equal(over_time, [[[0, 1], [0, 1]], [[1, 0], [0, 0]]])
    np.testing.assert_allclose(row_shares(over_time)[1], [[1, 0], [NAN, NAN]])
    true, given_ = np.random.default_rng(0).integers(0, 16, (2, 500))
    expected = metrics.confusion_matrix(true, given_, labels=range(16))
    np.testing.assert_array_equal(confusion_matrix(true, given_), expected)
    assert confusion_matrix([], []).sum() == 0


@pytest.mark.parametrize(
    ("true", "given_"), [([16], [0]), ([-1], [0]), ([0], [16]), ([0], [-2]), ([0, 1], [0])]
)
def test_confusions_refuse_invalid_labels(true, given_):
    with pytest.raises(ConvRNNError):
        confusion_matrix(true, given_)


def test_no_deep_learning_library_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, convrnn_experiments.statistics.measures, convrnn_data.observers.table\n"
        "assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
    assert measures.CLASSES == 16


def resampled(weights, *arrays):
    """Return arrays in which each unit occurs as often as it was drawn."""
    rows = np.repeat(np.arange(len(weights)), weights.astype(int))
    return [array[..., rows] for array in arrays]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), units=st.integers(6, 40))
def test_weighted_measures_equal_those_of_the_resampled_data(seed, units):
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
        a, b = resampled(weight, right, others)
        expected = measures.consistency_matrix(a[None], b)[0]
        np.testing.assert_allclose(kappas[sample], expected, atol=1e-12)
        x, y = resampled(weight, steps, times)
        np.testing.assert_allclose(rho[sample], correlations.rank_correlation(x, y), atol=1e-10)


def test_vectorised_measures_equal_scipy_and_scikit_learn():
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


def test_pair_means_weight_each_pair_of_observers():
    rng = np.random.default_rng(2)
    correct = rng.integers(0, 2, (5, 40)).astype(float)
    matrix = measures.consistency_matrix(correct)
    weights = np.array([[1.0, 1, 1, 1, 1], [2, 0, 2, 1, 0]])
    found = measures.pair_means(matrix, weights)
    assert found[0] == pytest.approx(measures.ceiling(correct))
    # 0 and 2 were drawn twice, and make four pairs with each other, none with themselves.
    assert found[1] == pytest.approx((4 * matrix[0, 2] + 2 * matrix[0, 3] + 2 * matrix[2, 3]) / 8)
