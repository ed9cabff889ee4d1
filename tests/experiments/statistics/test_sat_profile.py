"""Search for the best SAT function and its region, against linear algebra by hand and random points."""

import numpy as np
import pytest

from convrnn_experiments.statistics.sat_profile import CurveSearch, ProfileRegion

TIMES = np.array([100.0, 200, 300, 400, 600])
GAINS = 60 * -np.expm1(-(TIMES - 60) / 150)


def weights(seed=0):
    part = np.random.default_rng(seed).normal(size=(5, 9))
    return np.linalg.inv(part @ part.T / 9 + np.eye(5))


def test_the_surface_is_the_least_weighted_squared_error_over_gains():
    search = CurveSearch(TIMES, GAINS)
    rates, starts = np.log([0.5, 2.0]), np.array([-0.5, 0.1, 0.3])
    errors, gains, _ = search.surface(rates, starts, weights())
    root = np.linalg.cholesky(weights()).T
    for row, rate in enumerate(rates):
        for column, start in enumerate(starts):
            shape = 1 - np.exp(-np.exp(rate) * np.maximum((TIMES - 100) / 500 - start, 0))
            gain, error, *_ = np.linalg.lstsq((root @ shape)[:, None], root @ GAINS, rcond=None)
            assert gains[row, column] == pytest.approx(gain[0])
            assert errors[row, column] == pytest.approx(error[0], rel=1e-6)


def test_the_best_fit_of_an_exact_curve_is_its_function():
    point = CurveSearch(TIMES, GAINS).best(weights())
    np.testing.assert_allclose(point, [60, np.log(500 / 150), (60 - 100) / 500], rtol=1e-4)


def test_slopes_are_the_derivatives_over_time():
    search = CurveSearch(TIMES, GAINS)
    point = np.array([60.0, 1.2, 0.25])
    found = search.slopes(point)
    for time, slope in zip(TIMES, found, strict=True):
        ends = [CurveSearch(TIMES, GAINS).shapes(1.2, 0.25 - shift / 500) for shift in (-1e-3, 1e-3)]
        place = list(TIMES).index(time)
        assert slope == pytest.approx(60 * (ends[1] - ends[0])[place] / 2e-3, abs=1e-6)


def test_the_region_holds_the_ends_of_every_parameter():
    search = CurveSearch(TIMES, GAINS + np.array([0.5, -0.6, 0.4, 0.3, -0.4]))
    weight = np.eye(5)
    point = search.best(weight)
    region = ProfileRegion.around(search, point, weight, 4.0)
    assert not region.reason

    ends = np.array([region.gains, region.log_rates, region.intercepts])
    size = np.ptp(ends, axis=1)
    drawn = np.random.default_rng(1).uniform(ends[:, 0] - 0.2 * size, ends[:, 1] + 0.2 * size, (200_000, 3))

    def error(points):
        residual = points[:, :1] * search.shapes(points[:, 1], points[:, 2]) - search.gains
        return (residual**2).sum(axis=1)

    inside = drawn[error(drawn) <= error(point[None])[0] + 4.0]
    assert len(inside) > 1000
    # Random points within the region come near its ends, and not beyond them.
    assert (np.abs(inside.min(axis=0) - ends[:, 0]) < 0.1 * size).all()
    assert (np.abs(inside.max(axis=0) - ends[:, 1]) < 0.1 * size).all()
    assert (inside.min(axis=0) > ends[:, 0] - 0.01 * size).all()
    assert (inside.max(axis=0) < ends[:, 1] + 0.01 * size).all()


def test_a_step_with_one_free_accuracy_fits_exactly():
    steps = np.array([0.0, 20, 50, 50, 50])
    assert CurveSearch(TIMES, steps).step_error(weights()) == pytest.approx(0, abs=1e-9)
    # The slow curve is far from every step: the nearest has the error of three accuracies about their mean.
    errors = [
        np.sum(GAINS[:place] ** 2) + np.sum((GAINS[place + 1 :] - GAINS[place + 1 :].mean()) ** 2)
        for place in range(3)
    ]
    assert CurveSearch(TIMES, GAINS).step_error(np.eye(5)) == pytest.approx(min(errors))
