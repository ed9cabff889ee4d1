import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn import metrics

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics import measures
from convrnn_experiments.statistics.correlations import rank_correlation
from convrnn_experiments.statistics.means import grouped_mean, mean_over
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
from convrnn_experiments.statistics.response_times import (
    cross_validated_response_times,
    entropy_response_times,
    fit_threshold,
)

NAN = float("nan")
PERCENT = st.floats(0, 100, allow_nan=False)
trials = st.integers(1, 40).flatmap(lambda n: st.tuples(*2 * [arrays.arrays(bool, n)]))
pairs = st.integers(1, 20).flatmap(lambda n: st.tuples(*2 * [arrays.arrays(float, n, elements=PERCENT)]))


def test_grouped_means_by_hand():
    correct = 100 * np.array([1, 0, 1, 1, 0, 1])
    block = [0, 0, 1, 1, 1, 0]
    level = [0, 1, 0, 0, 1, 0]
    assert grouped_mean(correct, [block], [2]).tolist() == pytest.approx([200 / 3, 200 / 3])
    by_both = grouped_mean(correct, [level, block], [3, 2])
    np.testing.assert_allclose(by_both, [[100, 100], [0, 0], [NAN, NAN]])
    np.testing.assert_allclose(grouped_mean([NAN, 4.0], [[0, 0]], [2]), [4, NAN])
    np.testing.assert_allclose(grouped_mean([NAN], [[0]], [2]), [NAN, NAN])
    np.testing.assert_allclose(grouped_mean([], [[]], [1]), [NAN])


@pytest.mark.parametrize(
    ("codes", "shape"), [([[0, 2]], [2]), ([[0, -1]], [2]), ([[0]], [2]), ([[0, 1]], [2, 2])]
)
def test_grouped_means_refuse_codes_that_do_not_fit(codes, shape):
    with pytest.raises(ConvRNNError):
        grouped_mean([1.0, 0.0], codes, shape)


def test_the_mean_over_observers_is_unweighted():
    # Ten trials of one observer and two of another count the same.
    by_observer = grouped_mean([100] * 10 + [0] * 2, [[0] * 10 + [1] * 2], [2])
    assert mean_over(by_observer) == 50
    np.testing.assert_allclose(mean_over([[1, NAN], [3, NAN]]), [2, NAN])


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


@settings(deadline=None)
@given(pairs, st.randoms())
def test_correlations_are_symmetric_bounded_and_blind_to_order(pair, random):
    a, b = pair
    order = random.sample(range(len(a)), len(a))
    for correlation in (category_correlation, rank_correlation):
        r = correlation(a, b)
        assert math.isnan(r) or -1 <= r <= 1
        for other in (correlation(b, a), correlation(a[order], b[order])):
            assert other == pytest.approx(r, abs=1e-6, nan_ok=True)  # rounding, of sums in another order


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
def test_error_consistency_refuses_what_is_neither_right_nor_wrong(a, b):
    with pytest.raises(ConvRNNError):
        error_consistency(a, b)


def test_consistency_is_over_shared_trials():
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
def test_confusions_refuse_what_is_no_label(true, given_):
    with pytest.raises(ConvRNNError):
        confusion_matrix(true, given_)


def test_response_times_by_hand():
    entropy = np.array([[2.0, 1.0, 0.5], [0.4, 0.9, 0.2], [2.0, 2.0, 1.5]])
    np.testing.assert_array_equal(entropy_response_times(entropy, 1.0), [1, 0, NAN])
    np.testing.assert_array_equal(entropy_response_times(entropy, 0.0), [NAN] * 3)
    np.testing.assert_array_equal(entropy_response_times(np.zeros((2, 0)), 1.0), [NAN] * 2)
    with pytest.raises(ConvRNNError):
        entropy_response_times(entropy[0], 1.0)


@settings(deadline=None)
@given(arrays.arrays(float, (7, 5), elements=st.floats(0, 3)), st.floats(0, 3), st.floats(0, 3))
def test_a_lower_threshold_never_answers_earlier(entropy, one, other):
    early, late = (entropy_response_times(entropy, t) for t in (max(one, other), min(one, other)))
    assert (np.nan_to_num(early, nan=9) <= np.nan_to_num(late, nan=9)).all()


@settings(deadline=None)
@given(arrays.arrays(float, (2, 12), elements=st.integers(0, 5)))
def test_rank_correlation_is_spearmans(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns where one is constant
        expected = stats.spearmanr(*pair).statistic
    assert rank_correlation(*pair) == pytest.approx(expected, nan_ok=True)


def test_rank_correlation_leaves_images_without_a_time_out():
    assert rank_correlation([1, 2, NAN, 4], [10, NAN, 0, 30]) == pytest.approx(1)
    assert math.isnan(rank_correlation([1, NAN], [NAN, 2]))


def slow_and_fast(images, seed):
    """Entropies that fall at each image's own pace, and human times that follow the pace."""
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
    # Times without a relation to the network: what fitting finds in one half is not in the other.
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
def test_fitting_is_blind_to_the_order_of_images(order):
    entropy, human = slow_and_fast(30, seed=3)
    assert fit_threshold(entropy[order], human[order]) == pytest.approx(fit_threshold(entropy, human))


def test_no_deep_learning_library_is_needed():
    import subprocess
    import sys

    code = (
        "import sys, convrnn_experiments.statistics.measures, convrnn_experiments.observers.table\n"
        "assert not {'keras', 'tensorflow', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
    assert measures.CLASSES == 16
