"""Fits of the SAT function, against SciPy's least squares, numerical derivatives and curves without a fit."""

import numpy as np
import pytest
from scipy import optimize, stats

from convrnn_experiments.errors import ConvRNNError
from convrnn_experiments.statistics.contrast import student
from convrnn_experiments.statistics.sampling_error import SampledEstimates
from convrnn_experiments.statistics.sat_function import CHANCE, accuracy_range, fit_sat_function, sat_accuracy

STEPS = np.arange(1.0, 9)
TIMES = np.array([634.0, 970, 1140, 1311, 1481])


def estimates(values, deviations, *, common=0.0, images=400):
    """Return estimates whose errors, over images, have these standard deviations and one part in common."""
    rng = np.random.default_rng(0)
    k = len(values)
    parts = np.linalg.qr(rng.normal(size=(images, k + 1)))[0]
    errors = parts[:, :k] * np.broadcast_to(deviations, k) + common * parts[:, k:]
    return SampledEstimates(np.array(values, float), errors, np.zeros((0, k)), np.zeros_like(errors), images)


def noisy(times, parameters, sd, seed=1):
    rng = np.random.default_rng(seed)
    return estimates(sat_accuracy(times, *parameters) + sd * rng.normal(size=len(times)), sd)


def test_the_function_begins_at_the_floor_and_ends_at_the_asymptote():
    np.testing.assert_allclose(sat_accuracy([0, 100, 1e6], 80, 0.004, 200), [CHANCE, CHANCE, 80])
    gained = 0.5 * (80 - CHANCE)
    half = 200 + np.log(2) / 0.004
    assert sat_accuracy(half, 80, 0.004, 200) == pytest.approx(CHANCE + gained)
    assert sat_accuracy(half, 80, 0.004, 200, floor=0) == pytest.approx(40)


@pytest.mark.parametrize(("times", "parameters"), [(STEPS, (75.0, 0.6, 0.3)), (TIMES, (80.0, 0.0035, 850.0))])
def test_a_fit_equals_generalised_least_squares_by_scipy(times, parameters):
    curve = noisy(times, parameters, 0.7)
    curve = estimates(curve.values, 0.7, common=1.2)
    fit = fit_sat_function(times, curve)
    assert not fit.reason
    assert fit.model_error == 0
    expected, covariance = optimize.curve_fit(
        sat_accuracy, times, curve.values, p0=parameters, sigma=curve.covariance, absolute_sigma=True
    )
    found = fit.asymptote.value, fit.rate.value, fit.intercept.value
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    errors = np.sqrt(np.diag(fit.errors.covariance)) * [1, fit.rate.value, 1]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=0.05)
    np.testing.assert_allclose(fit.accuracy(times), sat_accuracy(times, *expected), atol=0.05)


def test_the_ends_of_an_interval_fit_worse_by_the_square_of_students_quantile():
    curve = noisy(STEPS, (70.0, 0.5, 0.4), 0.8)
    fit = fit_sat_function(STEPS, curve)

    def misfit(asymptote, rate, intercept):
        return np.sum((sat_accuracy(STEPS, asymptote, rate, intercept) - curve.values) ** 2) / 0.8**2

    def profile(place, value):
        others = [fit.asymptote.value, fit.rate.value, fit.intercept.value]
        scale = np.delete(others, place)

        def error(free):
            return misfit(*np.insert(free * scale, place, value))

        return optimize.minimize(error, np.ones(2), method="Nelder-Mead", options={"maxiter": 4000}).fun

    least = misfit(fit.asymptote.value, fit.rate.value, fit.intercept.value)
    expected = stats.t.ppf(0.975, 395) ** 2 * 400 / 395
    for place, estimate in enumerate((fit.asymptote, fit.rate, fit.intercept)):
        assert estimate.low < estimate.value < estimate.high
        for end in (estimate.low, estimate.high):
            assert profile(place, end) - least == pytest.approx(expected, rel=0.05)


def test_contributions_are_the_derivatives_of_the_fit():
    curve = noisy(STEPS, (70.0, 0.5, 0.4), 0.3)

    def parameters(values):
        fit = fit_sat_function(STEPS, estimates(values, 0.3))
        return np.array([fit.asymptote.value, np.log(fit.rate.value), fit.intercept.value])

    fit = fit_sat_function(STEPS, curve)
    step = 0.02
    derivative = np.stack(
        [
            (parameters(curve.values + step * unit) - parameters(curve.values - step * unit)) / (2 * step)
            for unit in np.eye(8)
        ]
    )
    # Contributions of the images to accuracies times the derivatives are those to the parameters.
    np.testing.assert_allclose(
        fit.errors.images, curve.images @ derivative, atol=0.05 * np.abs(fit.errors.images).max()
    )


