"""Confidence intervals against SciPy's, and their coverage of a known truth."""

import numpy as np
import pytest
from scipy import stats

from convrnn_experiments.statistics import intervals
from convrnn_experiments.statistics.intervals import Estimate

LARGE = float("inf")


@pytest.mark.parametrize(("right", "number"), [(0, 40), (7, 40), (40, 40), (1, 3)])
def test_a_plain_proportion_has_wilsons_interval(right, number):
    share = right / number
    found = intervals.proportion_interval(100 * share, 1e4 * share * (1 - share) / number, LARGE, number)
    expected = stats.binomtest(right, number).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert found.high > found.low


def test_fewer_effective_trials_give_a_wider_interval():
    narrow = intervals.proportion_interval(40, 20, LARGE, 100)
    clustered = intervals.proportion_interval(40, 60, LARGE, 100)
    few = intervals.proportion_interval(40, 20, 7, 100)
    widths = [found.high - found.low for found in (narrow, clustered, few)]
    assert widths[0] < min(widths[1:])


def test_undefined_values_have_no_interval():
    for found in (
        intervals.proportion_interval(float("nan"), 1, 5, 10),
        intervals.normal_interval(float("nan"), 1, 5),
        intervals.rmse_interval(np.array([np.nan, 1]), np.eye(2), 5),
    ):
        assert np.isnan([found.value, found.low, found.high]).all()


@pytest.fixture
def same_noise(monkeypatch):
    """Draw the noise of a covariance once: every call draws the same numbers, so a test's cases share it."""
    draw, drawn = intervals._noise, {}

    def noise(covariance, freedom):
        key = (covariance.tobytes(), freedom)
        if key not in drawn:
            drawn[key] = draw(covariance, freedom)
        return drawn[key].copy()

    monkeypatch.setattr(intervals, "_noise", noise)


def test_the_noise_of_a_covariance_is_the_same_in_every_call():
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    noise = intervals._noise(covariance, LARGE)
    np.testing.assert_array_equal(noise, intervals._noise(covariance, LARGE))
    np.testing.assert_allclose(np.cov(noise.T), covariance, rtol=0.1)


def coverage(make, true, samples=300):
    found = [make(np.random.default_rng(sample)) for sample in range(samples)]
    return np.mean([one.low <= true <= one.high for one in found]), np.mean([one.value for one in found])


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize("true", [0.0, 2.0, 8.0])
def test_intervals_of_the_corrected_rmse_cover_the_truth(true):
    # Five correlated differences: 300 cases, so the coverage is known to 1.3 points.
    covariance = 4 * (0.4 + 0.6 * np.eye(5))
    pattern = np.array([1, -1, 1, 1, -1]) * true

    def make(rng):
        return intervals.rmse_interval(rng.multivariate_normal(pattern, covariance), covariance, LARGE)

    covered, mean = coverage(make, true)
    assert covered >= 0.91
    assert mean == pytest.approx(true, abs=1.2)
    # Uncorrected, noise alone is 2 points.
    rng = np.random.default_rng(0)
    raw = np.sqrt((rng.multivariate_normal(pattern, covariance, 300) ** 2).mean(axis=1)).mean()
    assert abs(mean - true) < raw - true


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize(("true", "shared"), [(0.5, 0), (0.94, 20)])
def test_intervals_of_the_corrected_correlation_cover_the_truth(true, shared):
    rng = np.random.default_rng(4)
    axes = np.linalg.qr(np.column_stack([np.ones(16), rng.normal(size=(16, 2))]))[0][:, 1:].T
    profiles = 15 * 4 * np.stack([axes[0], true * axes[0] + np.sqrt(1 - true**2) * axes[1]])
    covariance = np.kron([[64, shared], [shared, 36]], np.eye(16))
    raw = []

    def make(rng):
        values = rng.multivariate_normal(profiles.ravel(), covariance).reshape(2, 16)
        raw.append(np.corrcoef(values)[0, 1])
        return intervals.correlation_interval(values, covariance, LARGE)

    covered, mean = coverage(make, true)
    assert 0.91 <= covered <= 0.99
    assert mean == pytest.approx(true, abs=0.05)
    assert np.mean(raw) < true - 0.05


def test_a_profile_of_noise_alone_has_an_undefined_correlation():
    values = np.array([np.linspace(-1, 1, 16), np.linspace(5, 60, 16)])
    found = intervals.correlation_interval(values, 100 * np.eye(32), LARGE)
    assert np.isnan(found.value)
    assert (found.low, found.high) == (-1, 1)


def test_a_difference_of_symmetric_intervals_is_the_textbook_one():
    one, other = Estimate(10, 8, 12), Estimate(4, 1, 7)
    apart = intervals.difference_interval(one, other, 0.0)
    assert (apart.value, apart.low, apart.high) == pytest.approx((6, 6 - 13**0.5, 6 + 13**0.5))
    paired = intervals.difference_interval(one, Estimate(4, 2, 6), 1.0)
    assert (paired.low, paired.high) == pytest.approx((6, 6))


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize(("one", "other"), [(0.0, 3.0), (8.0, 5.0)])
def test_intervals_of_rmse_differences_cover_the_truth(one, other):
    """Include an RMSE of 0, and errors that are mostly shared."""
    noise = 4 * (0.4 + 0.6 * np.eye(5))
    covariance = np.kron([[1, 0.7], [0.7, 1]], noise)
    patterns = np.array([[1, -1, 1, 1, -1], [1, 1, -1, 1, 1]]) * [[one], [other]]

    def make(rng):
        drawn = rng.multivariate_normal(patterns.ravel(), covariance).reshape(2, 5)
        return intervals.rmse_difference_interval(drawn, covariance, LARGE)

    covered, _ = coverage(make, one - other)
    assert 0.91 <= covered <= 0.99