def test_units_of_time_change_rate_and_intercept_only():
    curve = noisy(STEPS, (70.0, 0.5, 0.4), 0.3)
    one, other = fit_sat_function(STEPS, curve), fit_sat_function(1000 * STEPS + 50, curve)
    assert other.asymptote.value == pytest.approx(one.asymptote.value)
    assert other.rate.high == pytest.approx(one.rate.high / 1000)
    assert other.intercept.low == pytest.approx(1000 * one.intercept.low + 50)


def test_errors_of_the_times_widen_the_intervals():
    curve = noisy(TIMES, (80.0, 0.0035, 850.0), 0.5)
    exact = fit_sat_function(TIMES, curve)
    measured = fit_sat_function(estimates(TIMES, 1e-3, common=12.0), curve)
    assert measured.intercept.value == pytest.approx(exact.intercept.value, abs=3)
    # A common error of 12 ms is an error of 12 ms of the intercept, and does not change the asymptote.
    assert np.sqrt(measured.errors.covariance[2, 2]) == pytest.approx(
        np.hypot(12, np.sqrt(exact.errors.covariance[2, 2])), rel=0.1
    )
    assert measured.intercept.high - measured.intercept.low > 40
    assert measured.asymptote.high == pytest.approx(exact.asymptote.high, abs=1.5)


@pytest.mark.parametrize(
    ("times", "values", "reason"),
    [
        ([1.0, 2], [20.0, 40], "at least 4 known times"),
        (STEPS, [50.0] * 8, "does not change"),
        (STEPS, np.linspace(70, 40, 8), "falls over time"),
        (STEPS, np.linspace(10, 60, 8), "straight line"),
        (STEPS, [10.0, 70, 70.2, 69.8, 70, 70.1, 69.9, 70], "step"),
        (TIMES, [6.25, 6.25, 6.4, 6.2, 40], "third last"),
        ([1.0, 3, 2, 4], [10.0, 20, 30, 40], "do not rise"),
    ],
)
def test_a_curve_that_does_not_determine_the_function_has_a_reason(times, values, reason):
    fit = fit_sat_function(np.array(times), estimates(values, 1.0))
    assert reason in fit.reason
    for estimate in (fit.asymptote, fit.rate, fit.intercept):
        assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
    assert fit.errors is None


def test_times_without_accuracy_are_left_out():
    curve = noisy(STEPS, (70.0, 0.5, 0.4), 0.3)
    longer = estimates([*curve.values, np.nan], 0.3)
    fit = fit_sat_function(np.arange(1.0, 10), longer)
    assert fit.rate.value == pytest.approx(fit_sat_function(STEPS, curve).rate.value, rel=1e-3)


def test_a_misfit_beyond_sampling_widens_the_intervals():
    exact = sat_accuracy(STEPS, 70, 0.5, 0.4)
    wave = 2.0 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    good, bad = (fit_sat_function(STEPS, estimates(exact + extra, 0.3)) for extra in (0, wave))
    assert good.model_error == 0
    assert 1 < bad.model_error < 4
    assert bad.asymptote.high - bad.asymptote.low > 3 * (good.asymptote.high - good.asymptote.low)


def test_equal_accuracies_at_neighbouring_steps_are_not_exact():
    values = sat_accuracy(STEPS, 70, 0.9, 0.4)
    values[7] = values[6]
    curve = estimates(values, 0.5)
    same = curve.combine(np.eye(8)[:, [0, 1, 2, 3, 4, 5, 6, 6]])
    fit = fit_sat_function(STEPS, same)
    assert not fit.reason
    assert fit.asymptote.value == pytest.approx(70, abs=1)


def test_one_time_is_needed_for_each_accuracy():
    with pytest.raises(ConvRNNError, match="one time for each"):
        fit_sat_function(STEPS[:4], estimates([1.0, 2, 3], 1.0))


def test_the_range_is_the_difference_of_the_highest_and_the_lowest():
    found = student(accuracy_range(estimates([20.0, 60, 10, np.nan, 55], [1, 3, 4, 1, 1])))
    assert found.value == pytest.approx(50)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 400) * 5)
    assert np.isnan(accuracy_range(estimates([np.nan, 40.0], 1.0)).values).all()
